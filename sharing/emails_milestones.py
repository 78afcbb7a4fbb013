"""What a sharer is told about a step: it is kept, it is theirs, it must be waited for, it is taken back.

Each is read anew when it is sent, and stays in the drawer when it is no longer true.
"""

from uuid import UUID

from flask import current_app
from flask_babel import force_locale

from core.db import db
from core.mail import Letter, author
from projects.models import ProjectState
from sharing import milestones, panel
from sharing.models_milestones import Grant, GrantState

S = GrantState
ON = (ProjectState.LIVE, ProjectState.SUCCESSFUL)  # whoever is told that the project stopped needs no word of this


def _letter(grant_id: str, *states: GrantState) -> Letter | None:
    grant = db.session.get(Grant, UUID(grant_id))
    if grant is None or grant.state not in states or grant.link.person is None or grant.link.project.state not in ON:
        return None
    person, project, step = grant.link.person, grant.link.project, grant.milestone
    stage = next(stage for stage in milestones.way_of(project.id, person.id, all_steps=True).stages
                 if stage.friends == step.friends)
    base, locale = current_app.config["BASE_URL"], person.locale
    with force_locale(locale):
        why, month = milestones.why_text(grant.why), milestones.month_text(step.reward.delivery_on)
    return Letter(person.email, person.name, locale, {
        "person": person, "project": project, "what": step.reward.title, "friends": step.friends, "stage": stage,
        "days": current_app.config["MILESTONE_DAYS"], "why": why, "month": month, "lang": locale,
        "share": panel.mailed(person.id, project), "url": f"{base}/projects/{project.slug}/share"})


@author("sharing/milestone_pending")
def milestone_pending(grant_id: str) -> Letter | None:
    return _letter(grant_id, S.PENDING)


@author("sharing/milestone_earned")
def milestone_earned(grant_id: str) -> Letter | None:
    return _letter(grant_id, S.EARNED)


@author("sharing/milestone_waiting")
def milestone_waiting(grant_id: str) -> Letter | None:
    return _letter(grant_id, S.WAITING)


@author("sharing/milestone_taken_back")
def milestone_taken_back(grant_id: str) -> Letter | None:
    return _letter(grant_id, S.TAKEN_BACK, S.LOST, S.WAITING)
