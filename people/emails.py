"""The letters about an account. Tokens are made here, when the letter is written, and stand in no table (W-30)."""

from uuid import UUID

from flask import current_app
from flask_security.confirmable import generate_confirmation_token
from flask_security.recoverable import generate_reset_password_token

from core.db import db
from core.mail import Letter, author
from people.models import Person


def _person(person_id: str) -> Person | None:
    person = db.session.get(Person, UUID(person_id))
    return person if person and person.active else None


def _letter(person: Person, path: str = "") -> Letter:
    url = current_app.config["BASE_URL"] + path if path else ""
    return Letter(person.email, person.name, person.locale, {"first_name": person.first_name, "url": url,
                                                             "email": person.email})


def _confirmation(person_id: str) -> Letter | None:
    person = _person(person_id)
    if person is None or person.confirmed_at:
        return None
    return _letter(person, f"/confirm/{generate_confirmation_token(person)}")


@author("people/welcome")
def welcome(person_id: str) -> Letter | None:
    return _confirmation(person_id)


@author("people/confirm")
def confirm(person_id: str) -> Letter | None:
    return _confirmation(person_id)


@author("people/reset")
def reset(person_id: str) -> Letter | None:
    person = _person(person_id)
    return _letter(person, f"/reset/{generate_reset_password_token(person)}") if person else None


@author("people/already_here")
def already_here(person_id: str) -> Letter | None:
    """To the owner of an address that somebody tried to register again; the page that they saw says nothing of it."""
    person = _person(person_id)
    return _letter(person, "/login") if person else None


@author("people/password_changed")
def password_changed(person_id: str) -> Letter | None:
    person = _person(person_id)
    return _letter(person, "/reset") if person else None
