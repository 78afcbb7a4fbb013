"""The append-only journal: one JSON line per request, replayed at the start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

Change = tuple[str, str, Any]
encode = msgspec.json.encode
decode = msgspec.json.decode


class Journal:
    def __init__(self, folder: str) -> None:
        self.path = Path(folder) / "journal.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def replay(self) -> Iterator[Change]:
        """Every change in order. A torn last line belongs to a request that nobody got an answer to: it is dropped."""
        with self.path.open("rb") as lines:
            for line in lines:
                try:
                    changes = decode(line)
                except msgspec.DecodeError:
                    break
                yield from (tuple(change) for change in changes)

    def write(self, changes: list[Change]) -> None:
        data = encode(changes) + b"\n"
        while data:
            data = data[os.write(self.file, data) :]

    def compact(self, changes: Iterator[Change]) -> None:
        """Write the present state to a new file and put it in the old one's place."""
        fresh = self.path.with_suffix(".new")
        with fresh.open("wb") as out:
            for change in changes:
                out.write(encode([change]) + b"\n")
        fresh.replace(self.path)
        os.close(self.file)
        self.file = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
