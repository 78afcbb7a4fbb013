"""What no sheet may take for a formula (W-15)."""

import re

# A worksheet takes a text for a formula by its first sign that is neither space nor quote; TAB, CR, LF count as such.
RISKY = ("^[ \"'`´‘’“”„‟‚‛«»‹›＂＇\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff\x0b\x0c]*"
         "[-=+@＝＋－＠\t\r\n]")
_RISKY = re.compile(RISKY)


def defused(text: str) -> str:
    """A text as a cell of a CSV: one that could become a formula begins with an apostrophe."""
    return f"'{text}" if _RISKY.match(text) else text
