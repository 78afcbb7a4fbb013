"""What recruiters are told of doubts about their links: what counts, that pledges stand, and how to ask again. Each says
what is true when it leaves, and accuses nobody."""

from typing import Any
from uuid import UUID

from flask import current_app, url_for
from flask_babel import force_locale
from flask_babel import gettext as _

from core.db import db
from core.mail import Letter, author
from payments.alerts import alert_kind
from people.models import Person
from projects.models import Project
from sharing import panel, review_queries, review_words
from sharing.models_fairness import ShareBan


def _letter(person: Person | None, project: Project | None, **more: Any) -> Letter | None:
    if person is None or not person.active:
        return None
    base = current_app.config["BASE_URL"]
    with current_app.test_request_context(base_url=base), force_locale(person.locale):
        path = url_for("sharing.looks", slug=project.slug) if project else url_for("people.me")
    return Letter(person.email, person.name, person.locale, {
        "first_name": person.first_name, "project": project, "url": base + path,
        "share": panel.mailed(person.id, project) if project else None, **more})


@author("sharing/decided")
def decided(flag_id: str) -> Letter | None:
    """Of every decision one mail: credited, struck, or open again."""
    item = review_queries.one_item(UUID(flag_id))
    if item is None:
        return None
    person = db.session.get(Person, item.recruiter_id)
    project = db.session.query(Project).filter_by(slug=item.slug).one()
    with force_locale(person.locale if person else "en"):
        why = review_words.general_reason(item.rule)
    return _letter(person, project, count=item.count, decision=item.decision or "", why_rule=why,
                   may_appeal=item.decision == "strike" and item.appealed_at is None, is_last=item.answered_at is not None)


@author("sharing/banned")
def banned(ban_id: str) -> Letter | None:
    ban = db.session.get(ShareBan, UUID(ban_id))
    if ban is None or ban.lifted_at is not None:
        return None
    project = db.session.get(Project, ban.project_id) if ban.project_id else None
    return _letter(ban.person, project, until=ban.until, has_struck=ban.has_struck,
                   zone=project.zone if project else "UTC", share=None)  # nothing comes of it while the ban lasts


@author("sharing/ban_lifted")
def ban_lifted(ban_id: str) -> Letter | None:
    ban = db.session.get(ShareBan, UUID(ban_id))
    if ban is None or ban.lifted_at is None:
        return None
    return _letter(ban.person, db.session.get(Project, ban.project_id) if ban.project_id else None)


@alert_kind("share_appeal")
def share_appeal(_facts: dict[str, str]) -> tuple[str, str]:
    return _("A recruiter asks for another look at a decision about pledges by their link."), url_for(
        "sharing.platform_review")
