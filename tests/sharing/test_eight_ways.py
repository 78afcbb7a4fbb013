"""Self-referral tried eight ways (W-27), as people would: by the link, the form, Stripe's page and back.

Each time the pledge stands, nothing is credited, the reason is written down, and the tallies stay at zero.
"""

import re
from typing import Any

import pytest
import requests

from core import later
from core.db import db
from sharing import judging, reviewing, services, tallies, visits
from tests.factories import csrf_token, make_person, make_project, scalar, sign_in
from tests.sharing.scenes import FIREFOX

MASTERCARD, OTHER = "5555555555554444", "378282246310005"
HOME = {"country": "NL", "line1": "Oudegracht 1-a", "postal_code": "3511 AB", "city": "Utrecht"}


class World:
    """A project, Noor with her link in her own browser, and what others do."""

    def __init__(self, app: Any, stripe: Any, email: str = "noor.bakker@gmail.com"):
        visits.forget_here()
        self.app, self.stripe = app, stripe
        self.project = make_project()
        self.slug, self.noor = self.project.slug, make_person("Noor Bakker", email=email)
        self.laptop = self.browser()
        sign_in(self.laptop, self.noor)
        assert self.press(self.laptop, f"/projects/{self.slug}/share").status_code == 303  # “Make my link”
        self.code = services.link_of(self.noor, self.project).code
        db.session.rollback()

    def browser(self) -> Any:
        return self.app.test_client()

    def press(self, browser: Any, page: str) -> Any:
        return browser.post(page, data={"csrf_token": csrf_token(browser, page)})

    def follow(self, browser: Any, code: str = "") -> Any:
        """Open the link, as somebody who is not signed in here."""
        browser.delete_cookie("session", domain="localhost")
        answer = browser.get(f"/s/{code or self.code}", headers={"User-Agent": FIREFOX})
        assert answer.status_code == 303
        return browser

    def type_card(self, card: str, address: dict[str, str] | None = None) -> str:
        """Stripe's page that was opened last, filled in as a person does it; where it leads."""
        [url] = db.session.scalars(db.text("SELECT url FROM card_setup ORDER BY created_at DESC LIMIT 1")).all()
        db.session.rollback()
        typed = {"number": card, "expiry": "12 / 39", "cvc": "1234", "name": "B. Acker", "save": "1"} | (address or {})
        answer = requests.post(url, typed, allow_redirects=False, timeout=10)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"].removeprefix("http://localhost")

    def pledge(self, browser: Any, person: Any, card: str = "4242424242424242", code: str | None = "",
               address: dict[str, str] | None = None) -> Any:
        """By a link, with the form, Stripe's page and back; the pledge's id."""
        if code is not None:
            self.follow(browser, code)
        sign_in(browser, person)
        page = f"/projects/{self.slug}/pledge"
        text = browser.get(page).get_data(as_text=True)
        fields = dict(re.findall(r'name="(csrf_token|token)"[^>]*value="([^"]+)"', text))
        answer = browser.post(page, data=fields | {"reward": "", "bonus": "0", "other": "25"},
                              headers={"User-Agent": FIREFOX})
        assert answer.status_code == 303, answer.get_data(as_text=True)
        pledge = scalar("SELECT subject_id FROM card_setup ORDER BY created_at DESC LIMIT 1")
        later.flush_all()  # the time that typing a card takes
        assert browser.get(self.type_card(card, address)).status_code == 303
        assert scalar("SELECT state FROM pledge WHERE id = :p", p=pledge) == "pledged"
        return pledge

    def credits(self) -> int:
        """Of Noor's link, as the tallies say."""
        tallies.roll_up()
        return int(scalar("""
            SELECT coalesce((SELECT recruits FROM link_tally t JOIN share_link l ON l.id = t.link_id
                              WHERE l.code = :c), 0)""", c=self.code))

    def refused(self, pledge: Any) -> str | None:
        """Why nobody is credited with it; the pledge stands and all tallies are at zero."""
        assert self.credits() == 0
        assert scalar("SELECT count(*) FROM recruit WHERE pledge_id = :p AND struck_at IS NULL", p=pledge) == 0
        assert scalar("SELECT coalesce(sum(recruits), 0) FROM week_tally t JOIN share_link l ON l.id = t.link_id "
                      "WHERE l.code = :c", c=self.code) == 0
        assert scalar("SELECT state FROM pledge WHERE id = :p", p=pledge) == "pledged"
        return scalar("SELECT refused FROM attribution WHERE pledge_id = :p", p=pledge)


@pytest.fixture
def world(app: Any, stripe: Any) -> World:
    return World(app, stripe)


def test_control_a_friend_with_a_browser_a_card_and_a_mailbox_of_her_own_is_credited(world):
    world.pledge(world.laptop, world.noor, MASTERCARD, code=None, address=HOME)
    friend = world.pledge(world.browser(), make_person("Mo El Idrissi", email="mo@gmail.com"), OTHER,
                          address=HOME | {"line1": "Oudegracht 1-b"})
    assert world.credits() == 1
    assert scalar("SELECT refused FROM attribution WHERE pledge_id = :p", p=friend) is None
    judging.judge_due()
    assert scalar("SELECT count(*) FROM share_flag") == 0


def test_1_with_the_same_account(world):
    """In another browser, signed out, by her own link and its code in the address; then signed in."""
    pledge = world.pledge(world.browser(), world.noor)
    assert world.refused(pledge) in ("account", None)  # one's own link is no touch at all, where it is seen in time
    assert scalar("SELECT count(*) FROM recruit") == 0


@pytest.mark.parametrize(("mine", "other"), [
    ("noor@bücher.example", "NOOR@xn--bcher-kva.example"),  # 2: another spelling and case
    ("noor@example.org", "Noor+second@example.org"),  # 3: a +tag
    ("noor.bakker@gmail.com", "n.oorbakker@googlemail.com"),  # 4: dots that mean nothing, and the old domain
], ids=["2-spelling", "3-plus", "4-dots"])
def test_with_a_second_account_of_the_same_mailbox(app, stripe, mine, other):
    world = World(app, stripe, mine)
    pledge = world.pledge(world.browser(), make_person("Nora Bakker", email=other))
    assert world.refused(pledge) == "mailbox"
    assert scalar("SELECT count(*) FROM share_flag") == 0  # nothing to look at: it is for good


def test_5_in_the_same_browser_and_a_household_is_credited_after_a_look(world):
    sister = make_person("Puck Bakker", email="puck@example.org")
    pledge = world.pledge(world.laptop, sister)
    assert world.refused(pledge) == "device"
    mine = world.laptop
    sign_in(mine, world.noor)
    text = mine.get(f"/projects/{world.slug}/share").get_data(as_text=True)
    assert "One pledge by your link is being looked at." in text and "Puck" not in text.split("looked at")[1][:300]
    flag = scalar("SELECT id FROM share_flag WHERE rule = 'device'")
    reviewing.decide(flag, "credit", "sisters", by_id=world.project.creator_id, project_id=world.project.id)
    assert world.credits() == 1


def test_6_with_the_same_card_in_another_account(world):
    world.pledge(world.laptop, world.noor, MASTERCARD, code=None)
    pledge = world.pledge(world.browser(), make_person("Puck de Boer", email="puck@example.org"), MASTERCARD)
    assert world.refused(pledge) == "card"


def test_7_by_somebody_whom_one_brought_oneself(world):
    mo = make_person("Mo El Idrissi", email="mo@example.org")
    brought = world.pledge(world.browser(), mo)
    assert world.credits() == 1
    back = services.link_of(mo, world.project).code
    pledge = world.pledge(world.browser(), world.noor, code=back)
    assert scalar("SELECT refused FROM attribution WHERE pledge_id = :p", p=pledge) == "loop"
    assert world.credits() == 1 and scalar("SELECT count(*) FROM recruit WHERE pledge_id <> :p", p=brought) == 0
    assert scalar("SELECT coalesce(sum(recruits), 0) FROM link_tally t JOIN share_link l ON l.id = t.link_id "
                  "WHERE l.code = :c", c=back) == 0


def test_7b_by_cancelling_and_pledging_again_through_the_friend(world):
    world.pledge(world.laptop, world.noor, code=None)
    mo = make_person("Mo El Idrissi", email="mo@example.org")
    world.pledge(world.browser(), mo)
    first = scalar("SELECT id FROM pledge WHERE backer_id = :n", n=world.noor.id)
    page = f"/pledges/{first}/cancellation"
    sign_in(world.laptop, world.noor)
    assert world.laptop.post(page, data={"csrf_token": csrf_token(world.laptop, page), "reason": "other"}).status_code == 303
    pledge = world.pledge(world.browser(), world.noor, code=services.link_of(mo, world.project).code)
    assert scalar("SELECT refused FROM attribution WHERE pledge_id = :p", p=pledge) == "loop"
    assert world.credits() == 1 and scalar("SELECT count(*) FROM recruit WHERE recruiter_id = :m", m=mo.id) == 0


def test_8_from_the_same_address_and_a_household_is_credited_after_a_look(world):
    """As two people write one door, each on Stripe's page, with a card and a browser of their own."""
    world.pledge(world.laptop, world.noor, MASTERCARD, code=None, address=HOME)
    pledge = world.pledge(world.browser(), make_person("Puck de Boer", email="puck@example.org"), OTHER, address={
        "country": "NL", "line1": "oude gracht 1A", "postal_code": "3511ab", "city": "UTRECHT"})
    assert world.refused(pledge) == "address"
    kept = db.session.execute(db.text("SELECT row_to_json(c)::text AS t FROM card_setup c")).scalars().all()
    db.session.rollback()
    assert len(kept) == 2 and not any(re.search(r"gracht|3511|utrecht", text, re.I) for text in kept)
    flag = scalar("SELECT id FROM share_flag WHERE rule = 'address'")
    reviewing.decide(flag, "credit", "a couple", by_id=world.project.creator_id, project_id=world.project.id)
    assert world.credits() == 1


def test_8b_by_moving_in_with_the_recruiter_after_the_credit(world):
    """The other order: credited first, then a new card that names the recruiter's address."""
    friend, browser = make_person("Puck de Boer", email="puck@example.org"), world.browser()
    pledge = world.pledge(browser, friend, OTHER, address=HOME | {"line1": "Plein 2"})
    world.pledge(world.laptop, world.noor, MASTERCARD, code=None, address=HOME)
    assert world.credits() == 1
    assert browser.post(f"/pledges/{pledge}/card", data={"csrf_token": csrf_token(browser, "/me/settings")}).status_code == 303
    browser.get(world.type_card(OTHER, HOME))
    assert world.credits() == 0 and scalar("SELECT struck_why FROM recruit") == "address"


def test_a_banned_recruiter_s_link_leads_and_does_not_count(world):
    from sharing import bans

    bans.ban(world.noor.id, project_id=None, reason="bought pledges", by_id=None)
    pledge = world.pledge(world.browser(), make_person("Mo El Idrissi", email="mo@example.org"))
    assert world.refused(pledge) == "banned"


def test_a_card_changed_on_the_pledge_s_page_to_the_recruiter_s_takes_the_credit_back(world):
    world.pledge(world.laptop, world.noor, MASTERCARD, code=None)
    friend, browser = make_person("Puck de Boer", email="puck@example.org"), world.browser()
    pledge = world.pledge(browser, friend, OTHER)
    assert world.credits() == 1
    answer = browser.post(f"/pledges/{pledge}/card", data={"csrf_token": csrf_token(browser, "/me/settings")})
    assert answer.status_code == 303
    browser.get(world.type_card(MASTERCARD))
    assert world.credits() == 0 and scalar("SELECT struck_why FROM recruit") == "card"
    assert scalar("SELECT state FROM pledge WHERE id = :p", p=pledge) == "pledged"
