"""Writing the pitch: its words, its pictures, its goal and its last day."""

import re
import unicodedata
from datetime import datetime
from typing import IO, Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from core import media, money
from core.db import transaction
from core.errors import BadInput, Refusal
from core.i18n import show_money
from core.media import Picture
from core.pages import touch
from people.models import Person
from projects.deadlines import require_in_reach
from projects.models import Category, Faq, Project, ProjectState, ProjectTotal, StoryPicture

S = ProjectState
FREE = (S.DRAFT, S.SUBMITTED, S.APPROVED, S.LIVE)  # the states in which a pitch may be written on
RESERVED = {"new", "create", "edit", "discover"}
LONGEST_STORY = 60_000
MOST_QUESTIONS = 30


def slug_from(title: str) -> str:
    """The title as an address: `Nachttrein: een plaat!` gives `nachttrein-een-plaat`."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-") or "project"
    return f"{slug}-project" if slug in RESERVED else slug


def _free_slug(session: Any, title: str, but: UUID | None = None) -> str:
    base = slug_from(title)
    taken = set(session.scalars(sa.select(Project.slug).where(
        sa.or_(Project.slug == base, Project.slug.startswith(f"{base}-", autoescape=True)), Project.id.is_distinct_from(but))))
    return next(slug for n in range(1, len(taken) + 3) if (slug := base if n == 1 else f"{base}-{n}") not in taken)


def create_project(creator: Person, title: str, *, category: Category | None = None, blurb: str = "", place: str = "",
                   country: str = "NL", currency: str = "EUR", zone: str = "Europe/Amsterdam") -> Project:
    """A draft of this person's, at an address of its own made from the title."""
    title = _title(title)
    if currency not in money.EXPONENTS:
        raise BadInput(_("Choose a currency from the list."), "currency")
    for _try in range(5):
        try:
            with transaction() as session:
                project = Project(creator_id=creator.id, slug=_free_slug(session, title), title=title,
                                  category=category, blurb=_blurb(blurb), place=place.strip()[:80], country=country,
                                  currency=currency, zone=zone)
                session.add(project)
                session.flush()
                session.add(ProjectTotal(project_id=project.id))
            return project
        except IntegrityError as error:  # two people with the same title in the same moment
            if "uq_project_slug" not in str(error.orig):
                raise
    raise Refusal(_("Somebody took this title in the same moment. Send it again."))


def _title(title: str) -> str:
    title = " ".join(title.split())
    if not title:
        raise BadInput(_("Give your project a title."), "title")
    if len(title) > 60:
        raise BadInput(_("A title has at most 60 characters. Yours has %(n)s.", n=len(title)), "title")
    return title


def _blurb(blurb: str) -> str:
    blurb = " ".join(blurb.split())
    if len(blurb) > 135:
        raise BadInput(_("This sentence has at most 135 characters. Yours has %(n)s.", n=len(blurb)), "blurb")
    return blurb


def lock_for_writing(session: Any, project: Project, edition: int | None) -> Project:
    """The row, locked, still open for writing, and still the one that the form was made from."""
    locked: Project = session.get_one(Project, project.id, with_for_update=True, populate_existing=True)
    if locked.state not in FREE:
        raise Refusal(_("This project has ended, so its page stays as it is. What you have to tell goes into an update."))
    if edition is not None and locked.edition != edition:
        raise BadInput(_("Somebody saved this project after you opened this page, perhaps you in another tab. Nothing "
                         "of yours was saved. What you typed is still here: save again to put it in place."), "edition")
    return locked


def note_edit(project: Project) -> None:
    """A new edition of the pitch, and of every page that shows it."""
    project.edition += 1
    project.edited_at = sa.func.clock_now()
    touch(project.topic, *(["front"] if project.is_live else []))


def edit_basics(project: Project, edition: int | None = None, *, title: str, blurb: str,
                category: Category | None, place: str, country: str | None = None, goal: int | None = None,
                currency: str | None = None, deadline: datetime | None = None, zone: str | None = None) -> Project:
    """What stands at the head of the page. Goal, currency and last day are promises: fixed once live."""
    title, blurb = _title(title), _blurb(blurb)
    with transaction() as session:
        project = lock_for_writing(session, project, edition)
        if project.is_live:
            if not blurb:
                raise BadInput(_("Say in one sentence what it is."), "blurb")
            _require_unchanged(project, goal, currency, deadline, zone)
        else:
            if goal is not None:
                project.goal = checked_goal(goal, currency or project.currency)
            project.currency = currency or project.currency
            if deadline is not None:
                require_in_reach(deadline, zone or project.zone)
                project.deadline = deadline
            project.zone = zone or project.zone
            if project.title != title and re.fullmatch(re.escape(slug_from(project.title)) + r"(-\d+)?", project.slug):
                project.slug = _free_slug(session, title, but=project.id)
        project.title, project.blurb, project.category = title, blurb, category
        project.place = place.strip()[:80]
        project.country = country or project.country
        note_edit(project)
    return project


def checked_goal(goal: int, currency: str) -> int:
    """A goal that can be reached by pledges and counted by Stripe."""
    if goal <= 0:
        raise BadInput(_("The goal must be more than zero."), "goal")
    if goal < money.SMALLEST[currency]:
        raise BadInput(_("The goal must be at least %(amount)s.", amount=show_money(money.SMALLEST[currency], currency)),
                       "goal")
    if goal > 100 * money.LARGEST:
        raise BadInput(_("This goal is too high for us. Write a smaller one."), "goal")
    return goal


def _require_unchanged(project: Project, goal: int | None, currency: str | None, deadline: datetime | None,
                       zone: str | None) -> None:
    for new, old, field in ((goal, project.goal, "goal"), (currency, project.currency, "currency"),
                            (deadline, project.deadline, "day"), (zone, project.zone, "zone")):
        if new is not None and new != old:
            raise BadInput(_("Goal, currency and last day are fixed since the launch."), field)


def edit_story(project: Project, story: str, edition: int | None = None, *, picture: IO[bytes] | None = None,
               picture_alt: str = "", by: Person | None = None) -> Project:
    """The story, as Markdown, kept as it was typed; a picture sent with it comes to stand at its end."""
    story = story.replace("\r\n", "\n").strip()
    if len(story) > LONGEST_STORY:
        raise BadInput(_("This story is too long. %(most)s characters is the most.", most=f"{LONGEST_STORY:,}"), "story")
    with transaction() as session:
        project = lock_for_writing(session, project, edition)
        if picture is not None:
            stored = _keep_story_picture(session, project, picture, by)
            story = f"{story}\n\n{story_line(stored.key, picture_alt)}".strip()
        project.story = story
        note_edit(project)
    return project


def set_picture(project: Project, file: IO[bytes] | None, alt: str, by: Person,
                edition: int | None = None) -> Project:
    """The picture at the head, 3 by 2; without a file only its description changes."""
    alt = " ".join(alt.split())[:300]
    with transaction() as session:
        project = lock_for_writing(session, project, edition)
        if file is not None:
            project.picture_id = media.store(file, by.id).id
        elif project.picture_id is None:
            raise BadInput(_("Choose a picture from your device."), "picture")
        if not alt:
            raise BadInput(_("Describe the picture for people who do not see it."), "picture_alt")
        project.picture_alt = alt
        note_edit(project)
    return project


def add_story_picture(project: Project, file: IO[bytes], by: Person) -> Picture:
    """A picture to stand in the story by its `story_line`."""
    with transaction() as session:
        project = lock_for_writing(session, project, None)
        return _keep_story_picture(session, project, file, by)


def _keep_story_picture(session: Any, project: Project, file: IO[bytes], by: Person | None) -> Picture:
    picture = media.store(file, by.id if by else None)
    session.add(StoryPicture(project_id=project.id, picture_id=picture.id))
    return picture


def story_line(key: str, alt: str = "") -> str:
    """The Markdown that puts a picture of ours into a story."""
    words = " ".join(re.sub(r"[\[\]\\]", "", alt).split()) or _("A picture")
    return f"![{words}](/media/{key}-1600.webp)"


def edit_faq(project: Project, questions: list[tuple[str, str]], edition: int | None = None) -> Project:
    """The questions that many ask, in this order; pairs with nothing in them fall away."""
    kept = [(" ".join(q.split()), a.replace("\r\n", "\n").strip()) for q, a in questions if q.strip() or a.strip()]
    for position, (question, answer) in enumerate(kept):
        if not question or not answer:
            raise BadInput(_("A question needs an answer, and an answer a question."), f"questions-{position}")
    if len(kept) > MOST_QUESTIONS:
        raise BadInput(_("%(n)s questions is the most.", n=MOST_QUESTIONS), "questions")
    with transaction() as session:
        project = lock_for_writing(session, project, edition)
        session.execute(sa.delete(Faq).where(Faq.project_id == project.id))
        session.add_all(Faq(project_id=project.id, position=n, question=q[:200], answer=a[:4_000])
                        for n, (q, a) in enumerate(kept))
        note_edit(project)
    return project
