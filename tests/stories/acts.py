"""What people do, as verbs: each takes the page of the person who does it."""

import io
import re
from datetime import timedelta
from typing import Any

from PIL import Image, ImageDraw

from tests.stories.conftest import PASSWORD, World, eventually, link_in

GOOD, FAILS_LATER, ASKS_BANK = "4242424242424242", "4000000000000341", "4000002760003184"
MASTERCARD, AMEX = "5555555555554444", "378282246310005"


def fill(page: Any, **fields: Any) -> None:
    """Type or choose in the fields of these names."""
    for name, value in fields.items():
        box = page.locator(f"main [name={name}]").first
        if box.evaluate("box => box.tagName") == "SELECT":
            box.select_option(str(value))
        else:
            box.fill(str(value))


def press(page: Any, words: str) -> None:
    page.get_by_role("button", name=words, exact=True).first.click()


def follow(page: Any, words: str) -> None:
    page.get_by_role("link", name=re.compile(words)).first.click()


def says(page: Any, *words: str) -> None:
    """The page says each of these, wherever; spaces may be of any kind."""
    page.wait_for_load_state("domcontentloaded")
    text = re.sub(r"\s+", " ", page.locator("body").inner_text())
    for word in words:
        assert word in text, f"{page.url} does not say “{word}”:\n{text[:3000]}"


def soon_says(page: Any, *words: str, within: float = 60) -> None:
    """The same, when looked at again now and then: “within a minute”."""

    def look() -> bool:
        page.reload()
        says(page, *words)
        return True

    eventually(look, within, is_dear=True)


def register(page: Any, world: World, name: str, address: str) -> None:
    """Make an account, open the mail, press its button, log in."""
    page.goto("/register")
    fill(page, name=name, email=address, password=PASSWORD)
    press(page, "Make an account")
    says(page, "Look in your mailbox", address)
    page.goto(link_in(world.post.wait(address, "confirm your address"), "/confirm"))
    press(page, "Yes, confirm it")
    sign_in(page, address)


def sign_in(page: Any, address: str) -> None:
    page.goto("/login")
    if page.url.endswith("/me"):
        return
    fill(page, email=address, password=PASSWORD)
    press(page, "Log in")
    page.wait_for_url("**/me")


def log_out(page: Any) -> None:
    page.goto("/me")
    page.locator("summary", has_text="Your account").click()
    press(page, "Log out")
    page.wait_for_load_state()


def live_project(world: World, title: str, *, days: float = 20.0, goal: int = 90_000_00, **more: Any) -> tuple[str, str]:
    """A live project with a creator of its own: its slug and the creator's address."""
    from people.queries import person_by_email
    from tests.factories import make_project

    slug = title.lower().replace(" ", "-")
    creator = world.account("Noor Bakker", f"noor.{slug}@example.org")
    with world.app.app_context():
        make_project(person_by_email(creator), title=title, slug=slug, days=days, goal=goal, **more)
    return slug, creator


def picture() -> dict[str, Any]:
    """A picture of our own, as a file to upload."""
    image = Image.new("RGB", (1600, 1067), "#0E3B31")
    ImageDraw.Draw(image).ellipse((900, 200, 1400, 700), "#F55000")
    file = io.BytesIO()
    image.save(file, "JPEG")
    return {"name": "night.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def add_reward(page: Any, title: str, price: str, quantity: str = "") -> None:
    press_or_follow(page, "Add a reward")
    fill(page, title=title, price=price, quantity=quantity, description="Made by us\nSigned by all of us")
    press(page, "Save")
    says(page, title)


def press_or_follow(page: Any, words: str) -> None:
    page.locator(f"a:text-is('{words}'), button:text-is('{words}')").first.click()


def choose(page: Any, reward: str = "", bonus: str = "") -> None:
    """Choose on the pledge form; nothing is sent yet."""
    if reward:
        page.locator(".choice", has_text=reward).locator("label").first.click()
    if bonus:
        fill(page, other=bonus)


def save_card(page: Any, number: str = GOOD, **home: str) -> None:
    """On Stripe's page: type the card, and where it is billed if told; save it; with a bank that asks, say yes."""
    page.wait_for_url("**/c/pay/**")
    page.locator("#number").fill(number)
    page.locator("#expiry").fill("12 / 34")
    page.locator("#cvc").fill("123")
    page.locator("#name").fill("Test Backer")
    if home:
        page.locator("summary", has_text="Billing address").click()
        fill(page, **home)
    page.get_by_role("button", name="Save card").click()
    answer_bank(page)


def answer_bank(page: Any) -> None:
    page.wait_for_load_state("domcontentloaded")
    if "/3d-secure/" in page.url:
        page.get_by_role("button", name="Complete authentication").click()
    page.wait_for_url("**/pledges/**")


def pledge(page: Any, slug: str, reward: str = "", bonus: str = "", card: str = GOOD) -> None:
    """The whole way from the form to “you are backer number …”."""
    page.goto(f"/projects/{slug}/pledge")
    choose(page, reward, bonus)
    press(page, "Continue to card details")
    save_card(page, card)
    is_backer(page)


def is_backer(page: Any, number: str = "") -> None:
    """At once, or when the page has looked again by itself: Stripe's news may come a moment after its visitor."""

    def look() -> bool:
        says(page, f"You are backer {number}".strip())
        return True

    eventually(look, 30)


def own_link(page: Any, slug: str) -> str:
    """Go to the page of one's own link, make one if there is none, and read it."""
    page.goto(f"/projects/{slug}/share")
    if not page.locator("#share-url").count():
        press(page, "Make my link")
    return f"http://{page.locator('#share-url').inner_text()}"


def credits(world: World, slug: str) -> list[str]:
    """Whose pledge counts for whom, in the order of the pledges."""
    said = world.one("""
        SELECT array_agg(b.name || ' by ' || coalesce(r.name, 'a tag') ORDER BY q.number)
          FROM recruit c JOIN pledge q ON q.id = c.pledge_id JOIN project p ON p.id = c.project_id
          JOIN person b ON b.id = c.backer_id LEFT JOIN person r ON r.id = c.recruiter_id
         WHERE p.slug = %s AND c.struck_at IS NULL""", slug)
    return said or []


def scrolls_sideways(page: Any) -> bool:
    return bool(page.evaluate("() => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"))


def until(world: World, slug: str, **more: float) -> dict[str, float]:
    """How far it is to the project's deadline, and some more."""
    left = world.one("SELECT deadline - clock_now() FROM project WHERE slug = %s", slug)
    return {"seconds": (left + timedelta(**more)).total_seconds()}


def soon_says_at(page: Any, address: str, *words: str) -> None:
    """Sign-ins end while the clock jumps; public words and own pages are read where they are."""
    page.goto(address)
    soon_says(page, *words)


def download(page: Any, kind: str) -> bytes:
    if not page.locator("details.menu-btn[open]").count():
        page.locator("details.menu-btn summary").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile(f"^{kind}")).click()
    with open(waiting.value.path(), "rb") as file:
        return file.read()


def checks(world: World) -> list[tuple[str, Any]]:
    """Every invariant of money, on the story's own database."""
    from payments.checks import run_checks

    with world.app.app_context():
        return [(name, rows) for name, rows in run_checks() if rows]
