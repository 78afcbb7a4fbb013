"""Why backers stand behind a project, in their own words: written, withdrawn, hidden, and shown to their friends.

A text is shown while its author agrees, the pledge that it is bound to stands, and nobody has hidden it.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from backing.models import Pledge
from core import audit, mail
from core.db import db, fetch_all, fetch_one, transaction
from core.errors import BadInput, NotFound, Refusal, TooOften
from core.pages import touch
from projects.models import Project, ProjectState
from sharing.models import Recommendation
from sharing.queries import STANDING_SQL, standing_pledge

SHORTEST, LONGEST = 10, 280
PER_HOUR = 10  # changes of one text: more than anybody needs to get a sentence right (W-23)
ON_PAGE = 3
NOTE_LENGTH = 200
# Why a text may be hidden; the sentence is what its author reads.
REASONS = {
    "promise": _l("It promises something that the creator has not promised."),
    "private": _l("It tells something private about somebody."),
    "rude": _l("It is rude about somebody."),
    "advert": _l("It advertises something else."),
    "untrue": _l("It says something that is not so."),
}


@dataclass(frozen=True)
class Quote:
    """One text as everybody may see it: with the first name and the backer number."""

    id: UUID
    person_id: UUID
    text: str
    name: str
    number: int | None
    at: datetime

    @property
    def first_name(self) -> str:
        return first_word(self.name)


@dataclass(frozen=True)
class Hidden(Quote):
    """A text that is shown to nobody but those who hid it."""

    why: str = ""
    note: str = ""

    @property
    def reason(self) -> str:
        return str(REASONS.get(self.why, self.why))


def first_word(name: str) -> str:
    return name.split()[0] if name.split() else name


_COLUMNS = "r.id, r.person_id, r.text, n.name, p.number, r.created_at AS at"
_FROM = f"""FROM recommendation r JOIN person n ON n.id = r.person_id
      JOIN pledge p ON p.id = r.pledge_id AND p.state IN ({STANDING_SQL})"""
_VISIBLE = "r.project_id = :project AND r.is_shown AND r.hidden_at IS NULL"
_NEWEST = sa.text(f"""
    SELECT {_COLUMNS} {_FROM} WHERE {_VISIBLE} ORDER BY r.created_at DESC LIMIT :most OFFSET :skip""")
_OF_PERSON = sa.text(f"SELECT {_COLUMNS} {_FROM} WHERE {_VISIBLE} AND r.person_id = :person")
_HIDDEN = sa.text(f"""
    SELECT {_COLUMNS}, r.hidden_why AS why, r.hidden_note AS note {_FROM}
     WHERE r.project_id = :project AND r.hidden_at IS NOT NULL AND r.text <> ''
     ORDER BY r.hidden_at DESC LIMIT 200""")


def newest_of(project: Project, most: int = ON_PAGE, skip: int = 0) -> list[Quote]:
    """The same for a page: where the project came to nothing no pledge stands, so nothing is looked for."""
    return [] if project.state in (ProjectState.UNSUCCESSFUL, ProjectState.CANCELLED) else newest(project.id, most, skip)


def newest(project_id: UUID, most: int = ON_PAGE, skip: int = 0) -> list[Quote]:
    """What backers say of a project, newest first: one statement by an index that holds only what is shown."""
    return [Quote(**row._mapping) for row in fetch_all(_NEWEST, project=project_id, most=most, skip=skip)]


def of_person(project_id: UUID, person_id: UUID | None) -> Quote | None:
    """What this person says of the project to everybody; None without consent, pledge or text, or for a tag."""
    row = fetch_one(_OF_PERSON, project=project_id, person=person_id) if person_id else None
    return Quote(**row._mapping) if row else None


def hidden_of(project_id: UUID) -> list[Hidden]:
    """What was hidden, newest first, for those who may show it again."""
    return [Hidden(**row._mapping) for row in fetch_all(_HIDDEN, project=project_id)]


def found(project_id: UUID, recommendation_id: UUID) -> Recommendation:
    """A text of this project; of another project's nobody learns here that it exists."""
    one = db.session.get(Recommendation, recommendation_id)
    if one is None or one.project_id != project_id or not one.text:
        raise NotFound(_("There is no such recommendation. Its author may have withdrawn it."))
    return one


class Field:
    """One backer's own text on the pages where it is written; read only when the page shows it."""

    def __init__(self, person_id: UUID, project: Project):
        self.person_id, self.project = person_id, project

    @cached_property
    def mine(self) -> Recommendation | None:
        return db.session.scalar(sa.select(Recommendation).filter_by(
            project_id=self.project.id, person_id=self.person_id).where(Recommendation.text != ""))

    @property
    def text(self) -> str:
        return self.mine.text if self.mine else ""

    @property
    def is_shown(self) -> bool:
        return bool(self.mine and self.mine.is_shown)

    @property
    def hidden_reason(self) -> str:
        mine = self.mine
        return str(REASONS.get(mine.hidden_why or "", "")) if mine and mine.hidden_at else ""

    @property
    def slug(self) -> str:
        return self.project.slug


# Marks that turn the direction of what follows would reach beyond the quotation.
_TURNING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]")


def tidy(text: str) -> str:
    """One line of plain text, composed, without signs that nobody sees."""
    text = _TURNING.sub("", unicodedata.normalize("NFC", text))
    return " ".join("".join(" " if unicodedata.category(sign) in ("Cc", "Zl", "Zp", "Cs", "Co") else sign
                            for sign in text).split())


# A change within the hour counts; the count begins anew with the first change after it.
_SAVE = sa.text("""
    INSERT INTO recommendation AS r (project_id, person_id, pledge_id, text, is_shown)
    VALUES (:project, :person, :pledge, :text, :shown)
    ON CONFLICT (project_id, person_id) DO UPDATE
       SET pledge_id = excluded.pledge_id, text = excluded.text, is_shown = excluded.is_shown, changed_at = clock_now(),
           changes = CASE WHEN r.counted_from > clock_now() - interval '1 hour' THEN r.changes + 1 ELSE 1 END,
           counted_from = CASE WHEN r.counted_from > clock_now() - interval '1 hour' THEN r.counted_from
                               ELSE clock_now() END
     WHERE r.changes < :most OR r.counted_from <= clock_now() - interval '1 hour'
    RETURNING id""")


def save(person_id: UUID, project: Project, text: str, *, is_shown: bool) -> UUID:
    """Keep what a backer says; for those only whose pledge stands. What was hidden stays hidden when it is changed."""
    text = tidy(text)
    if len(text) < SHORTEST:
        raise BadInput(_("Write at least %(n)s characters: one sentence is enough.", n=SHORTEST), "text")
    if len(text) > LONGEST:
        raise BadInput(_("At most %(n)s characters. This is %(now)s.", n=LONGEST, now=len(text)), "text")
    with transaction() as session:
        pledge = standing_pledge(person_id, project.id)
        if pledge is None:
            raise Refusal(_("This is for backers whose pledge stands. Nothing was kept."))
        kept: UUID | None = session.scalar(_SAVE, {
            "project": project.id, "person": person_id, "pledge": pledge.id, "text": text, "shown": is_shown,
            "most": PER_HOUR})
        if kept is None:
            raise TooOften(_("You changed this %(n)s times in an hour. What you had stays; try again later.", n=PER_HOUR))
        touch(project.topic)
    return kept


_WITHDRAW = sa.text("""
    UPDATE recommendation SET text = '', is_shown = false, changed_at = clock_now()
     WHERE project_id = :project AND person_id = :person AND text <> '' RETURNING id""")


def withdraw(person_id: UUID, project: Project) -> bool:
    """Take one's words back: the text is gone at once, everywhere; False if there was none."""
    with transaction() as session:
        gone = session.scalar(_WITHDRAW, {"project": project.id, "person": person_id}) is not None
        if gone:
            touch(project.topic)
    return gone


def hide(recommendation_id: UUID, project: Project, by_id: UUID, why: str, note: str = "") -> bool:
    """Show a text to nobody; its author is told why by mail. False if it was hidden already."""
    if why not in REASONS:
        raise BadInput(_("Say why: the author is told."), "why")
    with transaction() as session:
        one = found(project.id, recommendation_id)
        session.refresh(one, with_for_update=True)
        if one.hidden_at is not None:
            return False
        one.hidden_at, one.hidden_by_id = session.scalar(sa.text("SELECT clock_now()")), by_id
        one.hidden_why, one.hidden_note = why, tidy(note)[:NOTE_LENGTH]
        session.flush()
        audit.note("sharing:hide_recommendation", "recommendation", one.id, by_id=by_id,
                   project_id=project.id, why=why)
        mail.post("sharing/recommendation_hidden", one.hidden_at.isoformat(), recommendation_id=one.id)
        touch(project.topic)
    return True


def show_again(recommendation_id: UUID, project: Project, by_id: UUID) -> bool:
    """Take the hiding back; the author's consent counts as before. False if it was not hidden."""
    with transaction() as session:
        one = found(project.id, recommendation_id)
        session.refresh(one, with_for_update=True)
        if one.hidden_at is None:
            return False
        one.hidden_at = one.hidden_by_id = one.hidden_why = None
        one.hidden_note = ""
        session.flush()
        audit.note("sharing:show_recommendation", "recommendation", one.id, by_id=by_id, project_id=project.id)
        touch(project.topic)
    return True


_TOUCH = sa.text("""
    SELECT 'project:' || j.slug FROM recommendation r JOIN project j ON j.id = r.project_id
     WHERE r.pledge_id = :pledge AND r.is_shown""")


def on_pledge_changed(pledge: Pledge) -> None:
    """Hooked to backing.pledge_changed: with a pledge that stands no more, its words leave the page."""
    if not pledge.stands:
        for (topic,) in db.session.execute(_TOUCH, {"pledge": pledge.id}).all():
            touch(topic)


# What was hidden stays hidden in whichever account it goes on; an empty row makes way for words.
_MERGE = (
    """UPDATE recommendation s SET hidden_at = g.hidden_at, hidden_by_id = g.hidden_by_id, hidden_why = g.hidden_why
         FROM recommendation g WHERE s.person_id = :stays AND g.person_id = :goes AND g.project_id = s.project_id
          AND s.hidden_at IS NULL AND g.hidden_at IS NOT NULL""",
    """DELETE FROM recommendation s USING recommendation g
        WHERE s.person_id = :stays AND g.person_id = :goes AND g.project_id = s.project_id
          AND s.text = '' AND s.hidden_at IS NULL""",
    """DELETE FROM recommendation g USING recommendation s
        WHERE g.person_id = :goes AND s.person_id = :stays AND g.project_id = s.project_id""",
    "UPDATE recommendation SET person_id = :stays WHERE person_id = :goes")


def settle_merged(stays: UUID, goes: UUID, session: Any) -> None:
    """Two accounts become one, in the caller's transaction: each project keeps one text, the account's that stays."""
    for statement in _MERGE:
        session.execute(sa.text(statement), {"stays": stays, "goes": goes})
