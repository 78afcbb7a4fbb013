"""The mails of money."""

from uuid import UUID

import sqlalchemy as sa
from flask import current_app
from flask_babel import force_locale

from core.db import db
from core.mail import Letter, author
from payments import accounts
from payments.alerts import KINDS
from people.models import Person
from projects.models import Project, ProjectState


@author("payments/alert")
def alert(kind: str, person_id: str, **facts: str) -> Letter | None:
    person = db.session.get(Person, UUID(person_id))
    if person is None or not person.is_staff or kind not in KINDS:
        return None
    base = current_app.config["BASE_URL"]
    with current_app.test_request_context(base_url=base), force_locale(person.locale):
        sentence, path = KINDS[kind](facts)
    return Letter(person.email, person.name, person.locale, {"sentence": sentence, "url": base + path})


@author("payments/account_stopped")
def account_stopped(person_id: str) -> Letter | None:
    """To a creator whose account at Stripe cannot be paid while a project of theirs counts on it (S-60)."""
    account = accounts.account_of(UUID(person_id))
    person = db.session.get(Person, UUID(person_id))
    project = db.session.scalar(sa.select(Project).where(
        Project.creator_id == UUID(person_id), Project.state.in_((ProjectState.LIVE, ProjectState.SUCCESSFUL)))
        .order_by(Project.deadline.desc()).limit(1))
    if person is None or project is None or (account is not None and account.is_active):
        return None  # it was mended before the mail left
    url = f"{current_app.config['BASE_URL']}/projects/{project.slug}/payouts"
    return Letter(person.email, person.name, person.locale, {"person": person, "project": project, "url": url})
