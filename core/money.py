"""Money is an integer of minor units and a currency; never a float (S-14)."""

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from babel.numbers import format_currency, get_currency_symbol

# Minor units per currency, as Stripe counts them. Currencies that a project may choose; the first is the default.
EXPONENTS = {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "SEK": 2, "NOK": 2, "DKK": 2, "PLN": 2, "CZK": 2,
             "CAD": 2, "AUD": 2, "JPY": 0, "KWD": 3}
LARGEST = 99_999_999  # Stripe takes eight digits at most
SMALLEST = {"EUR": 50, "USD": 50, "GBP": 30, "CHF": 50, "SEK": 300, "NOK": 300, "DKK": 250, "PLN": 200, "CZK": 1500,
            "CAD": 50, "AUD": 50, "JPY": 50, "KWD": 150}


def exponent(currency: str) -> int:
    return EXPONENTS[currency.upper()]


def to_decimal(amount: int, currency: str) -> Decimal:
    return Decimal(amount).scaleb(-exponent(currency))


def parse(text: str, currency: str) -> int:
    """Minor units from what a person types: `1.250,50`, `1,250.50`, `12`, `€ 5`; ValueError if it is not an amount.

    The last of two kinds of separator is the decimal one. One kind, once, with exactly three digits behind it is taken
    for thousands, unless the currency has three decimals. What could be read in two ways is refused.
    """
    digits = exponent(currency)
    text = re.sub(r"[\s\u00a0\u202f'’]", "", text)
    text = text.removeprefix(get_currency_symbol(currency, "en")).removeprefix(currency.upper()).removeprefix("€")
    marks = re.findall(r"[.,]", text)
    is_decimal = bool(marks) and (marks.count(marks[-1]) == 1) and (
        len(marks) > 1 or digits == 3 or not re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", text))
    whole, cents = text, ""
    if is_decimal:
        whole, _mark, cents = text.rpartition(marks[-1])
    if not re.fullmatch(r"\d{1,12}|\d{1,3}(\.\d{3}){1,3}|\d{1,3}(,\d{3}){1,3}", whole) \
            or not re.fullmatch(r"\d*", cents) or len(cents) > digits:
        raise ValueError(text)
    try:
        return int(Decimal(f"{re.sub('[.,]', '', whole)}.{cents or '0'}").scaleb(digits).to_integral_exact())
    except InvalidOperation as error:
        raise ValueError(text) from error


@lru_cache(10_000)  # a page says the same prices again and again
def show(amount: int, currency: str, locale: str = "en", *, exact: bool = True) -> str:
    """`€1,250.50`; with exact=False whole amounts lose their zeros: `€18,640`."""
    value = to_decimal(amount, currency)
    if not exact and value == value.to_integral_value():
        return format_currency(value, currency, "¤#,##0" if locale.startswith("en") else "¤\u00a0#,##0",
                               locale=locale, currency_digits=False)
    return format_currency(value, currency, locale=locale)


def share(amount: int, basis_points: int) -> int:
    """A percentage of an amount in minor units, half up; basis_points 500 is 5 %."""
    return (amount * basis_points + 5_000) // 10_000
