"""Every kind of page, as people meet it: axe, both colour schemes, two widths, keyboard, console."""

import re
from pathlib import Path

import axe_playwright_python
import pytest

from tests.stories.acts import pledge, press, scrolls_sideways, sign_in
from tests.stories.conftest import eventually

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
WITHOUT = ["anonymous", "fan", "creator"]


@pytest.fixture(scope="module")
def stage(world, chromium):
    """One project with backers, one draft, pledges in every state that a page can show; who is who."""
    from datetime import timedelta

    from core import clock
    from core.db import transaction
    from projects.models import Faq, ProjectState, Update
    from sharing.services import link_of
    from tests.factories import make_person, make_pledge, make_project, make_reward, square

    with world.app.test_request_context(base_url=world.url):
        world.account("Noor Stage", "noor.stage@example.org")
        world.account("Mo Stage", "mo.stage@example.org")
        people = {name: _person(f"{name}.stage@example.org") for name in ("noor", "mo")}
        live = make_project(people["noor"], slug="stage-live", title="Eleven sleepers", goal=50_000, days=9)
        draft = make_project(people["noor"], slug="stage-draft", title="A draft", state=ProjectState.DRAFT,
                             launched_at=None, fee_bp=None)
        done = make_project(people["noor"], slug="stage-done", title="A record", state=ProjectState.SUCCESSFUL,
                            deadline=clock.now() - timedelta(days=2), closed_at=clock.now() - timedelta(days=2))
        lost = make_project(people["noor"], slug="stage-lost", title="A ferry", state=ProjectState.UNSUCCESSFUL,
                            deadline=clock.now() - timedelta(days=2), closed_at=clock.now() - timedelta(days=2))
        shirt, meet = make_reward(live, 3_500), make_reward(live, 8_000, quantity=5)
        make_reward(draft)
        with transaction() as session:
            session.add(Update(project_id=live.id, number=1, author_id=people["noor"].id, title="We begin", body="Now."))
            session.add(Faq(project_id=live.id, position=1, question="When?", answer="Soon."))
        first = make_pledge(live, people["mo"], meet, at=clock.now() - timedelta(days=3))
        for n in range(12):
            make_pledge(live, make_person(), shirt if n % 3 else meet, at=clock.now() - timedelta(days=n % 5),
                        recruiter=people["mo"] if n < 2 else None, source="share" if n < 2 else "direct")
        code = link_of(people["mo"], live).code
        pledges = {"pledged": first.id}
        for state in ("held", "cancelled", "expired"):
            project = make_project(people["noor"], slug=f"stage-{state}", title=f"Stage {state}")
            pledges[state] = make_pledge(project, people["mo"], make_reward(project), state=state).id
        make_project(people["noor"], slug="stage-fresh", title="Stage fresh")
        pledges["lapsed"] = make_pledge(lost, people["mo"], make_reward(lost), state="lapsed").id
        square()
        del done, draft
        return {"code": code, "pledges": pledges, "reward": shirt.id, "done": "stage-done"}


def _person(address):
    import sqlalchemy as sa

    from core.db import db
    from people.models import Person

    return db.session.scalar(sa.select(Person).where(Person.email == address))


def addresses(stage):
    """Every kind of page by who sees it."""
    live = "/projects/stage-live"
    return {
        "anonymous": ["/", "/discover", "/discover?q=nothing+like+this", "/how", "/about", "/privacy", "/refunds", live,
                      f"{live}/updates", f"{live}/updates/1", f"{live}/faq", "/people/noor-stage", "/login", "/register",
                      "/reset", "/confirm", "/nowhere", "/projects/stage-done", "/projects/stage-lost", "/mailbox",
                      "/demo"],
        "fan": ["/me", "/me/pledges", "/me/settings", "/change", f"{live}/share", "/projects/stage-done/pledge",
                "/projects/new", *(f"/pledges/{id_}" for id_ in stage["pledges"].values()),
                f"/pledges/{stage['pledges']['pledged']}/change",
                f"/pledges/{stage['pledges']['pledged']}/cancellation", "/projects/stage-live/backers"],
        "creator": ["/me", f"{live}/dashboard", f"{live}/backers", f"{live}/recruits", f"{live}/team", f"{live}/payouts",
                    f"{live}/updates/new", f"{live}/rewards", f"{live}/rewards/{stage['reward']}", f"{live}/edit",
                    "/projects/stage-draft", "/projects/stage-draft/edit", "/projects/stage-draft/edit/story",
                    "/projects/stage-draft/edit/picture", "/projects/stage-draft/edit/faq", "/projects/stage-draft/launch",
                    "/projects/stage-draft/rewards/new", "/projects/stage-draft/dashboard",
                    "/projects/stage-draft/backers"]}


class Eyes:
    """axe on a page: everything in light at both widths, colours in both schemes (what a phone shows has the same)."""

    RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

    def __init__(self, page):
        self.page, self.wrong = page, []

    def look(self, address):
        page = self.page
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 900})
            if width == 1280:
                page.goto(address)
                page.add_style_tag(content="*, ::before, ::after { transition: none !important }")  # no colour half-way
                page.evaluate(AXE)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                if (width, scheme) == (360, "dark"):
                    continue  # the colours that were looked at already
                found = page.evaluate("rules => axe.run(rules).then(all => all.violations)", {"resultTypes": ["violations"]} | (
                    {"runOnly": {"type": "rule", "values": ["color-contrast"]}} if scheme == "dark" else
                    {"runOnly": {"type": "tag", "values": self.RULES},
                     "rules": {"color-contrast": {"enabled": width == 1280}}}))
                self.wrong += [f"{address} {width} {scheme}: {one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
                               for one in found]
            if scrolls_sideways(page):
                self.wrong.append(f"{address} is wider than {width} px")


@pytest.mark.parametrize("who", WITHOUT)
def test_axe_finds_nothing_and_nothing_sticks_out(visitor, stage, who):
    eyes = Eyes(visitor(bypass_csp=True))
    if who != "anonymous":
        sign_in(eyes.page, {"fan": "mo.stage@example.org", "creator": "noor.stage@example.org"}[who])
    for address in addresses(stage)[who]:
        eyes.look(address)
    assert eyes.wrong == [], "\n".join(eyes.wrong)


def test_wrong_forms_are_as_clean_as_right_ones(visitor, stage):
    page = visitor(bypass_csp=True)
    sign_in(page, "noor.stage@example.org")
    for address, button in (("/projects/stage-draft/edit", "Save and go on"), ("/projects/new", "Make the draft"),
                            ("/projects/stage-draft/rewards/new", "Save"), ("/projects/stage-live/team", "Add")):
        page.goto(address)
        for box in page.locator("main input[type=text], main input:not([type])").all():
            box.fill("")
        press(page, button)
        assert page.locator("[role=alert]").count(), address
        page.evaluate(AXE)
        assert [one["id"] for one in page.evaluate("() => axe.run()")["violations"]] == [], address


def test_the_main_action_is_reached_by_keyboard_alone(world, visitor, stage):
    page = visitor()
    page.goto("/projects/stage-live")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "Skip to the page"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
    for _ in range(12):
        page.keyboard.press("Tab")
        if "Stand behind this" in page.evaluate("() => document.activeElement.textContent"):
            break
    else:
        pytest.fail("twelve tabs do not reach the main action")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/login"))


def test_a_pledge_is_made_by_keyboard_alone(world, visitor, stage):
    world.account("Kees Key", "kees.key@example.org")
    page = visitor()
    sign_in(page, "kees.key@example.org")
    page.goto("/projects/stage-live/pledge")
    page.locator("#reward-0").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("() => document.activeElement.id") == "reward-1"
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.textContent").strip() == "Continue to card details":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/c/pay/**")


def test_a_link_is_copied_handed_to_the_phone_or_shown_to_be_copied_by_hand(world, visitor, stage):
    page = visitor()
    sign_in(page, "mo.stage@example.org")
    page.goto("/projects/stage-live/share")
    link, copy = f"{world.url}/s/{stage['code']}", page.locator("section.share [data-copy]").first
    assert not page.locator("[data-share]").first.is_visible()  # this browser has no sheet
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=world.url)
    copy.click()
    eventually(lambda: copy.inner_text() == "Copied", 5)
    assert page.evaluate("() => navigator.clipboard.readText()") == link
    page.add_init_script("""
        Object.defineProperty(navigator, 'clipboard', {value: {writeText: () => Promise.reject(new Error('refused'))}});
        Object.defineProperty(navigator, 'share', {value: given => { window.given = given; return Promise.reject(new Error()); }});
        window.prompt = (label, text) => { window.shown = [label, text]; };""")
    page.reload()
    copy.click()
    eventually(lambda: page.evaluate("() => window.shown") == ["Copy", link], 5)
    page.locator("[data-share]").first.click()
    assert page.evaluate("() => window.given") == {"title": "Eleven sleepers", "url": link}


def test_the_language_is_switched_and_kept(visitor):
    page = visitor()
    page.goto("/")
    assert page.locator("html").get_attribute("lang") == "en"
    page.locator("footer a[hreflang=nl]").click()
    assert page.locator("html").get_attribute("lang") == "nl"
    page.goto("/how")
    assert page.locator("html").get_attribute("lang") == "nl"
    page.locator("footer a[hreflang=en]").click()
    assert page.locator("html").get_attribute("lang") == "en"


def test_the_totals_on_a_project_follow_within_seconds(world, visitor, stage):
    world.account("Rik Roll", "rik.roll@example.org")
    page, reader = visitor(), visitor()
    sign_in(page, "rik.roll@example.org")
    reader.goto("/projects/stage-fresh")
    pledge(page, "stage-fresh", bonus="12")

    def risen():
        reader.reload()
        return "€12" in reader.locator(".figure-1").first.inner_text()

    eventually(risen, 20, is_dear=True)
