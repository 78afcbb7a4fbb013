"""To the author of a recommendation that was hidden."""

from uuid import UUID

from flask import current_app
from flask_babel import force_locale

from core.db import db
from core.mail import Letter, author
from projects.models import Project
from sharing import panel
from sharing.models import Recommendation
from sharing.recommendations import REASONS


@author("sharing/recommendation_hidden")
def recommendation_hidden(recommendation_id: str) -> Letter | None:
    one = db.session.get(Recommendation, UUID(recommendation_id))
    if one is None or one.hidden_at is None or not one.text:
        return None  # shown again, or withdrawn, before the mail left
    project = db.session.get_one(Project, one.project_id)
    with force_locale(one.person.locale):
        reason = str(REASONS[one.hidden_why or ""])
    url = f"{current_app.config['BASE_URL']}/projects/{project.slug}/recommendation"
    return Letter(one.person.email, one.person.name, one.person.locale, {
        "person": one.person, "project": project, "text": one.text, "reason": reason, "note": one.hidden_note,
        "url": url, "share": panel.mailed(one.person_id, project)})
