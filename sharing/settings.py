"""What a project decided about sharing, and whether a person's name may be shown."""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from core import audit, pages
from core.db import fetch_one, transaction
from core.errors import BadInput
from projects.models import Project
from sharing import ranking
from sharing.models import ShareLink

COUNTS = ("last", "first")


@dataclass(frozen=True)
class Settings:
    counts: str = "last"  # the touch that a pledge is credited to
    has_ranking: bool = True


_READ = sa.text("SELECT counts, has_ranking FROM share_settings WHERE project_id = :project")
_WRITE = sa.text("""
    INSERT INTO share_settings (project_id, counts, has_ranking) VALUES (:project, :counts, :ranking)
    ON CONFLICT (project_id) DO UPDATE SET counts = excluded.counts, has_ranking = excluded.has_ranking""")


def settings_of(project_id: UUID) -> Settings:
    row = fetch_one(_READ, project=project_id)
    return Settings(row.counts, row.has_ranking) if row else Settings()


def decide(project: Project, counts: str, has_ranking: bool, by_id: UUID | None) -> bool:
    """Which touch counts for pledges from now on, and whether there is a ranking; False if it was so already."""
    if counts not in COUNTS:
        raise BadInput("first or last", "counts")
    with transaction() as session:
        before = settings_of(project.id)
        if before == Settings(counts, has_ranking):
            return False
        session.execute(_WRITE, {"project": project.id, "counts": counts, "ranking": has_ranking})
        audit.note("sharing:decide", "project", project.id, by_id=by_id, project_id=project.id,
                   before=[before.counts, before.has_ranking], after=[counts, has_ranking])
        pages.touch(project.topic, ranking.topic(project.slug))
    return True


def show_name(link: ShareLink, project: Project, is_named: bool) -> None:
    """May this person's first name be shown to others on this project's pages? Taken back as easily as given."""
    with transaction() as session:
        session.execute(sa.update(ShareLink).where(ShareLink.id == link.id, ShareLink.person_id.is_not(None))
                        .values(is_named=is_named))
        pages.touch(project.topic, ranking.topic(project.slug))
