"""Which passwords are too easy: a list of common words and the rules by which people stretch them (W-03).

No composition rules. A password falls when it is nothing but a few cheap pieces: common words (also with `@` for `a`),
rows of keys or digits, repetitions, years, and the words of this site and this person.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_security.password_util import PasswordUtil

SHORTEST, LONGEST = 10, 128
SITE_WORDS = ("achterban", "crowdfunding", "backer", "pledge")
ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "azertyuiop", "qwertzuiop",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik", "1q2w3e4r5t6y7u8i9o0p", "qazwsxedcrfvtgbyhnujmik", "!@#$%^&*()")
SPOKEN = str.maketrans("@4031!$57+", "aaoeiisstt")
MOST_CHEAP = 3  # pieces; four common words in a row are a good password


@cache
def common_words() -> frozenset[str]:
    lines = (Path(__file__).parent / "common_words.txt").read_text().splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def is_easy(password: str, about: Iterable[str] = ()) -> bool:
    """Would it fall within the first million guesses? `about` are words that belong to this person."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", password.lower()) if not unicodedata.combining(c))
    own = {word for text in about for word in re.split(r"[^a-z0-9]+", text.lower()) if len(word) > 1}
    known = own.union(SITE_WORDS)
    return len(set(plain)) < 5 or any(_pieces(form, known) <= MOST_CHEAP for form in (plain, plain[::-1]))


def _pieces(text: str, known: set[str]) -> int:
    """The fewest cheap pieces that make up the text. A character in no piece counts as three; signs, and words that
    everybody knows of this person, as none."""
    fewest = [0]
    for end in range(1, len(text) + 1):
        best = fewest[end - 1] + (3 if text[end - 1].isalnum() else 0)
        for start in range(max(0, end - 32), end):
            piece = text[start:end]
            if piece in known:
                best = min(best, fewest[start])
            elif fewest[start] + 1 < best and _is_cheap(piece):
                best = fewest[start] + 1
        if end % 2 == 0 and text[:end // 2] == text[end // 2:end]:  # the first half, said twice
            best = min(best, fewest[end // 2])
        fewest.append(best)
    return fewest[-1]


def _is_cheap(piece: str) -> bool:
    if piece.isdigit() and len(piece) <= 4:
        return True
    if len(piece) < 2:
        return False
    if not common_words().isdisjoint((piece, piece.translate(SPOKEN))):
        return True
    if len(piece) > 2 and (len(set(piece)) == 1 or any(piece in row or piece[::-1] in row for row in ROWS)):
        return True
    return re.fullmatch(r"(0?[1-9]|[12]\d|3[01])(0?[1-9]|1[0-2])(19|20)\d\d|(19|20)\d\d[01]\d[0-3]\d", piece) is not None


class Passwords(PasswordUtil):
    """The library's door to this file."""

    def validate(self, password: str, is_register: bool, **known: Any) -> tuple[list[str] | None, str]:
        text = self.normalize(password)
        if len(text) < SHORTEST:
            return [_("Use at least %(num)s characters. Four words in a row are easy to remember.", num=SHORTEST)], text
        if len(text) > LONGEST:
            return [_("Use at most %(num)s characters.", num=LONGEST)], text
        said = known.get("user")
        about = [known.get("name"), known.get("email")] if said is None else [said.name, said.email, said.handle]
        if is_easy(text, [word for word in (*about, current_app.config["OPERATOR_NAME"]) if word]):
            return [_("This password is easy to guess. Choose words that do not belong together.")], text
        return None, text
