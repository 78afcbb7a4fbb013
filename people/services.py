"""Making and changing accounts."""

import re
import secrets
import unicodedata
import uuid
from typing import Any
from uuid import UUID

import psycopg
from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from core import audit, clock, mail
from core.db import db, transaction
from core.errors import BadInput, Refusal
from core.sessions import end_sessions
from people import hooks, queries
from people.models import Person

# Handles that would speak for the site.
RESERVED = frozenset((
    "about", "account", "achterban", "admin", "administrator", "api", "help", "info", "login", "logout", "me",
    "moderator", "new", "official", "operator", "privacy", "register", "root", "security", "settings", "staff",
    "support", "system", "team",
))


def handle_from(name: str) -> str:
    """`Noor de Wit` → `noor-de-wit`; a name without Latin letters gets a neutral one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:24].strip("-")
    return stem if len(stem) > 1 and stem not in RESERVED else f"{stem or 'person'}-{secrets.randbelow(9000) + 1000}"


def add_person(*, email: str, name: str, password: str | None = None, locale: str = "en", **columns: Any) -> Person:
    """A new account with a handle of its own; `password` is a hash. Flushed, and committed by the caller."""
    stem = handle_from(name)
    wanted = [stem, *(f"{stem}-{number}" for number in range(2, 50))]
    taken = queries.taken_handles(wanted)
    while True:
        handle = next((free for free in wanted if free not in taken), f"{stem}-{secrets.token_hex(3)}")
        person = Person(email=email, name=name, handle=handle, password=password, locale=locale, active=True,
                        fs_uniquifier=uuid.uuid4().hex, **columns)
        try:
            with db.session.begin_nested():
                db.session.add(person)
            return person
        except IntegrityError as error:
            # Somebody took the handle, or the address, between our look and our write.
            if _constraint(error) != "uq_person_handle":
                raise Refusal(_("This did not work. Try once more.")) from error
            taken.add(handle)


def _constraint(error: IntegrityError) -> str:
    return (error.orig.diag.constraint_name or "") if isinstance(error.orig, psycopg.Error) else ""


def post_letter(name: str, person: Person) -> None:
    """One of our letters about an account, at most once a minute. Inside the caller's transaction."""
    mail.post(name, dedupe=f"{clock.now():%Y%m%d%H%M}", person_id=person.id)


def send_confirmation(person: Person) -> None:
    """Once more the mail with the button; nothing for a proven address."""
    if person.confirmed_at is None:
        with transaction():
            post_letter("people/confirm", person)


def prove_address(person: Person) -> None:
    """A link that was mailed there came back: that proves the address as well as the confirmation does."""
    if person.confirmed_at is None:
        person.confirmed_at = clock.now()


def edit_profile(person: Person, *, name: str, handle: str, bio: str, locale: str) -> None:
    """What others see of a person; a handle is refused when it is taken or speaks for the site."""
    wrong = _("This address is taken. Choose another.")
    if handle != person.handle and handle in RESERVED:
        raise BadInput(wrong, "handle")
    try:
        with transaction():
            person.name, person.handle, person.bio, person.locale = name, handle, bio, locale
            db.session.flush()
    except IntegrityError as error:
        if _constraint(error) != "uq_person_handle":
            raise
        raise BadInput(wrong, "handle") from error


def sign_out_everywhere(person_id: UUID) -> None:
    """No browser keeps a session of this person, this one included."""
    with transaction():
        end_sessions(person_id)


def make_staff(email: str) -> Person:
    """Appoint somebody to run this site."""
    with transaction():
        person = queries.person_by_email(email)
        if person is None:
            raise Refusal(_("Nobody has an account with this address."))
        person.is_staff = True
        end_sessions(person.id)  # a new right begins with a new session
    return person


def merge(into: Person, gone: Person) -> None:
    """Two accounts of one person become one: all that `gone` has is `into`'s, and nobody signs in as `gone` any more.

    The closed account keeps its address: mails on their way still arrive, and nobody else can register with an address
    that old pledges, receipts and mails were made under. Refused where both own what there can be only one of.
    """
    with transaction() as session:
        for person in sorted((into, gone), key=lambda one: one.id):
            session.refresh(person, with_for_update=True)
        if into.id == gone.id:
            raise Refusal(_("This is one account, not two."))
        if gone.merged_into_id or into.merged_into_id:
            raise Refusal(_("One of these accounts was merged into another before."))
        if not into.active:
            raise Refusal(_("The account that is to stay is closed."))
        hooks.merge_asked.send(into, gone)
        hooks.people_merged.send(into, gone)
        gone.merged_into_id, gone.active, gone.is_staff = into.id, False, False
        gone.password, gone.fs_uniquifier = None, uuid.uuid4().hex  # links and sessions of before open nothing
        end_sessions(gone.id)
        audit.note("people:merge", "person", into.id, by_id=None, gone=str(gone.id))
    session.expire_all()
