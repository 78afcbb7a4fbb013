"""Mail leaves through an outbox: written with what it tells about, sent after the commit, once (O-18).

A mail is a name and the ids it is about; the words are made when it is sent, so no personal text lies in the table and
writing one costs one small INSERT. Rooms register an *author* per name in `emails.py`; each name has three files,
`templates/mail/<name>/{subject.txt,body.txt,body.html}`.
"""

import enum
import json
import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import formataddr, parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import css_inline
import sqlalchemy as sa
import structlog
from flask import current_app, render_template
from flask_babel import force_locale
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column

from core.clock import now
from core.crash import crashpoint
from core.db import Base, Born, Id, Mapped, db, transaction
from core.jobs import every

log = structlog.get_logger()


class MailState(enum.StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"  # given up after many tries
    DROPPED = "dropped"  # nothing to say any more: the author returned None


class Mail(Base):
    """One message of the outbox."""

    __tablename__ = "mail"
    __table_args__ = (sa.Index("ix_mail_due", "due_at", postgresql_where=sa.text("state IN ('queued', 'sending')")),)

    id: Mapped[Id]
    name: Mapped[str]
    about: Mapped[dict[str, Any]] = mapped_column(JSONB)
    dedupe: Mapped[str] = mapped_column(unique=True)
    state: Mapped[MailState] = mapped_column(server_default="queued")
    attempts: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    due_at: Mapped[Born]
    created_at: Mapped[Born]
    sent_at: Mapped[datetime | None]
    # Kept for the mailbox page of development only; NULL when mail really leaves.
    recipient: Mapped[str | None]
    subject: Mapped[str | None]
    text: Mapped[str | None]
    html: Mapped[str | None]


@dataclass(frozen=True)
class Letter:
    """What an author returns: to whom, in which language, and what the templates need."""

    to: str
    name: str
    locale: str
    context: dict[str, Any] = field(default_factory=dict)


Author = Callable[..., Letter | None]
AUTHORS: dict[str, Author] = {}
_INSERT = sa.text("""
    INSERT INTO mail (name, about, dedupe) VALUES (:name, CAST(:about AS jsonb), :dedupe)
    ON CONFLICT (dedupe) DO NOTHING""")


def author(name: str) -> Callable[[Author], Author]:
    """Register who writes the mail of this name: `author(**about) -> Letter`, or None when it is no longer true."""

    def register(write: Author) -> Author:
        AUTHORS[name] = write
        return write

    return register


def post(name: str, dedupe: str = "", **about: Any) -> None:
    """Put a mail in the outbox, inside the caller's transaction; the same name and ids go out once.

    `dedupe` tells two mails of one name about the same ids apart (the third reminder from the second).
    """
    if name not in AUTHORS:
        raise LookupError(f"no author for mail {name}")
    plain = {key: str(value) for key, value in about.items()}
    key = ":".join([name, *(plain[k] for k in sorted(plain)), *([dedupe] if dedupe else [])])
    db.session.execute(_INSERT, {"name": name, "about": json.dumps(plain), "dedupe": key})


_LEASE = sa.text("""
    UPDATE mail SET state = 'sending', attempts = attempts + 1, due_at = clock_timestamp() + interval '2 minutes'
     WHERE id IN (SELECT id FROM mail WHERE state IN ('queued', 'sending') AND due_at <= clock_now()
                   ORDER BY due_at LIMIT 20 FOR UPDATE SKIP LOCKED)
    RETURNING id, name, about, attempts""")


@every(1, "core:send_mail")
def send_due() -> int:
    """Send what is due, twenty at a time; a crash between SMTP's yes and our note may repeat one, with the same
    Message-ID. Returns how many left."""
    count = 0
    while True:
        with transaction() as session:
            leased = session.execute(_LEASE).all()
        if not leased:
            return count
        crashpoint("before-mail")
        for row in leased:
            count += _send_one(row)


def _send_one(row: Any) -> int:
    try:
        letter = AUTHORS[row.name](**row.about)
        if letter is None:
            _note(row.id, state="dropped")
            return 0
        subject, text, html = compose(row.name, letter)
        db.session.rollback()
        if current_app.config["SMTP_URL"]:
            deliver(_message(row.id, letter, subject, text, html))
            _note(row.id, state="sent", sent_at=now())
        else:
            _note(row.id, state="sent", sent_at=now(), recipient=letter.to, subject=subject, text=text, html=html)
        return 1
    except Exception:
        db.session.rollback()
        log.exception("mail not sent", mail=str(row.id), name=row.name, attempts=row.attempts)
        pause = min(2 ** row.attempts * 5, 3600)
        with transaction() as session:
            session.execute(sa.text(
                "UPDATE mail SET state = :state, due_at = clock_now() + make_interval(secs => :pause) WHERE id = :id"),
                {"state": "failed" if row.attempts >= 12 else "queued", "pause": pause, "id": row.id})
        return 0


def _note(mail_id: UUID, **values: Any) -> None:
    with transaction() as session:
        session.execute(sa.update(Mail).where(Mail.id == mail_id).values(**values))


def compose(name: str, letter: Letter) -> tuple[str, str, str]:
    """Subject, text and HTML with its styles inlined, in the reader's language."""
    base = {"base_url": current_app.config["BASE_URL"], "operator": current_app.config["OPERATOR_NAME"],
            "operator_address": current_app.config["OPERATOR_ADDRESS"], "to_name": letter.name}
    context = base | letter.context
    with force_locale(letter.locale):
        subject = " ".join(render_template(f"mail/{name}/subject.txt", **context).split())
        text = re.sub(r"\n{3,}", "\n\n", render_template(f"mail/{name}/body.txt", **context)).strip() + "\n"
        html = render_template(f"mail/{name}/body.html", **context, subject=subject)
    return subject, text, css_inline.inline(html, keep_style_tags=True, load_remote_stylesheets=False)


def _message(mail_id: UUID, letter: Letter, subject: str, text: str, html: str) -> EmailMessage:
    message = EmailMessage()
    name, address = parseaddr(current_app.config["MAIL_FROM"])
    message["From"] = formataddr((name, address))
    message["To"] = formataddr((letter.name, letter.to))
    message["Subject"] = subject
    message["Date"] = datetime.now().astimezone()
    message["Message-ID"] = f"<{mail_id}@{address.split('@')[-1]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def deliver(message: EmailMessage) -> None:
    """Hand one message to the SMTP server of SMTP_URL (`smtp://`, `smtps://`; `?starttls=1`)."""
    url = urlsplit(current_app.config["SMTP_URL"])
    secure = ssl.create_default_context()
    host = url.hostname or "localhost"
    server: smtplib.SMTP
    if url.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, url.port or 465, timeout=20, context=secure)
    else:
        server = smtplib.SMTP(host, url.port or 25, timeout=20)
    with server:
        if "starttls" in url.query:
            server.starttls(context=secure)
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)
