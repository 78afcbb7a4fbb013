"""The mails of money."""

from uuid import UUID

from flask import current_app
from flask_babel import force_locale

from core.db import db
from core.mail import Letter, author
from payments.alerts import KINDS
from people.models import Person


@author("payments/alert")
def alert(kind: str, person_id: str, **facts: str) -> Letter | None:
    person = db.session.get(Person, UUID(person_id))
    if person is None or not person.is_staff or kind not in KINDS:
        return None
    base = current_app.config["BASE_URL"]
    with current_app.test_request_context(base_url=base), force_locale(person.locale):
        sentence, path = KINDS[kind](facts)
    return Letter(person.email, person.name, person.locale, {"sentence": sentence, "url": base + path})
