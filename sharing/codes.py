"""Share codes: 64 random bits, thirteen characters that nobody misreads."""

import secrets

from sharing.queries import ALPHABET, LENGTH, read_code, read_word

__all__ = ["ALPHABET", "LENGTH", "make_code", "read_code", "read_word"]


def make_code() -> str:
    number = secrets.randbits(64)
    return "".join(ALPHABET[number >> shift & 31] for shift in range(60, -1, -5))
