"""S-14: minor units, and what people type."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import money

CALM = settings(max_examples=150, deadline=None, database=None, derandomize=True)


@pytest.mark.parametrize(("typed", "currency", "amount"), [
    ("12", "EUR", 1_200), ("12.5", "EUR", 1_250), ("12,50", "EUR", 1_250), ("€ 12,50", "EUR", 1_250),
    ("1.250", "EUR", 125_000), ("1,250", "EUR", 125_000), ("1.250,50", "EUR", 125_050), ("1,250.50", "EUR", 125_050),
    ("1 250,50", "EUR", 125_050), ("1'250.50", "CHF", 125_050), ("12.", "EUR", 1_200), ("0,05", "EUR", 5),
    ("EUR 7", "EUR", 700), ("500", "JPY", 500), ("1,500", "JPY", 1_500), ("1.234", "KWD", 1_234), ("5", "KWD", 5_000),
    ("1,000.000", "KWD", 1_000_000), ("1.000,000", "KWD", 1_000_000), ("1,000,000", "EUR", 100_000_000),
    ("007", "EUR", 700),
])
def test_an_amount_is_read_as_it_is_meant(typed, currency, amount):
    assert money.parse(typed, currency) == amount


@pytest.mark.parametrize(("typed", "currency"), [
    ("", "EUR"), ("abc", "EUR"), ("-5", "EUR"), ("5-", "EUR"), ("1e3", "EUR"), ("NaN", "EUR"), ("inf", "EUR"),
    ("1.2.3", "EUR"), ("12,345,6", "EUR"), ("0x10", "EUR"), ("5.5", "JPY"), ("1_000", "EUR"), ("1.250,500", "EUR"), ("1,250.500", "EUR"),
    ("1234.567", "EUR"), ("0.500", "EUR"), ("1,23,456", "EUR"), ("1.234,5.6", "EUR"), (".5", "EUR"), ("1,000.0000", "KWD"),
    ("9" * 13, "EUR"), ("12.3456", "EUR"), ("$5", "EUR"), ("5;DROP", "EUR"),
])
def test_what_is_no_amount_is_refused_not_guessed(typed, currency):
    with pytest.raises(ValueError):
        money.parse(typed, currency)


@CALM
@given(st.integers(0, money.LARGEST), st.sampled_from(sorted(money.EXPONENTS)), st.sampled_from(["en", "nl"]))
def test_what_is_shown_can_be_typed_back_and_is_the_same(amount, currency, locale):
    text = "".join(c for c in money.show(amount, currency, locale) if c.isdigit() or c in ".,")
    assert money.parse(text, currency) == amount


@CALM
@given(st.integers(0, money.LARGEST), st.sampled_from(sorted(money.EXPONENTS)))
def test_no_amount_is_ever_a_float(amount, currency):
    from decimal import Decimal

    value = money.to_decimal(amount, currency)
    assert isinstance(value, Decimal)
    assert int(value.scaleb(money.exponent(currency))) == amount


def test_each_currency_counts_as_stripe_counts():
    assert money.exponent("JPY") == 0 and money.exponent("KWD") == 3 and money.exponent("eur") == 2
    assert set(money.SMALLEST) == set(money.EXPONENTS)


def test_whole_amounts_may_lose_their_zeros():
    assert money.show(1_864_000, "EUR", exact=False) == "€18,640"
    assert money.show(1_864_050, "EUR", exact=False) == "€18,640.50"
    assert money.show(125_050, "EUR", "nl").replace("\u00a0", " ") == "€ 1.250,50"


@pytest.mark.parametrize(("amount", "share"), [(1, 0), (9, 0), (10, 1), (2_500, 125), (3_333, 167), (99_999_999, 5_000_000)])
def test_five_percent_is_rounded_half_up(amount, share):
    assert money.share(amount, 500) == share
