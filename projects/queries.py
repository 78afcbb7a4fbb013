"""What the public pages show, as plain rows: one statement for a list of cards, two for a project's page."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from core import clock
from core.db import db, fetch_all
from core.i18n import show_left, show_money
from core.media import Picture, picture_url
from people.models import Person
from projects.models import (
    Category,
    Faq,
    Project,
    ProjectMember,
    ProjectMove,
    ProjectState,
    ProjectTotal,
    StoryPicture,
    Update,
)

PER_PAGE = 24
ON_FRONT = 7  # one large and six in the grid
CANDIDATES = 1_000  # what a search ranks at most
S = ProjectState
SORTS = ("ending", "newest", "funded", "backed")
STATES: dict[str, tuple[ProjectState, ...]] = {
    "live": (S.LIVE,), "successful": (S.SUCCESSFUL,), "all": (S.LIVE, S.SUCCESSFUL, S.UNSUCCESSFUL)}


@dataclass(frozen=True)
class Card:
    """A project as a list shows it."""

    id: UUID
    slug: str
    title: str
    blurb: str
    state: ProjectState
    category: Category | None
    place: str
    picture_key: str | None
    picture_alt: str
    creator_id: UUID
    creator_name: str
    goal: int
    currency: str
    raised: int
    backers: int
    deadline: datetime | None
    of_all: int = 0  # how many projects the list has in all

    @property
    def percent(self) -> int:
        """Rounded down: 99.9 % is not yet 100."""
        return self.raised * 100 // self.goal if self.goal else 0

    @property
    def picture_url(self) -> str | None:
        return picture_url(self.picture_key, 800)

    @property
    def large_picture_url(self) -> str | None:
        return picture_url(self.picture_key, 1600)

    @property
    def raised_text(self) -> str:
        return show_money(self.raised, self.currency, exact=False)

    @property
    def goal_text(self) -> str:
        return show_money(self.goal, self.currency, exact=False)

    @property
    def is_funded(self) -> bool:
        return self.raised >= self.goal

    @property
    def is_ending_soon(self) -> bool:
        """The last three days."""
        return self.state is S.LIVE and self.deadline is not None and self.deadline - clock.now() < timedelta(days=4)

    @property
    def time_left(self) -> str:
        if self.state is S.SUCCESSFUL:
            return ""
        return show_left(self.deadline) if self.state is S.LIVE and self.deadline else _("Ended")


_RAISED = sa.func.coalesce(Project.raised_at_close, ProjectTotal.raised)
_BACKERS = sa.func.coalesce(Project.backers_at_close, ProjectTotal.backers)
_CARDS = (
    sa.select(
        Project.id, Project.slug, Project.title, Project.blurb, Project.state, Project.category, Project.place,
        Picture.key.label("picture_key"), Project.picture_alt, Person.id.label("creator_id"),
        Person.name.label("creator_name"), Project.goal, Project.currency, _RAISED.label("raised"),
        _BACKERS.label("backers"), Project.deadline)
    .join(ProjectTotal, ProjectTotal.project_id == Project.id)
    .join(Person, Person.id == Project.creator_id)
    .outerjoin(Picture, Picture.id == Project.picture_id))
_LIVE_FIRST = (Project.state != S.LIVE).asc()
_ORDERS: dict[str, tuple[Any, ...]] = {
    "ending": (_LIVE_FIRST, sa.case((Project.state == S.LIVE, Project.deadline)).asc(), Project.deadline.desc()),
    "newest": (Project.launched_at.desc(),),
    "funded": ((sa.cast(_RAISED, sa.Numeric) / Project.goal).desc(), Project.launched_at.desc()),
    "backed": (_BACKERS.desc(), Project.launched_at.desc()),
}


def card(project_id: UUID) -> Card:
    """One project as a list would show it; a draft without a goal has none yet."""
    row = db.session.execute(_CARDS.where(Project.id == project_id)).one()
    return Card(**{**row._mapping, "goal": row.goal or 0})


def cards(*where: Any, order: str = "ending", limit: int = PER_PAGE, offset: int = 0) -> list[Card]:
    """Cards of public projects, with how many there are in all, in one statement."""
    wanted = (_CARDS.add_columns(sa.func.count().over().label("of_all")).where(*where)
              .order_by(*_ORDERS[order], Project.id).limit(limit).offset(offset))
    return [Card(**row._mapping) for row in fetch_all(wanted)]


@dataclass(frozen=True)
class Front:
    """The front page."""

    featured: Card | None
    cards: list[Card]
    live: int
    by_category: dict[Category, int]


_COUNTS = (sa.select(Project.category, sa.func.count()).where(Project.state == S.LIVE)
           .group_by(Project.category).order_by(sa.func.count().desc()))
_PICKED = sa.select(Project.id).join(ProjectTotal, ProjectTotal.project_id == Project.id).where(
    Project.state == S.LIVE).order_by((Project.picture_id.is_(None)).asc(), ProjectTotal.backers.desc(),
                                      Project.launched_at.desc()).limit(1).scalar_subquery()
_FRONT = (_CARDS.add_columns((Project.id == _PICKED).label("is_picked")).where(Project.state == S.LIVE)
          .order_by((Project.id == _PICKED).desc(), Project.deadline.asc(), Project.id).limit(ON_FRONT))


def front_page() -> Front:
    """The most backed live project, those that end soonest, and how many are on per category: two statements."""
    rows = fetch_all(_FRONT)
    found = [Card(**{k: v for k, v in row._mapping.items() if k != "is_picked"}) for row in rows]
    featured = found.pop(0) if rows and rows[0].is_picked else None
    counts: dict[Category | None, int] = {row[0]: row[1] for row in db.session.execute(_COUNTS)}
    return Front(featured, found, sum(counts.values()), {c: n for c, n in counts.items() if c})


def live_counts() -> dict[Category, int]:
    """How many live projects each category has."""
    return {row[0]: row[1] for row in db.session.execute(_COUNTS) if row[0]}


@dataclass(frozen=True)
class Found:
    """One page of what a search or a category gives."""

    cards: list[Card]
    total: int
    page: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PER_PAGE))

    @property
    def first(self) -> int:
        return (self.page - 1) * PER_PAGE + 1

    @property
    def last(self) -> int:
        return min(self.page * PER_PAGE, self.total)


def words_of(q: str) -> str:
    """What was typed as a tsquery: every word must occur, the last one may go on (`nig` finds `night`)."""
    words = re.findall(r"\w+", q.lower().replace("_", " "))[:8]
    return " & ".join([*(f"'{word}'" for word in words[:-1]), *(f"'{word}':*" for word in words[-1:])])


def discover(q: str = "", category: Category | None = None, sort: str = "", state: str = "", page: int = 1) -> Found:
    """Public projects by words, category and state; a search ranks at most a thousand candidates."""
    page = max(1, min(page, 1_000))
    words = words_of(q)
    states = STATES.get(state) or STATES["all" if words else "live"]
    where: list[Any] = [Project.state.in_(states)]
    if category:
        where.append(Project.category == category)
    if not words:
        found = cards(*where, order=sort if sort in SORTS else "ending", offset=(page - 1) * PER_PAGE)
        return Found(found, found[0].of_all if found else 0, page)
    tsquery = sa.func.to_tsquery(sa.literal_column("'simple'::regconfig"), words)
    by_words = sa.select(Project.id).where(*where, Project.search.op("@@")(tsquery)).limit(CANDIDATES)
    by_creator = (sa.select(Project.id).join(Person, Person.id == Project.creator_id).where(
        *where, sa.func.to_tsvector(sa.literal_column("'simple'::regconfig"), Person.name).op("@@")(tsquery))
        .limit(CANDIDATES))
    candidates = sa.union(sa.select(by_words.subquery()), sa.select(by_creator.subquery())).cte("candidates")
    rank = sa.func.ts_rank(Project.search, tsquery)
    order = _ORDERS[sort] if sort in SORTS else (rank.desc(), _LIVE_FIRST, _BACKERS.desc())
    wanted = (_CARDS.join(candidates, candidates.c.id == Project.id)
              .add_columns(sa.func.count().over().label("of_all"))
              .order_by(*order, Project.id).limit(PER_PAGE).offset((page - 1) * PER_PAGE))
    found = [Card(**row._mapping) for row in fetch_all(wanted)]
    return Found(found, found[0].of_all if found else 0, page)


# What stands below the head of a project's page, as one row of JSON: a page is a handful of short lists.
_BELOW = sa.text("""
    SELECT (SELECT count(*) FROM project_update WHERE project_id = :id) AS update_count,
           (SELECT coalesce(json_agg(u ORDER BY u.number DESC), '[]') FROM (
               SELECT number, title, body, to_char(published_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')
                      AS published_at
                 FROM project_update WHERE project_id = :id ORDER BY number DESC LIMIT 2) u) AS updates,
           (SELECT coalesce(json_agg(f ORDER BY f.position), '[]') FROM (
               SELECT position, question, answer FROM project_faq WHERE project_id = :id) f) AS faq,
           (SELECT coalesce(json_agg(m ORDER BY m.added_at), '[]') FROM (
               SELECT p.id, p.name, p.handle, p.bio, p.picture_key, m.role, m.added_at FROM project_member m
                 JOIN person p ON p.id = m.person_id WHERE m.project_id = :id) m) AS team,
           (SELECT count(*) FROM project WHERE creator_id = :creator AND launched_at IS NOT NULL) AS launched,
           (SELECT count(*) FROM project WHERE creator_id = :creator AND state = 'successful' AND id <> :id) AS made""")


@dataclass(frozen=True)
class Below:
    """Updates, questions and people of one project."""

    update_count: int
    updates: list[dict[str, Any]]
    faq: list[dict[str, Any]]
    team: list[dict[str, Any]]
    launched: int  # projects that the creator launched, this one included
    made: int  # of the others, how many were funded


def project_page(project: Project) -> Below:
    """All that a project's page shows below its head, in one statement."""
    row = fetch_all(_BELOW, id=project.id, creator=project.creator_id)[0]
    updates = [{**update, "published_at": datetime.fromisoformat(update["published_at"])} for update in row.updates]
    return Below(row.update_count, updates, row.faq, row.team, row.launched, row.made)


def projects_of(person: Person) -> list[Card]:
    """The projects that somebody works on, newest first: for the pages of people."""
    mine = sa.or_(Project.creator_id == person.id, Project.id.in_(
        sa.select(ProjectMember.project_id).where(ProjectMember.person_id == person.id)))
    gone = sa.and_(Project.state == S.CANCELLED, Project.launched_at.is_(None))
    rows = fetch_all(_CARDS.where(mine, sa.not_(gone)).order_by(Project.created_at.desc()))
    return [Card(**{**row._mapping, "goal": row.goal or 0}) for row in rows]


def updates_of(project: Project) -> list[sa.Row[Any]]:
    """All news of a project, newest first."""
    return fetch_all(sa.select(Update.number, Update.title, Update.body, Update.published_at,
                               Person.name.label("author_name"), Person.id.label("author_id"))
                     .join(Person, Person.id == Update.author_id)
                     .where(Update.project_id == project.id).order_by(Update.number.desc()).limit(200))


def update_of(project: Project, number: int) -> sa.Row[Any] | None:
    """One piece of news by its number."""
    rows = fetch_all(sa.select(Update.number, Update.title, Update.body, Update.published_at,
                               Person.name.label("author_name"), Person.id.label("author_id"))
                     .join(Person, Person.id == Update.author_id)
                     .where(Update.project_id == project.id, Update.number == number))
    return rows[0] if rows else None


def faq_of(project: Project) -> list[sa.Row[Any]]:
    return fetch_all(sa.select(Faq.question, Faq.answer).where(Faq.project_id == project.id).order_by(Faq.position))


def why_stopped(project: Project) -> str:
    """What the creator said when the project was stopped; empty for any other."""
    if project.state is not ProjectState.CANCELLED:
        return ""
    rows = fetch_all(sa.select(ProjectMove.why).where(
        ProjectMove.project_id == project.id, ProjectMove.to_state == ProjectState.CANCELLED))
    return rows[0].why if rows else ""


def members_of(project: Project) -> list[sa.Row[Any]]:
    """Who works on it besides the creator."""
    return fetch_all(sa.select(Person.id, Person.name, Person.email, ProjectMember.role)
                     .join(Person, Person.id == ProjectMember.person_id)
                     .where(ProjectMember.project_id == project.id).order_by(ProjectMember.added_at))


def story_pictures(project: Project) -> list[str]:
    """Keys of the pictures uploaded for the story."""
    return list(db.session.scalars(sa.select(Picture.key).join(StoryPicture, StoryPicture.picture_id == Picture.id)
                                   .where(StoryPicture.project_id == project.id).order_by(StoryPicture.added_at)))
