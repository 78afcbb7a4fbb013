"""The memory of whose link somebody came by, kept in the visitor's own signed cookie (W-26).

It holds `{project: [code, when]}` for the last twenty projects; an empty code says "I came by myself".
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from core.clock import now

MOST = 20


@dataclass(frozen=True)
class Via:
    """The last touch of this browser for one project."""

    code: str  # empty: came by herself
    at: datetime


def read(text: str | None) -> dict[UUID, Via]:
    """What the cookie remembers, without what is too old; nothing if anybody else wrote it."""
    if not text or len(text) > 4096:
        return {}
    try:
        memory = {UUID(project): Via(str(code), datetime.fromtimestamp(int(at), now().tzinfo))
                  for project, (code, at) in _signer().loads(text).items()}
    except (BadData, ValueError, TypeError, AttributeError, OverflowError, OSError):
        return {}
    oldest = now() - lifetime()
    return {project: via for project, via in memory.items() if via.at > oldest}


def write(memory: dict[UUID, Via]) -> str:
    """The twenty newest touches, signed."""
    newest = sorted(memory.items(), key=lambda pair: pair[1].at)[-MOST:]
    text = _signer().dumps({project.hex: [via.code, int(via.at.timestamp())] for project, via in newest})
    return text if isinstance(text, str) else text.decode()


def lifetime() -> timedelta:
    return timedelta(days=current_app.config["SHARE_DAYS"])


def _signer() -> URLSafeSerializer:
    made: URLSafeSerializer | None = current_app.extensions.get("sharing.signer")
    if made is None:
        keys = [*reversed(current_app.config["SECRET_KEY_FALLBACKS"]), current_app.config["SECRET_KEY"]]
        made = current_app.extensions["sharing.signer"] = URLSafeSerializer(keys, salt="sharing.via")
    return made
