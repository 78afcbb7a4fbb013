"""The memory of by whose links somebody came, kept in the visitor's own signed cookie (W-26).

Per project the first and the last link with their moments, when the visitor said “I came by myself”, and the five marks
of an address (`utm_source` …). What no longer fits goes, the oldest project first. A browser that says Do Not Track or
Global Privacy Control gets no cookie, and one that it has is not read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer
from itsdangerous.encoding import base64_encode

from core.clock import now

LARGEST = 3_800  # bytes; browsers keep 4,096 with name and attributes
MARKS = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
LONGEST_MARK = 60


class Headings(Protocol):
    """A request's headers, by whatever case."""

    def get(self, key: str, /) -> str | None: ...


@dataclass(frozen=True)
class Touch:
    """Somebody came by the link with this code."""

    code: str
    at: datetime


@dataclass(frozen=True)
class Via:
    """What this browser remembers of one project."""

    last: Touch | None = None
    first: Touch | None = None
    left_at: datetime | None = None  # said “I came by myself”
    utm: dict[str, str] = field(default_factory=dict)
    utm_at: datetime | None = None

    @property
    def at(self) -> datetime:
        moments = [self.last and self.last.at, self.left_at, self.utm_at]
        return max((at for at in moments if at), default=datetime.min.replace(tzinfo=UTC))

    def came(self, code: str, at: datetime, utm: Mapping[str, str] | None = None) -> "Via":
        """Once more by a link: the first one stays the first. Marks stay until others come."""
        touch = Touch(code, at)
        return self.marked(utm or {}, at, last=touch, first=self.first or touch)

    def marked(self, utm: Mapping[str, str], at: datetime, **touches: Any) -> "Via":
        if utm:
            touches |= {"utm": dict(utm), "utm_at": at}
        return replace(self, **touches)

    def left(self, at: datetime) -> "Via":
        """“I came by myself”: whatever was before is gone."""
        return Via(left_at=at)

    def since(self, oldest: datetime) -> "Via":
        """Without what is older, each part by its own moment."""
        first = self.first if self.first and self.first.at > oldest else None
        last = self.last if self.last and self.last.at > oldest else None
        known = bool(self.utm_at and self.utm_at > oldest)
        return Via(last, first or last, self.left_at if self.left_at and self.left_at > oldest else None,
                   self.utm if known else {}, self.utm_at if known else None)


def is_declined(headers: Headings) -> bool:
    """Does this browser ask not to be followed? Then nothing is kept of it, and the code in the address is all."""
    return headers.get("Sec-GPC") == "1" or headers.get("DNT") == "1"


def marks_of(given: Mapping[str, str]) -> dict[str, str]:
    """The five marks of an address or a tag, shortened; what cannot be printed is left out."""
    found = {}
    for name in MARKS:
        if value := given.get(name):
            text = "".join(sign for sign in str(value)[:400] if sign.isprintable()).strip()[:LONGEST_MARK]
            if text:
                found[name] = text
    return found


def read(text: str | None) -> dict[UUID, Via]:
    """What the cookie remembers, without what is too old; nothing if anybody else wrote it."""
    if not text or len(text) > 4_096:
        return {}
    oldest = now() - lifetime()
    try:
        memory = {UUID(project): _from_list(parts).since(oldest) for project, parts in _signer().loads(text).items()}
    except (BadData, ValueError, TypeError, AttributeError, OverflowError, OSError):
        return {}
    return {project: via for project, via in memory.items() if via.at > oldest}


def write(memory: Mapping[UUID, Via]) -> str:
    """The newest touches, signed: as many as fit."""
    newest = sorted(memory.items(), key=lambda pair: pair[1].at)[-20:]
    while True:
        text: str | bytes = _signer().dumps({project.hex: _to_list(via) for project, via in newest})
        if len(text) < LARGEST or len(newest) <= 1:
            return text if isinstance(text, str) else text.decode()
        newest = newest[max(1, len(newest) // 8):]


def _to_list(via: Via) -> list[Any]:
    parts: list[Any] = [*_touch(via.last), *(_touch(via.first) if via.first != via.last else ("", 0)),
                        _seconds(via.left_at), _seconds(via.utm_at), via.utm]
    while parts and not parts[-1]:
        parts.pop()
    return parts


def _from_list(parts: Any) -> Via:
    nothing: list[Any] = ["", 0, "", 0, 0, 0, {}]
    code, at, first_code, first_at, left_at, utm_at, utm = list(parts) + nothing[len(parts):]
    last = Touch(str(code), _moment(at)) if code else None
    first = Touch(str(first_code), _moment(first_at)) if first_code else last
    if at and not code:  # as it was written before: no code said “by myself”
        left_at = at
    return Via(last, first, _moment(left_at) if left_at else None, marks_of(utm), _moment(utm_at) if utm_at else None)


def _touch(touch: Touch | None) -> tuple[str, int]:
    return (touch.code, int(touch.at.timestamp())) if touch else ("", 0)


def _seconds(at: datetime | None) -> int:
    return int(at.timestamp()) if at else 0


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def lifetime() -> timedelta:
    return timedelta(days=current_app.config["SHARE_DAYS"])


def header(memory: Mapping[UUID, Via]) -> dict[str, Any]:
    """What `set_cookie` needs."""
    config = current_app.config
    return {"key": config["SHARE_COOKIE_NAME"], "value": write(memory), "path": "/", "httponly": True, "samesite": "Lax",
            "max_age": int(lifetime().total_seconds()), "secure": config["SESSION_COOKIE_SECURE"]}


def line(memory: Mapping[UUID, Via]) -> str:
    """The same as a header's text; what is signed needs no quoting."""
    said = header(memory)
    return (f"{said['key']}={said['value']};{' Secure;' if said['secure'] else ''} HttpOnly; Max-Age={said['max_age']}; "
            f"Path=/; SameSite=Lax")


class _Plain(URLSafeSerializer):
    """Short memories are not worth compressing, which takes longer than all the rest."""

    def dump_payload(self, obj: Any) -> bytes:
        text = json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode()
        return base64_encode(text) if len(text) < 1_500 else super().dump_payload(obj)


def _signer() -> URLSafeSerializer:
    made: URLSafeSerializer | None = current_app.extensions.get("sharing.signer")
    if made is None:
        keys = [*reversed(current_app.config["SECRET_KEY_FALLBACKS"]), current_app.config["SECRET_KEY"]]
        made = current_app.extensions["sharing.signer"] = _Plain(keys, salt="sharing.via")
    return made
