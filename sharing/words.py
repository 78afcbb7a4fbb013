"""Words instead of codes: /s/night-train. One word a link; whoever gives one back leaves it free for nobody else."""

import hashlib
import re
from collections.abc import Iterable
from uuid import UUID

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext as _

from core import audit
from core.db import db, transaction
from core.errors import BadInput, TooOften
from core.rate import allows
from people.services import RESERVED as HANDLES
from sharing.codes import read_code, read_word
from sharing.models import ShareLink, ShareWord

PER_HOUR = 20  # tries by one person, so that nobody reads the list of all words by asking (W-23)
MOST = 5  # words of one link in its life: each is kept from everybody else for ever
# What stands below a short link, and what would speak for the site.
RESERVED = HANDLES | frozenset((
    "none", "svg", "png", "pdf", "card", "poster", "qr", "link", "share", "sharing", "word", "words", "tag", "tags",
    "null", "undefined", "test", "home", "index", "signin", "sign-in", "signup", "sign-up", "password", "pay",
    "payment", "payments", "checkout", "card-number", "stripe", "bank", "refund", "abuse", "legal", "terms", "www",
    "mail", "mailbox", "postmaster", "webmaster", "robots", "favicon", "well-known"))
SPEAKS = frozenset(("achterban", "admin", "administrator", "login", "moderator", "password", "staff", "stripe", "support"))


def refused_word(text: str) -> str | None:
    """Why this cannot be anybody's word, as a sentence; None if it can."""
    word = text.strip().lower()
    if not word:
        return _("Write a word.")
    if not word.isascii():
        return _("Use the letters a to z, digits and hyphens: other letters look alike, and not every phone can type them.")
    if read_word(word) is None:
        if not 3 <= len(word) <= 30:
            return _("Write 3 to 30 letters and digits.")
        return _("Use the letters a to z, digits, and single hyphens between them, like night-train.")
    if read_code(word) is not None:
        return _("This reads like one of our codes. Write one letter more or less.")
    if is_reserved(word):
        return _("“%(word)s” would speak for the site. Choose another word.", word=word)
    return None


def is_reserved(word: str) -> bool:
    """Parts of our own addresses, and what a reader would take for the people who run the site."""
    site = {rule.rule.split("/")[1] for rule in current_app.url_map.iter_rules()}
    operator = re.sub(r"[^a-z0-9]", "", (current_app.config["OPERATOR_NAME"] or "").lower())
    plain = word.replace("-", "")
    return bool({word, plain} & (RESERVED | site) or {plain, *word.split("-")} & SPEAKS or (operator and plain == operator))


_CLAIM = sa.text("""
    INSERT INTO share_word (word, link_id, project_id) VALUES (:word, :link, :project)
    ON CONFLICT DO NOTHING RETURNING word""")


def claim_word(link: ShareLink, text: str, by_id: UUID | None) -> str:
    """Give this link a word, in place of the one it had; BadInput with the sentence that belongs beside the field.

    `by_id` is None at the command line, where nobody is counted.
    """
    if by_id is not None and not allows(f"word:{by_id}", PER_HOUR, 3600):
        raise TooOften(_("You tried %(n)s words within an hour. Wait a little before the next.", n=PER_HOUR), "word")
    if sentence := refused_word(text):
        raise BadInput(sentence, "word")
    word = text.strip().lower()
    with transaction() as session:
        session.execute(sa.select(ShareLink.id).filter_by(id=link.id).with_for_update())
        old = word_of(link.id)
        if old == word:
            return word
        if old:
            _release(link, old, by_id)
        taken = session.scalar(_CLAIM, {"word": word, "link": link.id, "project": link.project_id}) is None
        # Asked after the insert: a release that it waited for is seen now.
        before = _links_before(word)
        if taken or before - {str(link.id)}:
            raise BadInput(_("“%(word)s” is taken. Choose another word.", word=word), "word")
        if not before and _words_before(link) >= MOST:
            raise BadInput(_("This link had %(n)s words already, which is the most. Keep the one it has, or write an "
                             "earlier one again.", n=MOST), "word")
        audit.note("sharing:claim_word", "share_link", link.id, by_id=by_id, project_id=link.project_id)
    return word


def release_word(link: ShareLink, by_id: UUID | None) -> bool:
    """Give the link's word back; False if it had none. It leads nowhere from now on, and only this link may take it again."""
    with transaction() as session:
        session.execute(sa.select(ShareLink.id).filter_by(id=link.id).with_for_update())
        word = word_of(link.id)
        if word:
            _release(link, word, by_id)
    return word is not None


def _release(link: ShareLink, word: str, by_id: UUID | None) -> None:
    db.session.execute(sa.delete(ShareWord).where(ShareWord.word == word))
    audit.note("sharing:release_word", "share_word", _trace(word), by_id=by_id, project_id=link.project_id,
               link=str(link.id))
    db.session.flush()


def _trace(word: str) -> str:
    # A word may be somebody's name, and an audit entry stays for ever.
    return hashlib.sha256(word.encode()).hexdigest()[:32]


def _links_before(word: str) -> set[str]:
    """Whose it was: printed posters with the old word must never lead to somebody else's project."""
    return {str(entry.facts.get("link")) for entry in audit.entries("share_word", _trace(word))}


def _words_before(link: ShareLink) -> int:
    """How many words this link gave back."""
    entry = audit.AuditEntry
    return db.session.scalar(sa.select(sa.func.count(entry.object_id.distinct())).where(
        entry.object_kind == "share_word", entry.project_id == link.project_id,
        entry.facts["link"].astext == str(link.id))) or 0


def word_of(link_id: UUID) -> str | None:
    return db.session.scalar(sa.select(ShareWord.word).filter_by(link_id=link_id))


def words_of(link_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The words of these links, in one statement."""
    rows = db.session.execute(sa.select(ShareWord.link_id, ShareWord.word).where(ShareWord.link_id.in_(list(link_ids))))
    return {row.link_id: row.word for row in rows}
