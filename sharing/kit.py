"""The kit of ambassadors. Whatever text we prepare ends with the disclosure line and the ambassador's own link."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import IO
from urllib.parse import quote, urlencode
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from core import audit, clock, media
from core.db import db, transaction
from core.errors import BadInput, NotFound, Refusal
from people.models import Person
from sharing import rounds
from sharing.applications import is_link
from sharing.lengths import Way, sorted_out
from sharing.models_rounds import (
    AmbassadorRound,
    Application,
    ApplicationState,
    KitItem,
    KitKind,
    RoundState,
)

K, R = KitKind, RoundState
TEXTS = (K.TEXT, K.EARLY)


@dataclass(frozen=True)
class Piece:
    """A kit item as it was typed."""

    kind: KitKind
    title: str
    text: str = ""
    url: str = ""
    early_until: datetime | None = None
    picture: IO[bytes] | None = None


@dataclass(frozen=True)
class Ready:
    """A kit item as an ambassador sees it; `words` is the whole text to pass on, disclosure and link included."""

    item: KitItem
    is_early: bool
    words: str
    links: list[Way]
    left_out: list[str] = field(default_factory=list)  # where one post does not hold all the words


def told_text(text: str, disclosure: str, link_url: str) -> str:
    """The one way in which a text leaves our hands: words, disclosure, link, in this order; a text that holds the
    disclosure already holds it twice rather than not at all."""
    return "\n\n".join(part for part in (text.strip(), disclosure.strip(), link_url) if part)


def word_links(words: str, subject: str) -> list[Way]:
    """Plain links that carry all the words: label, address, sign. Facebook and LinkedIn take an address alone, without
    the disclosure, so they are not here."""
    return [
        ("WhatsApp", f"https://wa.me/?{urlencode({'text': words}, quote_via=quote)}", "whatsapp"),
        (_("E-mail"), f"mailto:?{urlencode({'subject': subject, 'body': words}, quote_via=quote)}", "envelope"),
        ("Mastodon", f"https://share.joinmastodon.org/#text={quote(words, safe='')}", "mastodon"),
        ("Bluesky", f"https://bsky.app/intent/compose?{urlencode({'text': words}, quote_via=quote)}", "bluesky"),
        ("X", f"https://x.com/intent/post?{urlencode({'text': words}, quote_via=quote)}", "twitter-x"),
    ]


def items_of(found: AmbassadorRound) -> list[KitItem]:
    """Newest first."""
    return list(db.session.scalars(sa.select(KitItem).filter_by(round_id=found.id)
                                   .options(sa.orm.joinedload(KitItem.picture)).order_by(KitItem.id.desc())))


def ready(found: AmbassadorRound, link_url: str) -> list[Ready]:
    """The kit for one ambassador; what is early can be read and not passed on."""
    made = []
    for item in items_of(found):
        is_early = item.early_until is not None and item.early_until > clock.now()
        words = told_text(item.text, found.disclosure, link_url) if item.kind in TEXTS and not is_early else ""
        ways = word_links(words, found.project.title) if words else []
        made.append(Ready(item, is_early, words, *sorted_out(ways, words, link_url)))
    return made


def add_item(round_id: UUID, piece: Piece, by: Person) -> KitItem:
    """Lay something into the kit; pictures are re-encoded, and nothing else is taken as a file (W-17)."""
    with transaction() as session:
        found = rounds.locked_round(round_id)
        if found.state in (R.ENDED, R.CANCELLED):
            raise Refusal(_("This round is over. The kit stays as it was."))
        _check(piece)
        item = KitItem(round_id=round_id, project_id=found.project_id, kind=piece.kind, title=piece.title.strip(),
                       text=piece.text.strip(), url=piece.url.strip() if piece.kind is K.LINK else "",
                       early_until=piece.early_until if piece.kind is K.EARLY else None, made_by_id=by.id)
        if piece.kind is K.PICTURE:
            try:
                item.picture_id = media.store(piece.picture, by.id).id  # type: ignore[arg-type]  # checked above
            except BadInput as refusal:
                raise BadInput(refusal.sentence, "picture") from None
        session.add(item)
        session.flush()
        audit.note("sharing:add_kit_item", "kit_item", item.id, by_id=by.id, project_id=found.project_id,
                   kind=piece.kind.value)
    return item


def _check(piece: Piece) -> None:
    if piece.kind in TEXTS and not piece.text.strip():
        raise BadInput(_("Write the text."), "text")
    if len(piece.text) > 2_000:
        raise BadInput(_("At most %(most)s characters.", most=2_000), "text")
    if piece.kind is K.EARLY and (piece.early_until is None or piece.early_until <= clock.now()):
        raise BadInput(_("Choose the day until which this stays among ambassadors."), "early_until")
    if piece.kind is K.LINK and not is_link(piece.url.strip()):
        raise BadInput(_("Write the whole address, beginning with https://."), "url")
    if piece.kind is K.PICTURE and piece.picture is None:
        raise BadInput(_("Choose a picture."), "picture")


def remove_item(round_id: UUID, item_id: UUID, by: Person) -> None:
    with transaction() as session:
        found = rounds.locked_round(round_id)
        item = session.get(KitItem, item_id)
        if item is None or item.round_id != round_id:
            raise NotFound(_("There is no such thing in the kit."))
        session.delete(item)
        audit.note("sharing:remove_kit_item", "kit_item", item_id, by_id=by.id, project_id=found.project_id)


def disclosure_of(person_id: UUID, project_id: UUID) -> str:
    """The line that this person's prepared texts must carry: of the running round whose ambassador they are, else none."""
    return db.session.scalar(
        sa.select(AmbassadorRound.disclosure).join(Application, Application.round_id == AmbassadorRound.id).where(
            AmbassadorRound.project_id == project_id, AmbassadorRound.state == R.RUNNING,
            Application.person_id == person_id, Application.state == ApplicationState.ACCEPTED)) or ""
