"""States move by a table of legal moves, and every move leaves a row: who, when, why."""

import enum
from typing import Any, ClassVar

from core.db import db


class IllegalMove(Exception):
    """A bug or a race that lost: the state does not allow this move."""


class Stateful:
    """A model with `state`, `MOVES` and a history model `History` (columns: from_state, to_state, by_id, why)."""

    MOVES: ClassVar[dict[Any, set[Any]]]
    state: Any

    def can_move(self, to: enum.StrEnum) -> bool:
        return to in self.MOVES.get(self.state, set())

    def check_move(self, to: enum.StrEnum) -> None:
        if not self.can_move(to):
            raise IllegalMove(f"{type(self).__name__} cannot go from {self.state} to {to}")

    def move(self, to: enum.StrEnum, *, by_id: Any = None, why: str = "") -> None:
        """Go to a legal next state and write the history row; IllegalMove otherwise."""
        self.check_move(to)
        was, self.state = self.state, to
        db.session.add(self.history_row(from_state=was, to_state=to, by_id=by_id, why=why))

    def history_row(self, **columns: Any) -> Any:
        raise AssertionError("every Stateful model says what its history row is")
