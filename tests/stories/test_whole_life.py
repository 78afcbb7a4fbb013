"""A campaign lives its whole life: as people live it, in their browsers."""

import csv
import io
import os
import re
from datetime import UTC, datetime, timedelta

import openpyxl
import pytest
from playwright.sync_api import expect

from tests.stories.acts import (
    ASKS_BANK,
    FAILS_LATER,
    add_reward,
    answer_bank,
    checks,
    choose,
    download,
    fill,
    follow,
    is_backer,
    picture,
    pledge,
    press,
    register,
    save_card,
    says,
    scrolls_sideways,
    sign_in,
    soon_says,
    soon_says_at,
    until,
)
from tests.stories.conftest import link_in

STORY = "We *play* on night trains.\n\n## Why\n\nBecause nobody sleeps there anyway."


# With JavaScript and without, wide and on a phone; `make faults` plays the other two pairs as well.
PAIRS = {"script-1280": (True, 1280), "plain-360": (False, 360)}
if os.environ.get("FAULTS") == "all":
    PAIRS |= {"script-360": (True, 360), "plain-1280": (False, 1280)}


@pytest.mark.parametrize(("javascript", "width"), PAIRS.values(), ids=PAIRS.keys())
def test_a_campaign_lives_its_whole_life(world, visitor, javascript, width):
    mark = f"{'js' if javascript else 'plain'}{width}"
    title, lost = f"Night train {mark}", f"Lost ferry {mark}"

    def person():
        return visitor(javascript=javascript, width=width)

    def mail_of(name):
        return f"{name}.{mark}@example.org"

    # 1. A creator registers, writes a pitch, adds rewards, connects payouts, previews and launches. --------------
    noor = person()
    register(noor, world, "Noor Bakker", mail_of("noor"))
    noor.goto("/projects/new")
    fill(noor, title=title, blurb="Eleven songs from eleven sleepers.", category="music", place="Utrecht")
    press(noor, "Make the draft")
    slug = re.search(r"/projects/([^/]+)/edit", noor.url)[1]
    last_day = (datetime.now(UTC) + clock_shift(world) + timedelta(days=9)).date()
    fill(noor, country="NL", goal="300", currency="EUR", day=last_day.isoformat(), time="20:00", zone="Europe/Lisbon")
    press(noor, "Save and go on")
    fill(noor, story=STORY, picture_alt="An orange moon over a dark field")
    noor.locator("main [name=picture]").set_input_files(picture())
    press(noor, "Save")
    says(noor, "Your picture stands at the end of the story.")
    press(noor, "Save and go on")
    noor.locator("main [name=picture]").set_input_files(picture())
    fill(noor, picture_alt="An orange moon over a dark field")
    press(noor, "Save and go on")
    says(noor, "No rewards yet")
    add_reward(noor, "Signed CD", "20")
    add_reward(noor, "Tour shirt", "35")
    add_reward(noor, "Meet & greet", "80", quantity="5")
    noor.goto(f"/projects/{slug}/payouts")
    press(noor, "Connect payouts")
    noor.locator("#name").fill("Noor Bakker")
    noor.get_by_role("button", name="Finish").click()
    noor.wait_for_url(f"**/projects/{slug}/payouts")
    says(noor, "Connected")
    noor.goto(f"/projects/{slug}/launch")
    follow(noor, "^Preview$")
    says(noor, "This is a preview.", title, "Because nobody sleeps there anyway.", "Meet & greet")
    assert not scrolls_sideways(noor)
    noor.goto(f"/projects/{slug}/launch")
    press(noor, "Launch")
    says(noor, "Your project is live.")

    # 2. A fan finds it on the front page, pledges, is backer number 1, is thanked, and holds a sharing link. -----
    mo = person()
    register(mo, world, "Mo El Idrissi", mail_of("mo"))
    mo.goto("/")
    follow(mo, title)
    says(mo, "Eleven songs from eleven sleepers.", "€300")
    follow(mo, "^Stand behind this$")
    choose(mo, "Meet & greet", bonus="5")
    if javascript:
        expect(mo.locator("[data-total]")).to_have_text("€85.00")
    else:
        press(mo, "Add it up")
    says(mo, "€85.00", "Nothing is charged today.")
    assert not scrolls_sideways(mo)
    press(mo, "Continue to card details")
    says(mo, "TEST")
    save_card(mo)
    is_backer(mo, "1.")
    says(mo, "Meet & greet", "€85.00")
    assert not scrolls_sideways(mo)
    mo_pledge = mo.url.split("?")[0]
    thanks = world.post.wait(mail_of("mo"), "You are backer 1")
    assert "Nothing has been charged yet." in thanks
    link = link_in(thanks, "/s/")
    says(mo, link.split("://")[1])
    assert mo.locator(".qr img").evaluate("qr => qr.complete && qr.naturalWidth > 0")

    # 3. A friend opens that link, sees who sent it, and pledges; both see what came of it. ------------------------
    world.account("Puck de Boer", mail_of("puck"))
    puck = person()
    puck.goto(link)
    says(puck, "Mo sent you.")
    sign_in(puck, mail_of("puck"))
    pledge(puck, slug, "Signed CD")
    says(puck, "You are backer 2.")
    soon_says(mo, "1 visit, 1 pledge, €20 pledged")
    mo.goto("/me")
    says(mo, title, "1 visit, 1 pledge, €20 pledged")
    noor.goto(f"/projects/{slug}")
    soon_says(noor, "€105", "35%", "2 people stand behind this.")

    # 4. Five more want the last four places; the fifth keeps what it typed. ---------------------------------------
    five = {name: person() for name in ("Ravi Doerga", "Els Kramer", "Thijs Brouwer", "Ines Peeters", "Sam Visser")}
    cards = {"Ravi Doerga": FAILS_LATER, "Els Kramer": ASKS_BANK}
    for name, page in five.items():
        world.account(name, mail_of(name.split()[0].lower()))
        sign_in(page, mail_of(name.split()[0].lower()))
        page.goto(f"/projects/{slug}/pledge")
        choose(page, "Meet & greet", bonus="10" if name == "Sam Visser" else "")
    for name, page in five.items():
        press(page, "Continue to card details")
        if name != "Sam Visser":
            save_card(page, cards.get(name, "4242424242424242"))
            is_backer(page)
    ravi, els, thijs, ines, sam = five.values()
    says(sam, "has just gone to somebody else")
    assert sam.locator("[name=other]").input_value() == "10"
    assert world.one("SELECT claimed FROM reward JOIN project p ON p.id = project_id WHERE p.slug = %s AND quantity = 5",
                     slug) == 5
    choose(sam, "Signed CD")
    press(sam, "Continue to card details")
    save_card(sam)
    is_backer(sam, "7.")
    says(sam, "€30.00")

    # 6. Before the deadline one changes reward and bonus, another cancels with a reason: all follows at once. -----
    thijs_pledge, ines_pledge = thijs.url.split("?")[0], ines.url.split("?")[0]
    thijs.goto(f"{thijs_pledge}/change")
    choose(thijs, "Tour shirt", bonus="10")
    press(thijs, "Save the change")
    says(thijs, "Your pledge is changed. Nothing was charged.", "€45.00")
    ines.goto(f"{ines_pledge}/cancellation")
    ines.get_by_label("I need the money for something else").check()
    press(ines, "Cancel my pledge")
    says(ines, "Your pledge is cancelled. Nothing was charged.")
    assert world.post.wait(mail_of("ines"), "is cancelled")
    noor.goto(f"/projects/{slug}")
    soon_says(noor, "€340", "6 people stand behind this.")
    noor.goto(f"/projects/{slug}/rewards")
    says(noor, "2 of 5 left")

    # 7. (Meanwhile a second project will miss its goal.) ----------------------------------------------------------
    ferry = another_project(world, mail_of("noor"), lost, last_day)
    pledge(mo, ferry, bonus="12")

    # 6. In the last 24 hours nobody can take it below its goal. ---------------------------------------------------
    world.move(**until(world, slug, hours=-6))
    sign_in(mo, mail_of("mo"))
    mo.goto(f"{mo_pledge}/cancellation")
    press(mo, "Cancel my pledge")
    says(mo, "In the last 24 hours nobody can take a project below its goal of €300.")

    # 5. The deadline passes: collected within a minute; one card fails, one bank asks, both recover. --------------
    world.move(**until(world, slug, seconds=2))
    soon_says_at(noor, f"/projects/{slug}", "Funded.")
    soon_says_at(mo, mo_pledge, "Thank you, Mo. €85.00 was charged")
    assert "€85.00" in world.post.wait(mail_of("mo"), f"{title} made it")

    letter = world.post.wait(mail_of("ravi"), "could not collect")
    assert "Nothing was charged." in letter
    sign_in(ravi, mail_of("ravi"))
    ravi.goto(link_in(letter, "/payment"))
    says(ravi, "It did not work yet.", "Nothing was charged.")
    assert not scrolls_sideways(ravi)
    press(ravi, "Use another card")
    save_card(ravi)
    soon_says(ravi, "Thank you, Ravi. €80.00 was charged")

    sign_in(els, mail_of("els"))
    els.goto(link_in(world.post.wait(mail_of("els"), "needs you"), "/payment"))
    says(els, "Your bank wants to see you.")
    press(els, "Confirm with my bank")
    answer_bank(els)
    soon_says(els, "Thank you, Els. €80.00 was charged")

    mo.goto(mo_pledge)
    says(mo, "1 visit, 1 pledge, €20 collected")

    # 7. The second project missed its goal: nobody is charged, everyone is told. ----------------------------------
    assert "Nothing was charged" in world.post.wait(mail_of("mo"), f"{lost} did not reach its goal")
    assert world.post.wait(mail_of("noor"), f"{lost}.* did not make it")
    mo.goto(f"/projects/{ferry}")
    says(mo, "It did not make it.", "Nobody was charged.")

    # 8. The organiser looks, and takes the list along. ------------------------------------------------------------
    world.account("Jip Organiser", mail_of("jip"))
    sign_in(noor, mail_of("noor"))
    noor.goto(f"/projects/{slug}/team")
    fill(noor, email=mail_of("jip"), role="organiser")
    press(noor, "Add")
    says(noor, "Jip Organiser works on this project now.")
    jip = person()
    sign_in(jip, mail_of("jip"))
    jip.goto(f"/projects/{slug}/dashboard")
    soon_says(jip, "€340", "Funding over time", "Where backers come from")
    assert jip.locator("svg.chart, .chart svg, figure svg").count() and not scrolls_sideways(jip)
    jip.goto(f"/projects/{slug}/backers")
    says(jip, "6 backers", "Mo El Idrissi")
    assert not scrolls_sideways(jip)
    rows = list(csv.reader(io.StringIO(download(jip, "CSV").decode("utf-8-sig"))))
    named = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [(row["Backer number"], row["Name"], row["Total"], row["Status"]) for row in named] == [
        ("1", "Mo El Idrissi", "85.00", "collected"), ("2", "Puck de Boer", "20.00", "collected"),
        ("3", "Ravi Doerga", "80.00", "collected"), ("4", "Els Kramer", "80.00", "collected"),
        ("5", "Thijs Brouwer", "45.00", "collected"), ("6", "Ines Peeters", "80.00", "cancelled"),
        ("7", "Sam Visser", "30.00", "collected")]
    assert (named[1]["Recruiter"], named[0]["Recruits"], named[0]["Recruits amount"]) == ("Mo El Idrissi", "1", "20.00")
    assert named[0]["E-mail"] == mail_of("mo") and named[4]["Reward"] == "Tour shirt" and named[0]["Add-ons"] == ""
    sheet = openpyxl.load_workbook(io.BytesIO(download(jip, "XLSX"))).active
    assert sheet.max_row == 8 and [cell.value for cell in sheet[1]][:3] == ["Backer number", "Name", "E-mail"]
    broken = checks(world)
    assert broken == []


def clock_shift(world):
    return world.one("SELECT shift FROM clock")


def another_project(world, creator_address, title, last_day):
    """A live project with a goal that it will not reach and the same last day; its slug."""
    import sqlalchemy as sa

    from core.db import db
    from people.models import Person
    from tests.factories import make_project

    with world.app.app_context():
        creator = db.session.scalar(sa.select(Person).where(Person.email == creator_address))
        deadline = datetime(last_day.year, last_day.month, last_day.day, 18, tzinfo=UTC)
        return make_project(creator, title=title, goal=90_000_00, slug=title.lower().replace(" ", "-"),
                            deadline=deadline).slug
