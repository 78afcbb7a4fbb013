"""Amounts: integers in minor units, bounded as Stripe bounds them (S-14)."""

from __future__ import annotations

from .errors import invalid

ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
TWO_DECIMAL = frozenset(
    [
        "aed",
        "afn",
        "all",
        "amd",
        "ang",
        "aoa",
        "ars",
        "aud",
        "awg",
        "azn",
        "bam",
        "bbd",
        "bdt",
        "bgn",
        "bmd",
        "bnd",
        "bob",
        "brl",
        "bsd",
        "bwp",
        "byn",
        "bzd",
        "cad",
        "cdf",
        "chf",
        "cny",
        "cop",
        "crc",
        "cve",
        "czk",
        "dkk",
        "dop",
        "dzd",
        "egp",
        "etb",
        "eur",
        "fjd",
        "fkp",
        "gbp",
        "gel",
        "ghs",
        "gip",
        "gmd",
        "gtq",
        "gyd",
        "hkd",
        "hnl",
        "htg",
        "huf",
        "idr",
        "ils",
        "inr",
        "isk",
        "jmd",
        "kes",
        "kgs",
        "khr",
        "kyd",
        "kzt",
        "lak",
        "lbp",
        "lkr",
        "lrd",
        "lsl",
        "mad",
        "mdl",
        "mkd",
        "mmk",
        "mnt",
        "mop",
        "mur",
        "mvr",
        "mwk",
        "mxn",
        "myr",
        "mzn",
        "nad",
        "ngn",
        "nio",
        "nok",
        "npr",
        "nzd",
        "pab",
        "pen",
        "pgk",
        "php",
        "pkr",
        "pln",
        "qar",
        "ron",
        "rsd",
        "rub",
        "sar",
        "sbd",
        "scr",
        "sek",
        "sgd",
        "shp",
        "sle",
        "sos",
        "srd",
        "std",
        "szl",
        "thb",
        "tjs",
        "top",
        "try",
        "ttd",
        "twd",
        "tzs",
        "uah",
        "usd",
        "uyu",
        "uzs",
        "wst",
        "xcd",
        "yer",
        "zar",
        "zmw",
    ]
)
KNOWN = ZERO_DECIMAL | THREE_DECIMAL | TWO_DECIMAL
# The least that can be charged, where it is not 50 minor units.
LEAST = {"jpy": 50, "gbp": 30, "dkk": 250, "nok": 300, "sek": 300, "czk": 1500, "huf": 17500, "pln": 200, "mxn": 1000,
         "hkd": 400, "thb": 1000, "ron": 200, "aed": 200, "myr": 200, "krw": 500}  # fmt: skip


def decimals(code: str) -> int:
    return 0 if code in ZERO_DECIMAL else 3 if code in THREE_DECIMAL else 2


def show(amount: int, code: str) -> str:
    """`1,250.00 EUR`."""
    places = decimals(code)
    return f"{amount / 10**places:,.{places}f} {code.upper()}"


def currency(code: str, param: str = "currency") -> str:
    """Currencies come in either case and go out in lower case."""
    if code.lower() not in KNOWN:
        raise invalid(f"Invalid currency: {code}.", param, "invalid_currency")
    return code.lower()


def charge_amount(amount: int, code: str) -> int:
    if amount < 1:
        raise invalid("This value must be greater than or equal to 1.", "amount", "parameter_invalid_integer")
    if amount < LEAST.get(code, 50):
        raise invalid(f"Amount must be at least {LEAST.get(code, 50)} {code}.", "amount", "amount_too_small")
    if amount > 99_999_999:
        raise invalid("Amount must be no more than 8 digits.", "amount", "amount_too_large")
    if code in THREE_DECIMAL and amount % 10:
        raise invalid(f"Amounts in {code} must be a multiple of 10.", "amount", "invalid_amount")
    return amount
