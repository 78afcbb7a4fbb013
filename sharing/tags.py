"""Links of the organisers with a name: the poster in the hall, the newsletter; a channel is the folder they lie in."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import ngettext

from core import audit, money
from core.db import db, fetch_all, transaction
from core.errors import BadInput, NotFound, Refusal
from core.sheets import defused
from projects.models import Project
from sharing.codes import make_code, read_code
from sharing.cookie import LONGEST_MARK, MARKS
from sharing.models import ShareLink, ShareTag
from sharing.words import claim_word, release_word

MOST = 20_000  # of one project, the archived ones too: they still work
AT_ONCE = 500
NAME, CHANNEL = 60, 40
SORTS = {"": "lower(t.channel), lower(t.name)", "visits": "coalesce(y.visits, 0) DESC, lower(t.name)",
         "recruits": "coalesce(y.recruits, 0) DESC, lower(t.name)",
         "money": "coalesce(y.pledged + y.collected, 0) DESC, lower(t.name)", "new": "t.created_at DESC, l.n DESC"}


class Full(Refusal):
    """The project has as many tags as it may have."""

    def __init__(self, room: int) -> None:
        super().__init__(
            ngettext("A project has at most %(most)s tags, and there is room for one more. Archived ones count too.",
                     "A project has at most %(most)s tags, and there is room for %(num)s more. Archived ones count too.",
                     room, most=f"{MOST:,}") if room else
            _("This project has %(most)s tags, which is the most. Rename one that is no longer used; its link stays.",
              most=f"{MOST:,}"))


@dataclass(frozen=True)
class Tag:
    """One row of the list; sums in minor units."""

    link_id: UUID
    code: str
    word: str | None
    name: str
    channel: str
    utm: dict[str, str]
    created_at: datetime
    archived_at: datetime | None
    visits: int
    recruits: int
    pledged: int
    collected: int
    dropped: int
    refunded: int

    @property
    def said(self) -> str:
        """What stands in its address: the word, else the code."""
        return self.word or self.code


@dataclass(frozen=True)
class Channel:
    """A folder and what its tags brought together."""

    name: str
    tags: int
    visits: int
    recruits: int
    pledged: int
    collected: int


@dataclass(frozen=True)
class Wanted:
    """Which tags are asked for; `channel` None means all folders."""

    q: str = ""
    channel: str | None = None
    sort: str = ""
    is_archived: bool = False
    page: int = 1


_COLUMNS = """
    t.link_id, l.code, w.word, t.name, t.channel, t.utm, t.created_at, t.archived_at,
    coalesce(y.visits, 0) AS visits, coalesce(y.recruits, 0) AS recruits, coalesce(y.pledged, 0) AS pledged,
    coalesce(y.collected, 0) AS collected, coalesce(y.dropped, 0) AS dropped, coalesce(y.refunded, 0) AS refunded"""
_FROM = """
      FROM share_tag t JOIN share_link l ON l.id = t.link_id
      LEFT JOIN share_word w ON w.link_id = t.link_id LEFT JOIN link_tally y ON y.link_id = t.link_id
     WHERE t.project_id = :project"""


def _narrowed(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    text = " AND (t.archived_at IS NOT NULL) = :archived"
    values: dict[str, Any] = {"archived": wanted.is_archived}
    if wanted.channel is not None:
        text += " AND lower(t.channel) = lower(:channel)"
        values["channel"] = wanted.channel
    if wanted.q:
        text += " AND (t.name ILIKE :q OR t.channel ILIKE :q OR w.word ILIKE :q OR l.code = :code)"
        values["q"] = "%" + wanted.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        values["code"] = read_code(wanted.q) or ""
    return text, values


def tags_of(project_id: UUID, wanted: Wanted, per_page: int) -> tuple[list[Tag], int]:
    """A page of tags, and how many there are in all."""
    narrowed, values = _narrowed(wanted)
    values["project"] = project_id
    of_all = fetch_all(sa.text(f"SELECT count(*) AS n {_FROM} {narrowed}"), **values)[0].n
    rows = fetch_all(sa.text(f"SELECT {_COLUMNS} {_FROM} {narrowed} ORDER BY {SORTS[wanted.sort]} "
                             "LIMIT :most OFFSET :skip"),
                     **values, most=per_page, skip=(wanted.page - 1) * per_page)
    return [Tag(**row._mapping) for row in rows], of_all


_CHANNELS = sa.text("""
    SELECT min(t.channel) AS name, count(*) AS tags, coalesce(sum(y.visits), 0)::bigint AS visits,
           coalesce(sum(y.recruits), 0)::bigint AS recruits, coalesce(sum(y.pledged), 0)::bigint AS pledged,
           coalesce(sum(y.collected), 0)::bigint AS collected
      FROM share_tag t LEFT JOIN link_tally y ON y.link_id = t.link_id
     WHERE t.project_id = :project AND (t.archived_at IS NOT NULL) = :archived
     GROUP BY lower(t.channel) ORDER BY lower(t.channel)""")
_COUNT = sa.text("SELECT count(*) AS n, count(archived_at) AS archived FROM share_tag WHERE project_id = :project")


def channels_of(project_id: UUID, is_archived: bool = False) -> list[Channel]:
    """The folders by name with their sums; tags without a channel lie in the one without a name."""
    return [Channel(**row._mapping) for row in fetch_all(_CHANNELS, project=project_id, archived=is_archived)]


def count_tags(project_id: UUID) -> tuple[int, int]:
    """(all tags, those archived)."""
    row = fetch_all(_COUNT, project=project_id)[0]
    return row.n, row.archived


def tag_of(project_id: UUID, code: str) -> Tag:
    """The tag with this code; NotFound for another project's, and for a person's link."""
    rows = fetch_all(sa.text(f"SELECT {_COLUMNS} {_FROM} AND l.code = :code"),
                     project=project_id, code=read_code(code) or "")
    if not rows:
        raise NotFound(_("There is no tag with this code."))
    return Tag(**rows[0]._mapping)


# Changing ----------------------------------------------------------------------------------------------

def tidy(text: str) -> str:
    """One line without what cannot be seen: controls, turned writing directions, doubled spaces."""
    seen = "".join(" " if unicodedata.category(sign) in ("Cc", "Cs", "Co", "Cn") else sign for sign in text
                   if not ("\u202a" <= sign <= "\u202e" or "\u2066" <= sign <= "\u2069"))
    return " ".join(seen.split())


def _named(name: str, channel: str) -> tuple[str, str]:
    name, channel = tidy(name), tidy(channel)
    if not name:
        raise BadInput(_("Give the tag a name, like “Poster in the hall”."), "name")
    if len(name) > NAME:
        raise BadInput(_("A name has at most %(n)s characters.", n=NAME), "name")
    if len(channel) > CHANNEL:
        raise BadInput(_("A channel has at most %(n)s characters.", n=CHANNEL), "channel")
    return name, channel


def _fields(utm: dict[str, str] | None) -> dict[str, str]:
    kept = {key: tidy(text) for key, text in (utm or {}).items() if key in MARKS and tidy(text)}
    for key, text in kept.items():
        if len(text) > LONGEST_MARK:
            raise BadInput(_("At most %(n)s characters.", n=LONGEST_MARK), key)
    return kept


def _one_at_a_time(project_id: UUID) -> None:
    """Whoever adds or renames here waits for the one before, so that what was looked up stays true."""
    db.session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('share_tag:' || :project, 0))"),
                       {"project": str(project_id)})


_ADD = sa.text("""
    WITH made AS (
        INSERT INTO share_link (code, project_id) SELECT code, :project FROM unnest(CAST(:codes AS text[])) code
        RETURNING id, code)
    INSERT INTO share_tag (link_id, project_id, name, channel, utm, made_by_id)
    SELECT made.id, :project, n.name, n.channel, CAST(:utm AS jsonb), :by
      FROM unnest(CAST(:codes AS text[]), CAST(:names AS text[]), CAST(:channels AS text[])) n (code, name, channel)
      JOIN made USING (code)
    RETURNING link_id""").bindparams(sa.bindparam("utm", type_=sa.dialects.postgresql.JSONB))
# Line numbers of names that stand twice, here or in what is there already.
_TWICE = sa.text("""
    SELECT n.line FROM (
        SELECT line, name, channel, row_number() OVER (PARTITION BY lower(channel), lower(name) ORDER BY line) AS nth
          FROM unnest(CAST(:names AS text[]), CAST(:channels AS text[])) WITH ORDINALITY AS n (name, channel, line)) n
     WHERE n.nth > 1 OR EXISTS (SELECT FROM share_tag t WHERE t.project_id = :project AND t.link_id <> :but
                                   AND lower(t.channel) = lower(n.channel) AND lower(t.name) = lower(n.name))
     ORDER BY n.line""")
_NOBODY = UUID(int=0)


def _twice(project_id: UUID, pairs: list[tuple[str, str]], but: UUID = _NOBODY) -> list[int]:
    return list(db.session.scalars(_TWICE, {"project": project_id, "but": but, "names": [name for name, _c in pairs],
                                            "channels": [channel for _n, channel in pairs]}))


def _add(project: Project, pairs: list[tuple[str, str]], utm: dict[str, str], by_id: UUID | None) -> list[UUID]:
    room = MOST - count_tags(project.id)[0]
    if len(pairs) > room:
        raise Full(max(0, room))
    made = list(db.session.scalars(_ADD, {
        "project": project.id, "codes": [make_code() for _pair in pairs], "utm": utm, "by": by_id,
        "names": [name for name, _c in pairs], "channels": [channel for _n, channel in pairs]}))
    return made


def _stands(name: str) -> BadInput:
    return BadInput(_("“%(name)s” is in this channel already. Choose another name.", name=name), "name")


def add_tag(project: Project, name: str, channel: str = "", *, by_id: UUID | None = None, word: str = "",
            utm: dict[str, str] | None = None) -> Tag:
    """One more link with a name; refused when the name stands in that channel, the word is taken, or there are 20,000."""
    pair = _named(name, channel)
    kept = _fields(utm)
    with transaction() as session:
        _one_at_a_time(project.id)
        if _twice(project.id, [pair]):
            raise _stands(pair[0])
        link = session.get_one(ShareLink, _add(project, [pair], kept, by_id)[0])
        if word.strip():
            claim_word(link, word, by_id)
        audit.note("sharing:add_tag", "share_tag", link.id, by_id=by_id, project_id=project.id)
        code = link.code
    return tag_of(project.id, code)


def add_tags(project: Project, text: str, by_id: UUID | None) -> int:
    """Many at once from lines `name;channel`, all or none; returns how many."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise BadInput(_("Write one tag on each line, like “Poster in the hall;Posters”."), "lines")
    if len(lines) > AT_ONCE:
        raise BadInput(_("At most %(most)s at a time; these are %(n)s lines.", most=AT_ONCE, n=len(lines)), "lines")
    pairs = []
    for number, line in lines:
        name, channel, *more = *(part.strip() for part in line.replace("\t", ";").rstrip("; ").split(";")), ""
        if any(more):
            raise BadInput(_("Line %(n)s has %(parts)s parts. Write the name, a semicolon and the channel; UTM fields "
                             "are written on the page of the tag.", n=number, parts=len(more) + 1), "lines")
        try:
            pairs.append(_named(name, channel))
        except BadInput as wrong:
            raise BadInput(_("Line %(n)s: %(what)s", n=number, what=wrong.sentence), "lines") from None
    with transaction():
        _one_at_a_time(project.id)
        if twice := _twice(project.id, pairs):
            names = [_("line %(n)s, “%(name)s”", n=lines[at - 1][0], name=pairs[at - 1][0]) for at in twice[:5]]
            raise BadInput(ngettext("One tag is there already: %(names)s.", "%(num)s tags are there already: %(names)s.",
                                    len(twice), names="; ".join(names) + ("; …" if len(twice) > 5 else "")), "lines")
        _add(project, pairs, {}, by_id)
        audit.note("sharing:add_tags", "project", project.id, by_id=by_id, project_id=project.id, count=len(pairs))
    return len(pairs)


def edit_tag(project: Project, tag: Tag, *, name: str, channel: str, word: str, utm: dict[str, str],
             by_id: UUID | None) -> None:
    """Rename it, move it to another channel, give or take its word, change its UTM fields; its code stays as it is."""
    pair = _named(name, channel)
    kept = _fields(utm)
    with transaction() as session:
        _one_at_a_time(project.id)
        if _twice(project.id, [pair], tag.link_id):
            raise _stands(pair[0])
        link = session.get_one(ShareLink, tag.link_id)
        if word.strip():
            if word.strip().lower() != tag.word:
                claim_word(link, word, by_id)
        elif tag.word:
            release_word(link, by_id)
        row = session.get_one(ShareTag, tag.link_id, with_for_update=True, populate_existing=True)
        changed = [key for key, new in (("name", pair[0]), ("channel", pair[1]), ("utm", kept)) if getattr(row, key) != new]
        row.name, row.channel, row.utm = pair[0], pair[1], kept
        if changed:
            audit.note("sharing:edit_tag", "share_tag", tag.link_id, by_id=by_id, project_id=project.id, changed=changed)


def archive_tag(project: Project, tag: Tag, by_id: UUID | None, *, back: bool = False) -> None:
    """Out of the list, or back into it. What is printed still works and still counts."""
    with transaction() as session:
        changed = session.scalar(sa.text(
            "UPDATE share_tag SET archived_at = CASE WHEN :back THEN NULL ELSE clock_now() END "
            "WHERE link_id = :link AND (archived_at IS NULL) <> :back RETURNING link_id"),
            {"back": back, "link": tag.link_id})
        if changed:
            audit.note("sharing:restore_tag" if back else "sharing:archive_tag", "share_tag", tag.link_id, by_id=by_id,
                       project_id=project.id)


# To take along ------------------------------------------------------------------------------------------

HEADS = ("Name", "Channel", "Link", "Word", "Code", "Visits", "Pledges", "Pledged", "Collected", "Dropped", "Refunded",
         "Currency", *MARKS, "Made at (UTC)", "Archived at (UTC)")
_ALL = sa.text(f"SELECT {_COLUMNS} {_FROM} ORDER BY {SORTS['']}")


def sheet(project: Project, base: str) -> Iterator[str]:
    """All tags of a project as CSV, the archived ones too, in pieces; `base` is the address of short links."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADS)
    for number, row in enumerate(fetch_all(_ALL, project=project.id), 1):
        tag = Tag(**row._mapping)
        writer.writerow([
            defused(tag.name), defused(tag.channel), f"{base}/{tag.said}", tag.word or "", tag.code, tag.visits,
            tag.recruits, *(money.to_decimal(amount, project.currency) for amount in (
                tag.pledged, tag.collected, tag.dropped, tag.refunded)),
            project.currency, *(defused(tag.utm.get(key, "")) for key in MARKS), _moment(tag.created_at),
            _moment(tag.archived_at)])
        if number % 500 == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def _moment(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""
