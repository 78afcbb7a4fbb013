from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
import sqlalchemy as sa

from backing.models import PledgeState
from core import clock
from core.db import db, transaction
from sharing import judging, services, tallies
from sharing.models_fairness import FlaggedPledge, ShareFlag
from tests.factories import make_person, make_project, scalar
from tests.sharing.scenes import count, make_pledge
from tests.sharing.test_fairness import own_card

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
LIMITS = {"BURST_PLEDGES": 5, "BURST_MINUTES": 10, "BURST_FROM_NETWORK": 3, "SIMILAR_MAILS": 3, "ONE_ADDRESS": 3, "NEW_ACCOUNTS": 8,
          "NEW_MINUTES": 15}
NAMES = ("anna", "bram", "cato", "daan", "emma", "finn", "gijs", "hana", "ilse", "joep", "kees", "lotte", "mees", "nina",
         "otto", "puck", "quinn", "roos")


def credit(minute, name="", **columns):
    """A credit as the rules see it."""
    name = name or f"{NAMES[int(minute) % len(NAMES)]}@{uuid4().hex[:4]}.example"
    return SimpleNamespace(**({"pledge_id": uuid4(), "backer_id": uuid4(), "at": NOON + timedelta(minutes=minute),
                               "email": name, "born": NOON - timedelta(days=9), "card": None, "address": None, "networks": [], "seen": []}
                              | columns))


def found(credits):
    return {doubt.rule: doubt for doubt in judging.doubts(credits, LIMITS)}


def test_nothing_is_odd_about_a_few_friends():
    assert found([credit(3 * n, networks=[b"n%d" % n], card=f"card{n}") for n in range(4)]) == {}


def test_six_pledges_in_ten_minutes_are_a_burst_and_five_are_not():
    assert found([credit(n) for n in range(5)]) == {}
    assert found([credit(2.5 * n) for n in range(6)]) == {}
    doubt = found([credit(-60), *(credit(n) for n in range(6)), credit(60)])["burst"]
    assert (doubt.severity, len(doubt.pledges), doubt.facts["count"]) == ("low", 6, 6)
    assert found([credit(n / 4) for n in range(16)])["burst"].severity == "medium"


def test_four_backers_from_one_network_are_looked_at_and_a_household_is_not():
    assert found([credit(20 * n, networks=[b"home"]) for n in range(3)]) == {}
    doubt = found([*(credit(20 * n, networks=[b"hall", b"%d" % n]) for n in range(4)), credit(99, networks=[b"far"])])["network"]
    assert (doubt.severity, len(doubt.pledges)) == ("medium", 4)
    one = uuid4()
    assert found([credit(20 * n, networks=[b"home"], backer_id=one) for n in range(5)]) == {}


def test_addresses_made_in_a_row_and_accounts_of_one_mailbox():
    row = [credit(20 * n, f"bandfan{n}@mail.example") for n in range(3)]
    assert found(row[:2]) == {} and found(row)["mails"].severity == "medium"
    same = [credit(0, "anna@gmail.com"), credit(20, "an.na+2@gmail.com"), credit(40, "bram@gmail.com")]
    doubt = found(same)["mailboxes"]
    assert doubt.severity == "high" and doubt.pledges == {same[0].pledge_id, same[1].pledge_id}


def test_one_card_under_two_backers_counts_for_nobody_until_somebody_looked():
    pair = [credit(0, card="aaa"), credit(20, card="aaa"), credit(40, card="bbb"), credit(60), credit(80)]
    doubt = found(pair)["cards"]
    assert doubt.severity == "high" and len(doubt.pledges) == 2


def test_a_family_at_one_address_is_fine_and_four_backers_there_are_looked_at():
    """A friend brings friends who live together: couples do. They count until somebody says otherwise."""
    assert found([credit(20 * n, address=b"kade 1") for n in range(3)]) == {}
    doubt = found([*(credit(20 * n, address=b"kade 1") for n in range(4)), credit(90, address=b"plein 2"), credit(120)])["addresses"]
    assert (doubt.severity, len(doubt.pledges), doubt.facts["count"]) == ("medium", 4, 4)
    one = uuid4()
    assert found([credit(20 * n, address=b"kade 1", backer_id=one) for n in range(5)]) == {}


def test_friends_who_register_to_pledge_are_fine_until_there_are_many():
    def new(n):
        return credit(20 * n, born=NOON + timedelta(minutes=20 * n - 5))

    assert found([new(n) for n in range(8)]) == {}
    assert found([new(n) for n in range(9)])["newcomers"].severity == "low"


def test_what_was_decided_once_is_not_brought_up_again():
    credits = [credit(n, seen=["burst"]) for n in range(6)]
    assert found(credits) == {} and found([*credits, credit(7)]) == {}


# Through the tables ---------------------------------------------------------------------------------------------------

@pytest.fixture
def link(app):
    return services.link_of(make_person("Noor Bakker"), make_project())


def brought(link, n, **columns):
    project = link.project
    return [make_pledge(project, make_person(email=f"{NAMES[k]}@{uuid4().hex[:6]}.example"), ref=link.code, **columns) for k in range(n)]


def look():
    tallies.roll_up()
    return judging.judge_due()


def test_the_roll_up_has_the_link_judged(link):
    pledges = brought(link, 6)
    assert look() == 1
    flag = db.session.scalars(sa.select(ShareFlag)).one()
    assert (flag.rule, flag.severity, flag.link_id, flag.facts["count"]) == ("burst", "low", link.id, 6)
    assert set(db.session.scalars(sa.select(FlaggedPledge.pledge_id))) == {pledge.id for pledge in pledges}
    assert scalar("SELECT count(*) FROM recruit WHERE struck_at IS NOT NULL") == 0
    assert scalar("SELECT recruits FROM link_tally WHERE link_id = :l", l=link.id) == 6
    assert judging.judge_due() == 0 and count("share_watch") == 0


def test_a_burst_that_goes_on_is_one_flag_and_a_decided_one_stays_decided(link):
    brought(link, 6)
    look()
    brought(link, 2)
    look()
    assert count("share_flag") == 1 and count("flagged_pledge") == 8
    with transaction() as session:
        session.execute(sa.text("UPDATE share_flag SET decision = 'credit', decided_at = now()"))
    judging.judge([link.id])
    assert count("share_flag") == 1
    brought(link, 6)
    look()
    assert scalar("SELECT count(*) FROM share_flag WHERE rule = 'burst'") == 2


def test_one_card_among_recruits_strikes_them_until_decided_and_the_tallies_follow(link):
    pledges = brought(link, 3)
    for pledge in pledges[:2]:
        own_card(pledge, "aaa")
        with transaction() as session:
            session.execute(sa.text("""
                UPDATE pledge SET card_id = (SELECT id FROM card_setup WHERE subject_id = :p) WHERE id = :p"""),
                {"p": pledge.id})
    look()
    assert scalar("SELECT severity FROM share_flag WHERE rule = 'cards'") == "high"
    assert scalar("SELECT count(*) FROM recruit WHERE struck_why = 'cards'") == 2
    tallies.roll_up()
    assert scalar("SELECT recruits FROM link_tally WHERE link_id = :l", l=link.id) == 1


def test_a_network_is_known_on_its_day_only(link):
    for pledge in brought(link, 4):
        with transaction() as session:
            session.execute(sa.text("INSERT INTO person_network VALUES (:p, CAST(clock_now() AS date), 'hall')"),
                            {"p": pledge.backer_id})
    look()
    assert scalar("SELECT rule FROM share_flag") == "network"


def test_links_of_organisers_are_not_judged(app):
    project = make_project()
    with transaction() as session:
        tag = session.scalar(sa.text("INSERT INTO share_link (code, project_id) VALUES ('TAG', :p) RETURNING id"),
                             {"p": project.id})
        judging.watch([tag])
    assert count("share_watch") == 0


def money_asked_back(pledge, reason="asked"):
    """A payment of this pledge, refunded at the backer's wish; the room of money says so."""
    from payments.hooks import refund_changed
    from payments.models import Payment, PaymentState, Refund, RefundState

    with transaction() as session:
        payment = Payment(project_id=pledge.project_id, subject_id=pledge.id, person_id=pledge.backer_id,
                          amount=pledge.amount, currency="EUR", fee_bp=500, state=PaymentState.SUCCEEDED)
        session.add(payment)
        session.flush()
        pledge.payment_id, pledge.state = payment.id, PledgeState.REFUNDED
        refund = Refund(payment_id=payment.id, project_id=pledge.project_id, amount=pledge.amount, currency="EUR",
                        reason=reason, state=RefundState.SUCCEEDED)
        session.add(refund)
        session.flush()
        refund_changed.send(refund)


def test_money_asked_back_twice_is_looked_at_and_what_the_creator_gives_back_is_not(link):
    pledges = brought(link, 5)
    money_asked_back(pledges[0])
    money_asked_back(pledges[1], "delay")
    money_asked_back(pledges[2], "change")
    judging.judge_due()
    assert scalar("SELECT count(*) FROM share_flag WHERE rule = 'money_back'") == 0
    money_asked_back(pledges[3], "fraud")
    judging.judge_due()
    assert scalar("SELECT severity FROM share_flag WHERE rule = 'money_back'") == "medium"
    assert scalar("SELECT count(*) FROM flagged_pledge g JOIN share_flag f ON f.id = g.flag_id WHERE rule = 'money_back'") == 2


def test_old_credits_are_left_alone(link):
    brought(link, 6)
    with transaction() as session:
        session.execute(sa.text("UPDATE recruit SET at = at - interval '3 days'"))
    assert judging.judge([link.id]) == 0
    assert clock.now() and count("share_flag") == 0
