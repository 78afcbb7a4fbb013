"""Who may share, and who sees what came of it."""

from typing import Any

from flask_babel import gettext as _

from core.errors import NotFound
from core.policy import SignInFirst, rule
from projects.models import Project
from projects.rules import see


@rule("sharing:share")
def share(person: Any, slug: str, **_rest: Any) -> Project:
    """Everybody who is signed in has a link for every public project."""
    if not person.is_authenticated:
        raise SignInFirst
    project = see(person, slug)
    if not project.is_public:
        raise NotFound(_("Sharing begins when the project is live."))
    return project
