"""Crash points: places where a test kills the process for real, to see that nothing is lost (C-19).

`CRASHPOINT=name:n` makes the process kill itself the n-th time it passes `name`. Without the variable, and always in
production, a crash point is nothing.
"""

import os
import signal

_name, _, _count = os.environ.get("CRASHPOINT", "").partition(":")
_left = int(_count or 1)
_on = bool(_name) and os.environ.get("ACHTERBAN_ENV") == "test"


def crashpoint(name: str) -> None:
    global _left
    if _on and name == _name:
        _left -= 1
        if _left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
