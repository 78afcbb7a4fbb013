"""W-27: an address is compared, never kept. Which ways of writing are one door, and which are two."""

from datetime import timedelta
from itertools import combinations
from types import SimpleNamespace

import pytest

from core import clock
from core.db import db
from payments import inbox
from payments.addresses import one_door, scrambled
from payments.hooks import card_changed
from payments.methods import forget_addresses, hear_of_method
from tests.backing.runs import call
from tests.factories import hold, make_person, make_project, save_card, scalar

HOME = {"line1": "Kerkstraat 12-A", "postal_code": "3511 AB", "city": "Utrecht", "country": "NL"}


def door(country, postcode, line1, line2=None):
    return one_door({"country": country, "postal_code": postcode, "line1": line1, "line2": line2})


# Each line is one door, written as people write it; no door of a country is another one of it.
DOORS = {
    "NL": [
        [("3511 AB", "Kerkstraat 12-A"), ("3511ab", "kerkstr. 12 a"), ("NL-3511 AB", "KERKSTRAAT 12A"),
         ("3511AB", "Kerkstraat 12", "A"), ("3511 AB", "Kerkstraat", "12 a"), ("3511 AB", "Kerkstraat, 12/A")],
        [("3511 AB", "Kerkstraat 12"), ("3511AB", "Kerk straat 12."), ("3511AB", "  kerkstraat   012 ")],
        [("3511 AB", "Kerkstraat 12-2"), ("3511 AB", "Kerkstr 12 2")],
        [("3511 AB", "Kerkstraat 122")],
        [("3511 AB", "Kerkstraat 12 bis"), ("3511 AB", "Kerkstr. 12-bis")],
        [("3511 AB", "Kerkstraat 12 hs"), ("3511 AB", "Kerkstraat 12-hs")],
        [("3511 AC", "Kerkstraat 12")],
        [("1091 GZ", "1e Oosterparkstraat 12-2"), ("1091GZ", "Eerste Oosterparkstr. 12 2")],
        [("3515 CK", "Burg. v. Tuyllkade 5"), ("3515 CK", "Burgemeester van Tuyllkade 5")],
    ],
    "BE": [
        [("9000", "Kerkstraat 12 bus 3"), ("B-9000", "Kerkstr. 12/3"), ("9000", "KERKSTRAAT 12", "bus 3"),
         ("9000", "Kerkstraat 12 bte 3")],
        [("9000", "Kerkstraat 12")],
        [("9000", "Kerkstraat 12 A")],
        [("9000", "Kerkplein 12"), ("9000", "Kerkpln. 12")],
        [("8000", "Kerkstraat 12")],
        [("1000", "Rue de l'Église 4"), ("1000", "rue de l’eglise, 4"), ("1000", "4, Rue de l'Eglise")],
        [("1050", "Avenue Louise 5 boîte 2"), ("1050", "Av. Louise 5/2")],
    ],
    "DE": [
        [("13353", "Müllerstraße 5"), ("D-13353", "MUELLERSTR. 5"), ("13353", "Müller Strasse 5")],
        [("13353", "Müllerstraße 5 a"), ("13353", "Muellerstr. 5A")],
        [("13353", "Müllerstraße 15")],
        [("13353", "Müllerplatz 5")],
        [("10623", "Straße des 17. Juni 135"), ("10623", "Str. des 17. Juni 135")],
        [("10623", "Straße des 17. Juni 13"), ("10623", "Strasse des 17. Juni 13")],
    ],
    "GB": [
        [("EC1M 4AA", "Flat 2, 14 St. John's Street"), ("ec1m4aa", "14 Saint Johns St", "Flat 2"),
         ("EC1M 4AA", "14 St John’s St., Flat 2")],
        [("EC1M 4AA", "Flat 14, 2 St John's Street")],
        [("EC1M 4AA", "14 St John's Street")],
        [("EC1M 4AA", "14A St John's Street"), ("EC1M 4AA", "14 a St. Johns St")],
        [("EC1M 4AA", "Flat A, 14 St John's Street")],
        [("OX1 1AA", "The Old Rectory, Church Lane"), ("OX1 1AA", "Old Rectory", "Church Ln")],
        [("OX1 1AA", "Rose Cottage, Church Lane")],
    ],
    "FR": [
        [("75002", "12 bis, rue de la Paix"), ("75002", "12bis Rue de la Paix")],
        [("75002", "12 rue de la Paix"), ("F-75002", "12, Rue de la Paix")],
        [("75002", "12 rue de la Prix")],
        [("75005", "5 Bd. St-Michel"), ("75005", "5, boulevard Saint Michel")],
        [("75016", "5 av. Victor Hugo"), ("75016", "5 AVENUE VICTOR-HUGO")],
    ],
}


@pytest.mark.parametrize("country", DOORS)
def test_one_door_is_one_however_it_is_written_and_two_doors_stay_two(country):
    folded = [{door(country, *written) for written in one} for one in DOORS[country]]
    for one, ways in zip(DOORS[country], folded, strict=True):
        assert len(ways) == 1 and None not in ways, (one, ways)
    for (one, here), (other, there) in combinations(zip(DOORS[country], folded, strict=True), 2):
        assert here != there, (one, other, here)


def test_the_same_words_in_two_countries_are_two_doors():
    assert door("BE", "1000", "Kerkstraat 12") != door("LU", "1000", "Kerkstraat 12")


@pytest.mark.parametrize("address", [
    None, {}, {"country": "NL", "postal_code": "3511 AB"}, {"country": "NL", "postal_code": "3511 AB", "line1": " "},
    {"country": "NL", "line1": "Kerkstraat 12"}, {"postal_code": "3511 AB", "line1": "Kerkstraat 12"},
    {"country": "NL", "postal_code": "3511 AB", "line1": "Kerkstraat"},
    {"country": "BE", "postal_code": "9000", "line1": "Kerkstraat", "line2": "bus 3"},
    {"country": "GB", "postal_code": "OX1 1AA", "line1": "Church Lane"}])
def test_what_names_no_door_is_nothing(app, address):
    """A postcode alone is a whole street, and a street without a number is a street."""
    assert one_door(address) is None and scrambled(address) is None


@pytest.mark.parametrize("line1", ["١٢ Kade", "Kade ²", "9" * 5000, "Kade 0", "'" * 300 + "1", "Kade 1e 2e 3e", "\0 1"])
def test_odd_signs_break_nothing(line1):
    assert door("NL", "3511 AB", line1) == door("NL", "3511 AB", line1)


def test_what_is_kept_depends_on_our_key_and_cannot_be_read(app, monkeypatch):
    kept = scrambled(HOME)
    assert kept is not None and len(kept) == 16 and kept == scrambled(SimpleNamespace(**HOME, line2=None, state=None))
    monkeypatch.setitem(app.config, "SECRET_KEY", "another" * 6)
    assert scrambled(HOME) != kept


def kept(stripe, **asked):
    """What stands beside a card that was saved with this on Stripe's form."""
    placed = hold(make_project(), make_person())
    save_card(stripe, placed.pledge_id, **asked)
    return scalar("SELECT address_digest FROM card_setup WHERE subject_id = :p", p=placed.pledge_id)


def test_a_saved_card_keeps_its_address_scrambled_and_nowhere_else(app, stripe, database_url):
    import psycopg

    assert kept(stripe, address=HOME) == scrambled(HOME)
    assert kept(stripe, address={"country": "NL", "postal_code": "3511 AB"}) is None  # as the form asks in some countries
    assert kept(stripe) is None
    declined = hold(make_project(), make_person())
    with pytest.raises(RuntimeError, match="declined"):
        save_card(stripe, declined.pledge_id, "4000000000000002", address=HOME)
    call(stripe, f"payment_methods/{scalar('SELECT min(payment_method_id) FROM card_setup')}", **{
        "billing_details[address][line1]": "Kerkstraat 14"})
    news = stripe.get("state/event")
    assert "Kerkstraat" in str([event for event in news if event["type"] == "payment_method.attached"])
    assert "last_setup_error" in str(news) and "previous_attributes" in str(news)
    assert all(inbox.receive(event) for event in news)
    with psycopg.connect(database_url) as connection:
        tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        for table in tables:
            assert not connection.execute(f'SELECT 1 FROM "{table}" t WHERE t::text ILIKE %s LIMIT 1', ["%kerkstr%"]).fetchone(), table


def test_the_form_asks_for_as_little_as_it_can_unless_the_operator_wants_it(app, stripe, monkeypatch):
    """Addresses are asked after the funding, by who sends things; the form takes what a wallet tells by itself."""
    kept(stripe)
    monkeypatch.setitem(app.config, "ASK_ADDRESS", True)
    assert kept(stripe) is not None
    asked = [e["params"]["billing_address_collection"] for e in stripe.get("log") if e["path"] == "/v1/checkout/sessions"]
    assert asked == ["auto", "required"]


def test_an_address_that_stripe_tells_anew_is_kept_and_told_once(app, stripe):
    told = []
    card_changed.connect(told.append)
    try:
        before = kept(stripe, address=HOME)
        method = scalar("SELECT payment_method_id FROM card_setup")
        call(stripe, f"payment_methods/{method}", **{
            "billing_details[address][line1]": "Plein 2", "billing_details[address][postal_code]": "3511 AB",
            "billing_details[address][country]": "NL"})
        assert hear_of_method(method) and hear_of_method(method)
        assert scalar("SELECT address_digest FROM card_setup") == scrambled(HOME | {"line1": "Plein 2"}) != before
        call(stripe, f"payment_methods/{method}", **{"billing_details[address]": ""})
        assert hear_of_method(method)
        assert scalar("SELECT address_digest FROM card_setup") is None and len(told) == 2
    finally:
        card_changed._ears.remove(told.append)
        db.session.rollback()


def test_a_year_later_it_is_forgotten(app, stripe):
    assert kept(stripe, address=HOME)
    clock.move_clock(timedelta(days=364))
    assert forget_addresses() == 0
    clock.move_clock(timedelta(days=1, minutes=1))
    assert forget_addresses() == 1 and forget_addresses() == 0
    assert scalar("SELECT address_digest FROM card_setup") is None
