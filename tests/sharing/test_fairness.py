import uuid

import pytest
import sqlalchemy as sa
from flask import current_app

from core import clock
from core.db import db, transaction
from sharing import fairness, services
from sharing.models_fairness import FlaggedPledge, ShareBan, ShareFlag
from tests.factories import make_person, make_project, scalar
from tests.sharing.scenes import count, make_pledge


def own_card(pledge, fingerprint, last4="4444", address=None):
    """A card as the card room keeps it once Stripe's form is done, with its address if one was given."""
    with transaction() as session:
        session.execute(sa.text("""
            INSERT INTO card_setup (project_id, subject_id, person_id, state, currency, card_fingerprint, card_last4,
                                    address_digest)
            VALUES (:project, :pledge, :person, 'complete', 'EUR', :print, :last4, :address)"""), {
            "project": pledge.project_id, "pledge": pledge.id, "person": pledge.backer_id, "print": fingerprint,
            "last4": last4, "address": address})


def use_browser(person, name):
    with transaction() as session:
        session.execute(sa.text("INSERT INTO person_device VALUES (:person, :device, now()::date, now()::date)"),
                        {"person": person.id, "device": name})


def ban(person, project=None, **columns):
    with transaction() as session:
        session.add(ShareBan(person_id=person.id, project_id=project.id if project else None, reason="x", **columns))


def refused(pledge, link):
    with transaction() as session:
        found = session.execute(sa.text("""
            SELECT *, have_one_address(:pledge, :recruiter, :crowd) AS is_one_address
              FROM in_common(:project, :pledge, :backer, :recruiter, :everybodys)"""), {
            "project": pledge.project_id, "pledge": pledge.id, "backer": pledge.backer_id, "recruiter": link.person_id,
            "everybodys": current_app.config["EVERYBODYS_CARDS"], "crowd": current_app.config["ADDRESS_CROWD"]}).one()
        return fairness.refusal(pledge, link, found)


@pytest.fixture
def project(app):
    return make_project()


@pytest.fixture
def noor(app):
    return make_person("Noor Bakker", email="noor.bakker@gmail.com")


@pytest.fixture
def link(project, noor):
    return services.link_of(noor, project)


def test_a_friend_with_nothing_in_common_is_credited(project, link, noor):
    mine = make_pledge(project, noor)
    own_card(mine, "aaa")
    use_browser(noor, b"noors")
    friend = make_pledge(project)
    own_card(friend, "bbb")
    use_browser(friend.backer, b"friends")
    assert refused(friend, link) is None
    assert count("share_flag") == 0


def test_the_account_and_the_mailbox_are_refused_for_good(project, link, noor):
    assert refused(make_pledge(project, noor), link) == "account"
    other = make_person(email="NoorBakker+2@googlemail.com")
    assert refused(make_pledge(project, other), link) == "mailbox"
    assert count("share_flag") == 0


def test_a_card_that_the_recruiter_ever_saved_is_refused_and_looked_at(project, link, noor):
    own_card(make_pledge(make_project(), noor), "aaa")
    friend = make_pledge(project)
    own_card(friend, "aaa")
    assert refused(friend, link) == "card"
    flag = db.session.scalars(sa.select(ShareFlag)).one()
    assert (flag.rule, flag.severity, flag.link_id, flag.subject) == ("card", "high", link.id, friend.id.hex)
    assert db.session.scalars(sa.select(FlaggedPledge.pledge_id)).all() == [friend.id]
    assert refused(friend, link) == "card" and count("share_flag") == 1 and count("flagged_pledge") == 1


def test_the_test_card_that_everybody_has_says_nothing(app, project, link, noor, monkeypatch):
    own_card(make_pledge(make_project(), noor), "aaa", "4242")
    friend = make_pledge(project)
    own_card(friend, "aaa", "4242")
    assert refused(friend, link) is None
    monkeypatch.setitem(app.config, "EVERYBODYS_CARDS", [])  # as with a live key
    assert refused(friend, link) == "card"


def test_a_browser_that_both_used_is_refused_and_looked_at(project, link, noor):
    friend = make_pledge(project)
    use_browser(noor, b"laptop")
    use_browser(friend.backer, b"phone")
    assert refused(friend, link) is None
    use_browser(friend.backer, b"laptop")
    assert refused(friend, link) == "device"
    assert scalar("SELECT rule FROM share_flag") == "device"


def test_an_address_that_the_recruiter_ever_gave_is_refused_and_looked_at(project, link, noor):
    own_card(make_pledge(make_project(), noor), "aaa", address=b"kade 1")
    friend = make_pledge(project)
    own_card(friend, "bbb", address=b"plein 2")
    assert refused(friend, link) is None and count("share_flag") == 0
    own_card(friend, "bbb", address=b"kade 1")
    assert refused(friend, link) == "address"
    flag = db.session.scalars(sa.select(ShareFlag)).one()
    assert (flag.rule, flag.severity, flag.link_id, flag.subject) == ("address", "high", link.id, friend.id.hex)


def test_who_gave_no_address_has_none_in_common(project, link, noor):
    own_card(make_pledge(project, noor), "aaa")
    friend = make_pledge(project)
    own_card(friend, "bbb")
    assert refused(friend, link) is None
    own_card(friend, "bbb", address=b"kade 1")
    assert refused(friend, link) is None


def test_what_the_friend_gave_with_another_pledge_is_left_alone(project, link, noor):
    """People move: what was true of a pledge last year says nothing of this one."""
    own_card(make_pledge(project, noor), "aaa", address=b"kade 1")
    friend = make_pledge(project)
    own_card(make_pledge(make_project(), friend.backer), "bbb", address=b"kade 1")
    own_card(friend, "bbb", address=b"plein 2")
    assert refused(friend, link) is None


@pytest.mark.parametrize(("others", "why"), [(6, "address"), (7, None)])
def test_an_address_that_more_than_eight_people_gave_is_everybodys(project, link, noor, others, why):
    """A student house, an office, a shop where parcels wait."""
    elsewhere = make_project()
    for person in [noor, *(make_person() for _ in range(others))]:
        own_card(make_pledge(elsewhere, person), person.id.hex, address=b"campus 1")
        own_card(make_pledge(make_project(), person), person.id.hex, address=b"campus 1")  # one person, however often
    friend = make_pledge(project)
    own_card(friend, "bbb", address=b"campus 1")
    assert refused(friend, link) == why


def test_an_address_that_comes_later_takes_the_credit_until_somebody_looked(project, link, noor):
    friend, other = make_pledge(project, ref=link.code), make_pledge(project, ref=link.code)
    saved(make_pledge(project, noor), "aaa", b"kade 1")
    saved(other, "bbb", b"plein 2")
    assert count("share_flag") == 0
    saved(friend, "ccc", b"kade 1")
    assert scalar("SELECT struck_why FROM recruit WHERE pledge_id = :p", p=friend.id) == "address"
    assert scalar("SELECT struck_at FROM recruit WHERE pledge_id = :p", p=other.id) is None
    saved(friend, "ddd", b"kade 1")
    assert count("share_flag") == 1


def test_a_recruiter_who_gives_the_friends_address_later_is_looked_at_once(project, link, noor):
    friend = make_pledge(project, ref=link.code)
    saved(friend, "aaa", b"kade 1")
    saved(make_pledge(make_project(), noor), "bbb", b"plein 2")
    assert count("share_flag") == 0
    saved(make_pledge(make_project(), noor), "bbb", b"kade 1")
    assert scalar("SELECT struck_why FROM recruit WHERE pledge_id = :p", p=friend.id) == "address"
    with transaction() as session:
        session.execute(sa.text("UPDATE share_flag SET decision = 'credit', decided_at = now()"))
    saved(make_pledge(make_project(), noor), "bbb", b"kade 1")
    assert count("share_flag") == 1


def test_a_household_that_was_looked_at_for_its_card_is_not_brought_up_again_for_its_address(project, link, noor):
    friend = make_pledge(project, ref=link.code)
    saved(make_pledge(project, noor), "aaa", b"kade 1")
    saved(friend, "aaa", b"kade 1")
    assert scalar("SELECT rule FROM share_flag") == "card" and count("share_flag") == 1


def test_an_address_that_stripe_tells_anew_is_looked_at_as_well(project, link, noor):
    from payments.hooks import card_changed
    from payments.models import CardSetup

    friend = make_pledge(project, ref=link.code)
    saved(make_pledge(project, noor), "aaa", b"kade 1")
    saved(friend, "bbb", b"plein 2")
    with transaction() as session:
        setup = session.scalars(sa.select(CardSetup).where(CardSetup.subject_id == friend.id)).one()
        setup.address_digest = b"kade 1"
        session.flush()
        card_changed.send(setup)
    assert scalar("SELECT struck_why FROM recruit WHERE pledge_id = :p", p=friend.id) == "address"


def test_two_accounts_that_became_one_have_both_addresses(project, link, noor):
    from people.services import merge

    second = make_person("Noor again", email="second@example.net")
    own_card(make_pledge(make_project(), second), "aaa", address=b"kade 1")
    friend = make_pledge(project)
    own_card(friend, "bbb", address=b"kade 1")
    assert refused(friend, link) is None
    merge(noor, second)
    assert refused(friend, link) == "address"


@pytest.mark.parametrize(("columns", "own", "why"), [
    ({}, False, "banned"), ({}, True, "banned"), ({"until": "later"}, False, "banned"), ({"until": "before"}, False, None),
    ({"lifted_at": "before"}, False, None)])
def test_a_banned_person_is_not_credited_while_the_ban_holds(project, link, noor, columns, own, why):
    when = {"later": clock.now().replace(year=2100), "before": clock.now().replace(year=2020)}
    ban(noor, project if own else None, **{name: when[value] for name, value in columns.items()})
    assert refused(make_pledge(project), link) == why
    assert count("share_flag") == 0


def test_a_ban_in_one_project_leaves_the_others_alone(project, link, noor):
    ban(noor, make_project())
    assert refused(make_pledge(project), link) is None


def test_links_of_organisers_are_credited_without_a_question(app, project):
    from types import SimpleNamespace

    tag = SimpleNamespace(id=uuid.uuid4(), person_id=None)
    assert refused(make_pledge(project), tag) is None


def saved(pledge, fingerprint, address=None):
    """A card is saved for this pledge, and the rooms above hear of it."""
    from payments.hooks import card_saved
    from payments.models import CardSetup, CardSetupState

    with transaction() as session:
        setup = CardSetup(project_id=pledge.project_id, subject_id=pledge.id, person_id=pledge.backer_id, currency="EUR",
                          state=CardSetupState.COMPLETE, card_fingerprint=fingerprint, card_last4="4444",
                          address_digest=address)
        session.add(setup)
        session.flush()
        card_saved.send(setup)


def test_a_card_changed_later_to_the_recruiters_takes_the_credit_until_somebody_looked(project, link, noor):
    friend, other = make_pledge(project, ref=link.code), make_pledge(project, ref=link.code)
    saved(make_pledge(project, noor), "aaa")
    saved(other, "bbb")
    assert count("share_flag") == 0
    saved(friend, "aaa")
    assert scalar("SELECT struck_why FROM recruit WHERE pledge_id = :p", p=friend.id) == "card"
    assert scalar("SELECT struck_why FROM recruit WHERE pledge_id = :p", p=other.id) is None
    saved(friend, "aaa")
    assert count("share_flag") == 1


def test_a_recruiter_who_saves_the_friends_card_later_is_looked_at_too(project, link, noor):
    friend = make_pledge(project, ref=link.code)
    saved(friend, "aaa")
    assert count("share_flag") == 0
    saved(make_pledge(make_project(), noor), "aaa")
    assert scalar("SELECT struck_why FROM recruit WHERE pledge_id = :p", p=friend.id) == "card"
    with transaction() as session:  # looked at, and fine: the same thing is not brought up again
        session.execute(sa.text("UPDATE share_flag SET decision = 'credit', decided_at = now()"))
    saved(make_pledge(make_project(), noor), "aaa")
    assert count("share_flag") == 1
