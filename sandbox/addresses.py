"""Addresses of bills: what the card form asks for, what wallets tell by themselves, and what is not one."""

from __future__ import annotations

import re
import zlib
from functools import cache
from typing import Any

from babel import Locale

from .errors import invalid
from .store import Row

KEYS = ("city", "country", "line1", "line2", "postal_code", "state")
FIELDS = ("country", "line1", "line2", "postal_code", "city")  # of the form, in its order
LONGEST = 200
POSTCODES = {
    "AT": r"\d{4}",
    "BE": r"\d{4}",
    "CH": r"\d{4}",
    "DE": r"\d{5}",
    "ES": r"\d{5}",
    "FR": r"\d{5}",
    "GB": r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}",
    "IT": r"\d{5}",
    "LU": r"\d{4}",
    "NL": r"[1-9]\d{3} ?[A-Z]{2}",
    "US": r"\d{5}(-\d{4})?",
}


def empty() -> Row:
    return dict.fromkeys(KEYS)


@cache
def countries() -> dict[str, str]:
    """Names by code; what Unicode adds for the EU, the UN and unknown places is none."""
    none = ("EU", "EZ", "QO", "UN", "XA", "XB", "ZZ")
    names = {str(code): str(name) for code, name in Locale("en").territories.items() if code not in none}
    return dict(sorted((pair for pair in names.items() if re.fullmatch("[A-Z]{2}", pair[0])), key=lambda pair: pair[1]))


def checked(address: Any, path: str) -> Row:
    """An address as the API takes it: any part may be missing, but a country is one of two letters."""
    given = {key: (address or {}).get(key) or None for key in KEYS}
    country = given["country"]
    if country is not None and country not in countries():
        text = f"Country '{country}' is unknown. Try using a 2-character alphanumeric country code instead, such as 'US', 'EG', or 'GB'."
        raise invalid(text, f"{path}[country]")
    return given


def errors_of(values: dict[str, str], is_required: bool) -> dict[str, str]:
    """What is wrong with what was typed, by field. Where the form does not ask, any part may stay empty."""
    errors = {name: "This is too long." for name in FIELDS if len(values[name]) > LONGEST}
    if is_required:
        asked = {
            "country": "Choose a country.",
            "line1": "Enter the street and the number.",
            "postal_code": "Enter the postal code.",
            "city": "Enter the city.",
        }
        errors |= {name: text for name, text in asked.items() if not values[name]}
    if values["country"] and values["country"] not in countries():
        errors["country"] = "Choose a country of the list."
    pattern = POSTCODES.get(values["country"])
    if values["postal_code"] and pattern and not re.fullmatch(pattern, values["postal_code"].upper()):
        errors["postal_code"] = "This is no postal code of that country."
    return errors


def typed(values: dict[str, str]) -> Row:
    return {**empty(), **{name: values[name] or None for name in FIELDS}}


def made_up(customer: str | None) -> Row:
    """An address to try with: the same for one customer, and another for each, as people live."""
    number = zlib.crc32((customer or "").encode())
    street = ("Beukenlaan", "Dorpsstraat", "Kastanjeweg", "Molenstraat", "Stationsplein")[number % 5]
    letters = chr(ord("A") + number // 5 % 26) + chr(ord("A") + number // 130 % 26)
    place = {"postal_code": f"{1000 + number // 3380 % 9000} {letters}", "city": "Teststad", "country": "NL"}
    return {**empty(), "line1": f"{street} {1 + number // 977 % 400}", **place}
