import uuid

import pytest
import sqlalchemy as sa
from flask import current_app

from backing.hooks import address_known, addresses_asked
from core import clock
from core.db import db, transaction
from sharing import fairness, services
from sharing.models_fairness import FlaggedPledge, ShareBan, ShareFlag
from tests.factories import make_person, make_project, scalar
from tests.sharing.scenes import count, make_pledge


def own_card(pledge, fingerprint, last4="4444"):
    """A card as the card room keeps it once Stripe's form is done."""
    with transaction() as session:
        session.execute(sa.text("""
            INSERT INTO card_setup (project_id, subject_id, person_id, state, currency, card_fingerprint, card_last4)
            VALUES (:project, :pledge, :person, 'complete', 'EUR', :print, :last4)"""), {
            "project": pledge.project_id, "pledge": pledge.id, "person": pledge.backer_id, "print": fingerprint,
            "last4": last4})


def use_browser(person, name):
    with transaction() as session:
        session.execute(sa.text("INSERT INTO person_device VALUES (:person, :device, now()::date, now()::date)"),
                        {"person": person.id, "device": name})


def ban(person, project=None, **columns):
    with transaction() as session:
        session.add(ShareBan(person_id=person.id, project_id=project.id if project else None, reason="x", **columns))


def refused(pledge, link):
    with transaction() as session:
        found = session.execute(sa.text("SELECT * FROM in_common(:project, :pledge, :backer, :recruiter, :everybodys)"), {
            "project": pledge.project_id, "pledge": pledge.id, "backer": pledge.backer_id, "recruiter": link.person_id,
            "everybodys": current_app.config["EVERYBODYS_CARDS"]}).one()
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


@pytest.fixture
def addresses():
    """What the room of parcels will know."""
    known: dict[uuid.UUID, list[str]] = {}

    def tell(people, found):
        found.update({person: known[person] for person in people if person in known})

    addresses_asked.connect(tell)
    yield known
    addresses_asked._ears.remove(tell)


def test_one_address_is_refused_once_a_room_knows_addresses(project, link, noor, addresses):
    friend = make_pledge(project)
    addresses[noor.id] = ["Kade 1-A, 3511 AB Utrecht"]
    assert refused(friend, link) is None
    addresses[friend.backer_id] = ["Plein 2, 3511 AB Utrecht"]
    assert refused(friend, link) is None
    addresses[friend.backer_id] = ["Plein 2, 3511 AB Utrecht", "KADE 1a 3511ab  utrecht"]
    assert refused(friend, link) == "address"


def test_an_address_that_comes_later_takes_the_credit_until_somebody_looked(project, link, noor, addresses):
    friend, other = make_pledge(project, ref=link.code), make_pledge(project, ref=link.code)
    addresses[noor.id] = addresses[friend.backer_id] = ["Kade 1"]
    with transaction():
        address_known.send(friend.backer_id)
    assert scalar("SELECT struck_why FROM recruit WHERE pledge_id = :p", p=friend.id) == "address"
    assert scalar("SELECT struck_at FROM recruit WHERE pledge_id = :p", p=other.id) is None


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


def saved(pledge, fingerprint):
    """A card is saved for this pledge, and the rooms above hear of it."""
    from payments.hooks import card_saved
    from payments.models import CardSetup, CardSetupState

    with transaction() as session:
        setup = CardSetup(project_id=pledge.project_id, subject_id=pledge.id, person_id=pledge.backer_id, currency="EUR",
                          state=CardSetupState.COMPLETE, card_fingerprint=fingerprint, card_last4="4444")
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
