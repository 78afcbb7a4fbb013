"""Pictures are drawn for whoever asks, and one takes longer than a page: so many a minute for one network.

As this process sees it, and only what is drawn anew: what is kept is given to everybody at once.
"""

import threading
import time

from flask_babel import gettext as _

from core.errors import TooOften

PER_MINUTE = 60  # more than a chat's servers ask for, and a seventh of what one processor can draw

_lock = threading.Lock()
_drawn: dict[str, int] = {}
_minute = 0


def take_turn(network: str) -> None:
    """Before something is drawn for this network; TooOften if it had enough."""
    global _minute
    minute = int(time.monotonic()) // 60
    with _lock:
        if minute != _minute:
            _drawn.clear()
            _minute = minute
        _drawn[network] = _drawn.get(network, 0) + 1
        if _drawn[network] > PER_MINUTE:
            raise TooOften(_("Too many pictures were asked for at once. Ask again in a minute."))


def forget_here() -> None:
    """Drop what this process remembers."""
    with _lock:
        _drawn.clear()
