"""Call down, hook up: the one way upwards through the house."""

from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Hook(Generic[P]):
    """Owned by the lower room, connected in an upper room's `init_app`; runs inside the sender's transaction.

    Connecting the same function twice counts once, so that several apps may be made in one process.
    """

    def __init__(self, says: str):
        self.__doc__ = says
        self._ears: list[Callable[P, object]] = []

    def connect(self, ear: Callable[P, object]) -> None:
        if ear not in self._ears:
            self._ears.append(ear)

    def send(self, *args: P.args, **kwargs: P.kwargs) -> None:
        for ear in self._ears:
            ear(*args, **kwargs)
