"""Share codes: 64 random bits, thirteen characters that nobody misreads."""

import re
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # base32 without I, L, O, U
LENGTH = 13
_ALIKE = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None})


def make_code() -> str:
    number = secrets.randbits(64)
    return "".join(ALPHABET[number >> shift & 31] for shift in range(60, -1, -5))


def read_code(text: str) -> str | None:
    """A code as somebody typed it, in its one true form; None for anything that cannot be one."""
    if len(text) > 2 * LENGTH or not text.isascii():
        return None
    code = text.upper().translate(_ALIKE)
    return code if len(code) == LENGTH and all(sign in ALPHABET for sign in code) else None


_WORD = re.compile(r"[a-z0-9](-?[a-z0-9]){2,29}")


def read_word(text: str) -> str | None:
    """A word as somebody typed it; None for anything that cannot be one."""
    word = text.strip().lower() if len(text) <= 40 else ""
    return word if _WORD.fullmatch(word) else None
