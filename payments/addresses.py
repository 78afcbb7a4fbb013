"""A backer's address as Stripe's form took it down, scrambled: two of them can be compared, and neither can be read (W-27).

The address itself never leaves this module: what is kept is an HMAC of its folded form under a key of our own. Two ways
to write one door must fold alike, and two doors must not: where in doubt they stay two, since a doubt takes a credit.
"""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from flask import current_app
from itsdangerous import Signer

# Countries whose whole postcode is one side of a street: there the door is postcode and number, however the street is
# written. Elsewhere it may be a town.
SMALL = {"NL": re.compile(r"[1-9]\d{3}[a-z]{2}")}
NAMED = ("GB", "IE")  # where a house may have a name and no number
LONGEST = 200  # signs of a line that are read

_FOLDED = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
# Signs between letters of one word, as in l’église and St John’s; unlike the hyphen, which parts words and numbers.
_APOSTROPHE = re.compile("['’‘ʼ`´]")
# A number with the letter of its door, when it stands alone: 12a, 12-A, 12 a, 12 bis; or a word.
_PIECE = re.compile(r"(\d+)(?:[\s.,/-]*([^\W\d_]|bis|ter|quater)(?![^\W\d_]))?|([^\W\d_]+)")
_ORDINAL = re.compile(r"\b\d+(?:e|de|ste|er|ere|eme|st|nd|rd|th)\b(?=\s+[^\W\d_]{2}.*\d)")
_FLAT = {"flat", "apt", "apartment", "appartement", "app", "appt", "unit", "bus", "bte", "boite", "box", "wohnung", "whg"}
_ENDS = (("strasse", "str"), ("strase", "str"), ("straat", "str"), ("laan", "ln"), ("plein", "pln"), ("platz", "pl"),
         ("singel", "sngl"))  # of a word in one piece: Kerkstraat, Hauptstr.
_WORDS = {
    "street": "str", "road": "rd", "avenue": "av", "ave": "av", "lane": "ln", "drive": "dr", "square": "sq", "court": "ct",
    "close": "cl", "gardens": "gdns", "terrace": "ter", "crescent": "cres", "place": "pl",
    "boulevard": "bd", "boul": "bd", "bld": "bd", "blvd": "bd", "chemin": "ch", "chem": "ch", "route": "rte", "allee": "all",
    "impasse": "imp", "chaussee": "chee", "faubourg": "fbg", "steenweg": "stwg", "quai": "q",
    "saint": "st", "sainte": "ste", "sint": "st", "sankt": "st", "the": "", "no": "", "nr": "", "numero": ""}


def scrambled(address: Any) -> bytes | None:
    """What is kept of an address: sixteen bytes, or nothing where it does not name one door."""
    door = one_door(address)
    return hmac.digest(_key(), door.encode(), "sha256")[:16] if door else None


def one_door(address: Any) -> str | None:
    """`NL|3511ab||12a`: the door in one way of writing; None without country, postcode, street and number.

    A postcode alone is a whole street, or a town, and a street without a number is a street.
    """
    said = _fields(address)
    country, postcode = said["country"].strip().upper(), _postcode(said["postal_code"])
    if not (country and postcode and said["line1"].strip()):
        return None
    text = f"{said['line1']}, {said['line2']}"
    before, after, numbers, flats = _taken_apart(text)
    if not numbers and (country not in NAMED or len(_parts(text)) < 2):
        return None
    if country in SMALL and SMALL[country].fullmatch(postcode):
        before = ""
    return f"{country}|{postcode}|{before}{after}|{'.'.join(numbers + flats)}"


def _fields(address: Any) -> dict[str, str]:
    """Of Stripe's object or a mapping; a wallet may leave any of them out."""
    names = ("country", "postal_code", "line1", "line2")
    if isinstance(address, Mapping):
        return {name: str(address.get(name) or "")[:LONGEST] for name in names}
    return {name: str(getattr(address, name, None) or "")[:LONGEST] for name in names}


def _fold(text: str) -> str:
    """Small letters without accents; one way to write ß and ss, full-width and plain."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign)).translate(_FOLDED)
    return _APOSTROPHE.sub("", plain)


def _postcode(text: str) -> str:
    """`3511 AB`, `3511ab` and `NL-3511 AB`."""
    plain = re.sub(r"^\s*[a-z]{1,2}\s*-\s*(?=\d)", "", _fold(text))
    return "".join(sign for sign in plain if sign.isalnum())


def _parts(text: str) -> list[str]:
    """What stands between commas and on lines of its own: of a house with a name there are two, the other is its street."""
    return [part for part in re.split(r"[,;\n]", text) if part.strip()]


def _taken_apart(text: str) -> tuple[str, str, list[str], list[str]]:
    """The words before and after the first number, the numbers as they come, and those of flats.

    `Kerkstraat 12-A bus 3` is ("kerkstr", "", ["12a"], ["3"]).
    """
    plain = _ORDINAL.sub(lambda found: f" {_spelled(found[0])} ", _fold(text))
    pieces = list(_PIECE.finditer(plain))
    words: tuple[list[str], list[str]] = [], []
    numbers: list[str] = []
    flats: list[str] = []
    is_flat = False  # the last word said that a flat's number follows
    for at, (number, letter, word) in enumerate(piece.groups() for piece in pieces):
        following = pieces[at + 1] if at + 1 < len(pieces) else None
        if number:
            (flats if is_flat else numbers).append(str(int(number)) + (letter or ""))
            is_flat = False
        elif is_flat and len(word) == 1:
            flats.append(word)
            is_flat = False
        elif word in _FLAT and following:
            is_flat = True
        else:
            is_street = at > 0 and not (following and following[3] and following[3] not in _FLAT)
            words[bool(numbers)].append("str" if word == "st" and is_street else _short(word))
            is_flat = False
    return _vowels("".join(words[0])), _vowels("".join(words[1])), numbers, flats


def _short(word: str) -> str:
    """A word as most people shorten it."""
    for end, short in _ENDS:
        if word.endswith(end):
            return word.removesuffix(end) + short
    return _WORDS.get(word, word)


def _vowels(text: str) -> str:
    return text.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def _spelled(ordinal: str) -> str:
    """The number of a street that is counted, 1e or 5th, in letters: it is no house number."""
    return "".join(chr(ord("a") + int(sign)) for sign in ordinal if sign.isdecimal()) + "th"


def _key() -> bytes:
    """Derived from SECRET_KEY for this alone, as the keys of our cookies are."""
    secret: str = current_app.config["SECRET_KEY"]
    return Signer(secret, salt="payments.address", key_derivation="hmac", digest_method=hashlib.sha256).derive_key()
