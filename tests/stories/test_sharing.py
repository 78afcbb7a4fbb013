"""Friends bring friends: as people live it, in their browsers and on their devices."""

import csv
import io
import re
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from sharing.services import link_of
from tests.stories.acts import (
    checks,
    choose,
    credits,
    download,
    fill,
    follow,
    is_backer,
    live_project,
    log_out,
    own_link,
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
from tests.stories.conftest import PASSWORD


def test_three_generations_over_two_devices(world, visitor):
    slug, noor_mail = live_project(world, "Three generations")
    for name in ("ada", "cato"):
        world.account({"ada": "Ada Vermeer", "cato": "Cato Jansen"}[name], f"{name}.three@example.org")

    # The organiser hangs up a poster; Ada comes by it, pledges, and passes her own link on. ------------------------
    noor = visitor(width=360)
    sign_in(noor, noor_mail)
    noor.goto(f"/projects/{slug}/recruits/tags/new")
    fill(noor, name="Poster in the hall", channel="Posters")
    press(noor, "Make its link")
    says(noor, "“Poster in the hall” has a link now.")
    poster = f"{world.url}/s/{noor.url.rsplit('/', 1)[-1]}"
    ada = visitor()
    ada.goto(poster)
    assert "sent you" not in ada.locator("body").inner_text()  # nobody wants to be thanked for a poster
    sign_in(ada, "ada.three@example.org")
    pledge(ada, slug, bonus="40")
    ada_pledge, ada_link = ada.url.split("?")[0], own_link(ada, slug)

    # Bram opens it on a phone without an account and registers there; he pledges elsewhere, in a browser that has never
    # seen the link.
    phone = visitor(width=360, is_mobile=True, has_touch=True)
    phone.goto(ada_link)
    says(phone, "Ada sent you.", "If you pledge, Ada sees your first name and the amount.")
    assert not scrolls_sideways(phone)
    register(phone, world, "Bram Smit", "bram.three@example.org")
    phone.context.close()
    desk = visitor()
    sign_in(desk, "bram.three@example.org")
    assert "via" not in cookies(desk)
    desk.goto(f"/projects/{slug}")
    says(desk, "Ada sent you.")
    pledge(desk, slug, bonus="25")
    bram_link = own_link(desk, slug)
    desk.locator("[name=is_named]").check()
    press(desk, "Save")
    says(desk, "Others see your first name from now on.")

    # Cato comes by Bram's link. -----------------------------------------------------------------------------------
    cato = visitor()
    cato.goto(bram_link)
    says(cato, "Bram sent you.")
    sign_in(cato, "cato.three@example.org")
    pledge(cato, slug, bonus="12")
    assert credits(world, slug) == ["Ada Vermeer by a tag", "Bram Smit by Ada Vermeer", "Cato Jansen by Bram Smit"]

    # Ada sees one friend of hers and one of his, on every page of hers. -------------------------------------------
    ada.goto(f"/projects/{slug}/share")
    soon_says(ada, "By you 1 €25.00 €0.00", "By them 1 €12.00 €0.00", "Together 2 €37.00 €0.00")
    says(ada, "1 visit, 1 pledge, €25 pledged")
    ada.goto(ada_pledge)
    says(ada, "1 visit, 1 pledge, €25 pledged", "Bram", "A backer")
    assert "Cato" not in ada.locator("main").inner_text()  # who has not said that her name may be shown
    ada.goto(f"/projects/{slug}/tree")
    says(ada, "You brought 1, and they brought 1 more.", "€37.00 pledged and €0.00 collected in all.",
         "Of it directly: €25.00 pledged, €0.00 collected.", "Bram", "a backer")
    assert "Cato" not in ada.locator("main").inner_text()  # who has not said that her name may be shown

    # The organiser sees three generations, and the sums are those of the pledges. ----------------------------------
    count, amount = world.one("SELECT count(*), sum(amount) FROM pledge JOIN project p ON p.id = project_id "
                              "WHERE p.slug = %s AND pledge.state = 'pledged'", slug)
    assert (count, amount) == (3, 77_00)
    noor.goto(f"/projects/{slug}/recruits")
    soon_says(noor, "€77 came through sharing links.", "3 of 3 backers")
    by_generation = sums(noor, "generation-head")
    assert by_generation == {
        "By a tag": ["1", "€40.00", "€0.00"], "Generation 1, each brought 1": ["1", "€25.00", "€0.00"],
        "Generation 2, each brought 0": ["1", "€12.00", "€0.00"], "Together": ["3", "€77.00", "€0.00"]}
    assert sums(noor, "channel-head") == {
        "Links of people": ["2", "€37.00", "€0.00"], "Posters": ["1", "€40.00", "€0.00"],
        "Together": ["3", "€77.00", "€0.00"]}
    assert not scrolls_sideways(noor)
    follow(noor, "^See the whole tree$")
    says(noor, "3 backers came by links.", "€77.00 pledged and €0.00 collected in all.", "Poster in the hall",
         "tag, brought 1, and 2 more by them", "a backer €40, brought 1, and 1 more by them", "Step 1", "Step 2", "By a tag")
    assert not scrolls_sideways(noor)
    follow(noor, "^a backer$")  # Ada, who has shown her name to nobody
    says(noor, "A backer brought 1, and they brought 1 more.", "€37.00 pledged", "Bram €25, brought 1", "a backer €12")
    assert checks(world) == []


def test_a_friend_comes_back_after_a_week_and_another_after_a_month(world, visitor):
    slug, _noor = live_project(world, "A week later", days=59)
    world.account("Ada Vermeer", "ada.week@example.org")
    world.account("Dirk Mulder", "dirk.week@example.org")
    ada, bram, dirk = visitor(), visitor(), visitor()
    sign_in(ada, "ada.week@example.org")
    link = own_link(ada, slug)
    for friend in (bram, dirk):
        friend.goto(link)
        says(friend, "Ada sent you.")
    sign_in(dirk, "dirk.week@example.org")  # his account remembers it, too

    world.move(days=7)
    register(bram, world, "Bram Smit", "bram.week@example.org")
    bram.goto(f"/projects/{slug}")
    says(bram, "Ada sent you.")
    pledge(bram, slug, bonus="20")
    assert credits(world, slug) == ["Bram Smit by Ada Vermeer"]

    world.move(days=24, seconds=1)
    assert "via" in cookies(dirk)  # his browser has not thrown it away: what is too old is not believed
    sign_in(dirk, "dirk.week@example.org")
    dirk.goto(f"/projects/{slug}")
    says(dirk, "One person stands behind this.")
    assert "sent you" not in dirk.locator("body").inner_text()
    pledge(dirk, slug, bonus="30")
    assert credits(world, slug) == ["Bram Smit by Ada Vermeer"]
    sign_in(ada, "ada.week@example.org")
    ada.goto(f"/projects/{slug}/share")
    soon_says(ada, "1 visit, 1 pledge, €20 pledged")  # at one address, with the same browser, two are one visitor


def test_a_link_of_one_project_credits_nobody_in_another(world, visitor):
    one, _noor = live_project(world, "Project one")
    two, _noor = live_project(world, "Project two")
    world.account("Ada Vermeer", "ada.both@example.org")
    world.account("Bram Smit", "bram.both@example.org")
    ada, bram = visitor(), visitor()
    sign_in(ada, "ada.both@example.org")
    link = own_link(ada, one)
    own_link(ada, two)
    bram.goto(link)
    says(bram, "Ada sent you.")
    sign_in(bram, "bram.both@example.org")
    bram.goto(f"/projects/{two}?via={link.rsplit('/', 1)[-1]}")  # not even when the address itself says so
    assert "sent you" not in bram.locator("body").inner_text()
    follow(bram, "^Stand behind this$")
    pledge_here(bram, "20")
    assert credits(world, two) == []

    pledge(bram, one, bonus="15")
    assert (credits(world, one), credits(world, two)) == (["Bram Smit by Ada Vermeer"], [])
    ada.goto(f"/projects/{two}/share")
    says(ada, "0 visits, 0 pledges")
    soon_says_at(ada, f"/projects/{one}/share", "1 visit, 1 pledge, €15 pledged")


def test_who_asks_not_to_be_followed_is_credited_by_the_address_alone(world, visitor):
    slug, _noor = live_project(world, "Not followed")
    world.account("Ada Vermeer", "ada.gpc@example.org")
    world.account("Bram Smit", "bram.gpc@example.org")
    ada, bram = visitor(), visitor(extra_http_headers={"Sec-GPC": "1"}, width=360)
    sign_in(ada, "ada.gpc@example.org")
    link = own_link(ada, slug)
    code = link.rsplit("/", 1)[-1]
    bram.goto(link)
    assert bram.url == f"{world.url}/projects/{slug}?via={code}"
    says(bram, "Ada sent you.")
    assert cookies(bram) == set()
    # The code in the address is all that there is: without it nobody sent him, with it all the way through signing in.
    bram.goto(f"/projects/{slug}")
    assert "sent you" not in bram.locator("body").inner_text()
    bram.go_back()
    follow(bram, "^Stand behind this$")
    bram.wait_for_url("**/login?**")
    fill(bram, email="bram.gpc@example.org", password=PASSWORD)
    press(bram, "Log in")
    bram.wait_for_url(f"**/projects/{slug}/pledge?via={code}")
    says(bram, "Ada brought you here and will see your first name and the amount.")
    pledge_here(bram, "20")
    assert cookies(bram) & {"via", "device"} == set()
    assert credits(world, slug) == ["Bram Smit by Ada Vermeer"]
    ada.goto(f"/projects/{slug}/share")
    soon_says(ada, "0 visits, 1 pledge, €20 pledged")  # nor was his visit counted

    # Another says so by himself, on the form: whoever sent him is forgotten, by his account and his browser. ----------
    world.account("Cato Jansen", "cato.gpc@example.org")
    cato = visitor()
    cato.goto(link)
    sign_in(cato, "cato.gpc@example.org")
    cato.goto(f"/projects/{slug}/pledge")
    says(cato, "Ada brought you here and will see your first name and the amount.")
    follow(cato, "^I came by myself$")
    cato.wait_for_url(f"**/projects/{slug}")
    assert "sent you" not in cato.locator("body").inner_text()
    pledge(cato, slug, bonus="30")
    assert credits(world, slug) == ["Bram Smit by Ada Vermeer"]
    soon_says(ada, "1 visit, 1 pledge, €20 pledged")


def test_a_link_that_leads_nowhere_says_so_and_a_replayed_one_is_one_visit(world, visitor):
    slug, _noor = live_project(world, "Clear pages")
    held, _noor = live_project(world, "Looked into", state="suspended")
    ada_mail = world.account("Ada Vermeer", "ada.clear@example.org")
    with world.app.app_context():
        code_of_held = link_of(world.one("SELECT id FROM person WHERE email = %s", ada_mail),
                               world.one("SELECT id FROM project WHERE slug = %s", held)).code
    ada, bram = visitor(), visitor(width=360)
    sign_in(ada, ada_mail)
    link = own_link(ada, slug)
    for word, why in (("login", "would speak for the site"), ("nachttréin", "a to z"), (code_of_held, "like one of our codes")):
        fill(ada, word=word)
        press(ada, "Take this word")
        says(ada, why)
        assert ada.locator("[name=word]").input_value() == word  # still there to be mended
    fill(ada, word="clear-pages")
    press(ada, "Take this word")
    says(ada, "/s/clear-pages")

    for path in ("AAAAAAAAAAAAA", "login", "nachttréin", "🚂" * 13, "' OR 1=1--", "K" * 2_000, f"{link[-13:]}x"):
        answer = bram.goto(f"/s/{path}")
        assert answer.status == 404, path
        says(bram, "This sharing link leads nowhere.", "Discover projects")
        assert not scrolls_sideways(bram)
    assert cookies(bram) == set()
    bram.goto(f"/s/{code_of_held}")
    says(bram, "On hold.", "No pledges are taken meanwhile, and nobody is charged.")
    assert not bram.get_by_role("link", name="Stand behind this").count()

    bram.goto(f"{world.url}/s/Clear-Pages")
    says(bram, "Ada sent you.")
    replay(link, bram.evaluate("() => navigator.userAgent"), 500)
    soon_says_at(ada, f"/projects/{slug}/share", "1 visit, 0 pledges")
    assert world.one("SELECT count(*) FROM share_visit v JOIN share_link l ON l.id = v.link_id WHERE l.code = %s",
                     link[-13:]) == 1


def test_people_who_share_a_laptop(world, visitor):
    slug, noor_mail = live_project(world, "One laptop")
    ada_mail = world.account("Ada Vermeer", "ada.laptop@example.org")
    laptop = visitor()
    sign_in(laptop, ada_mail)
    link = own_link(laptop, slug)
    log_out(laptop)
    for name, amount in (("Bram Vermeer", "20"), ("Cato Jansen", "30")):
        address = world.account(name, f"{name.split()[0].lower()}.laptop@example.org")
        laptop.goto(link)
        says(laptop, "Ada sent you.")
        sign_in(laptop, address)
        pledge(laptop, slug, bonus=amount)  # the pledge stands in any case
        log_out(laptop)
    assert credits(world, slug) == []

    # Ada reads that people look, and no reproach. -----------------------------------------------------------------
    ada = visitor(width=360)
    sign_in(ada, ada_mail)
    ada.goto(f"/projects/{slug}/share")
    soon_says(ada, "2 pledges by your link are being looked at. They may count a little later.", "0 pledges")
    follow(ada, "^See why$")
    says(ada, "The pledges themselves always stand.")
    assert not scrolls_sideways(ada)

    # The organiser knows the two: her partner counts, the other is said to be herself. ------------------------------
    noor = visitor()
    sign_in(noor, noor_mail)
    noor.goto(f"/projects/{slug}/recruits/review")
    says(noor, "2 things to look at", "Backer and recruiter used the same browser.", "Usual in a household or at work",
         "by the link of Ada", "Bram backer 1", "€20.00", "Cato backer 2", "€30.00")
    decide(noor, "Cato", "It does not count")
    says(noor, "Say in a few words why they do not count.")  # nothing is taken away without a reason
    decide(noor, "Cato", "It does not count", "A second account of hers")
    says(noor, "Decided: these pledges do not count. The pledges themselves stand.", "One thing to look at")
    decide(noor, "Bram", "It counts")
    says(noor, "Decided: these pledges count.", "Nothing to look at")
    assert credits(world, slug) == ["Bram Vermeer by Ada Vermeer"]

    struck = world.post.wait(ada_mail, "One pledge by your link is not counted: One laptop")
    assert "The pledges themselves stand as they are" in struck and "second account" not in struck
    assert "it counts for you" in world.post.wait(ada_mail, "One pledge by your link counts: One laptop")
    soon_says_at(ada, f"/projects/{slug}/share", "By you 1 €20.00 €0.00",
                 "One pledge by your link was looked at and is not counted for you.")
    assert world.one("SELECT count(*), sum(amount) FROM pledge JOIN project p ON p.id = project_id "
                     "WHERE p.slug = %s AND pledge.state = 'pledged'", slug) == (2, 50_00)
    assert checks(world) == []


def test_a_widget_on_a_foreign_page(world, visitor):
    slug, _noor = live_project(world, "Seen elsewhere")
    world.account("Ada Vermeer", "ada.widget@example.org")
    world.account("Bram Smit", "bram.widget@example.org")
    ada, bram = visitor(), visitor()
    sign_in(ada, "ada.widget@example.org")
    own_link(ada, slug)
    lines = ada.locator("#embed-frame").input_value()
    with foreign_page(lines) as address:
        bram.goto(address)
        frame = bram.frame_locator("iframe")
        frame.get_by_role("heading", name="Seen elsewhere").wait_for()
        assert cookies(bram) == set()  # it watches nobody who only reads the page
        frame.get_by_role("link", name="Stand behind this").click()
        bram.wait_for_url(f"{world.url}/projects/{slug}")
        says(bram, "Ada sent you.")
        sign_in(bram, "bram.widget@example.org")
        pledge(bram, slug, bonus="20")
    assert credits(world, slug) == ["Bram Smit by Ada Vermeer"]
    ada.goto(f"/projects/{slug}/share")
    soon_says(ada, "1 visit, 1 pledge, €20 pledged")


def test_one_friend_unlocks_a_signed_photo(world, visitor):
    slug, noor_mail = live_project(world, "Signed photo", goal=30_00, days=5)
    ada_mail = world.account("Ada Vermeer", "ada.photo@example.org")
    bram_mail = world.account("Bram Smit", "bram.photo@example.org")
    noor, ada, bram = visitor(width=360), visitor(), visitor()
    sign_in(noor, noor_mail)
    noor.goto(f"/projects/{slug}/recruits/milestones/new")
    fill(noor, friends="1", title="Photo of us", quantity="5", description="With a line for you")
    press(noor, "Save")
    says(noor, "“Photo of us” is on the list.", "One friend", "5 of 5 left", "reached by nobody yet")
    assert not scrolls_sideways(noor)

    sign_in(ada, ada_mail)
    pledge(ada, slug, bonus="20")
    ada_pledge = ada.url.split("?")[0]
    says(ada, "One more friend, and “Photo of us” is for you", "One more friend, 5 left")
    bram.goto(own_link(ada, slug))
    sign_in(bram, bram_mail)
    pledge(bram, slug, bonus="15")
    soon_says(ada, "Kept for you until your friends' money has come and stayed for 14 days.")
    kept = world.post.wait(ada_mail, "You brought a friend: “Photo of us” is kept for you")
    assert "We wait 14 days more, in case a bank takes a payment back." in kept

    # The money is collected, but a bank may still take it back: kept, not given. -----------------------------------
    world.move(**until(world, slug, seconds=2))
    soon_says_at(noor, f"/projects/{slug}", "Funded.")
    for person, address in ((bram, bram_mail), (ada, ada_mail)):
        sign_in(person, address)
    soon_says_at(bram, f"{world.url}/me", "€15.00")
    soon_says_at(ada, ada_pledge, "Thank you, Ada. €20.00 was charged", "1 visit, 1 pledge, €15 collected")
    says(ada, "Kept for you until your friends' money has come and stayed for 14 days.")
    world.move(days=13)
    sign_in(ada, ada_mail)
    ada.goto(ada_pledge)
    says(ada, "Photo of us", "Kept for you")
    assert world.post.to(ada_mail, "is yours") == []

    # The days are over: it is hers, on every page, in a mail and in the organiser's list. -----------------------------
    world.move(days=1, minutes=5)
    assert "“Photo of us” comes to you besides your reward." in world.post.wait(ada_mail, "“Photo of us” is yours")
    for address in (ada_pledge, f"/projects/{slug}/share"):
        sign_in(ada, ada_mail)
        ada.goto(address)
        says(ada, "What friends unlock", "Photo of us", "Yours.")
    sign_in(noor, noor_mail)
    noor.goto(f"/projects/{slug}/recruits/milestones")
    says(noor, "4 of 5 left", "earned by one")
    noor.goto(f"/projects/{slug}/backers")
    rows = csv.DictReader(io.StringIO(download(noor, "CSV").decode("utf-8-sig")))
    assert [(row["Name"], row["Recruits"], row["Unlocked by sharing"]) for row in rows] == [
        ("Ada Vermeer", "1", "Photo of us"), ("Bram Smit", "0", "")]
    assert checks(world) == []


# What people do here ---------------------------------------------------------------------------------------------------

def pledge_here(page, amount):
    """From the pledge form that is open, so that what its address carries goes along."""
    choose(page, bonus=amount)
    press(page, "Continue to card details")
    save_card(page)
    is_backer(page)


def decide(page, backer, button, why=""):
    doubt = page.locator(".doubts > li", has_text=backer)
    doubt.locator("[name=reason]").fill(why)
    doubt.get_by_role("button", name=button, exact=True).click()


def cookies(page):
    """The names of what this browser keeps for us."""
    return {one["name"] for one in page.context.cookies() if one["domain"] == "localhost"}


def replay(link, agent, times):
    """Ask for a link again and again, as the browser of this name does, on one connection."""
    address = urlsplit(link)
    connection = HTTPConnection("127.0.0.1", address.port)
    for _ in range(times):
        connection.request("GET", address.path, headers={"Host": address.netloc, "User-Agent": agent})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 303
    connection.close()


def sums(page, head):
    """A table of sums on the report: how many came, pledged, collected, for each row; visits left out."""
    rows = [[re.sub(r"\s+", " ", cell).strip() for cell in row.locator("th, td").all_inner_texts()]
            for row in page.locator(f"table[aria-labelledby='{head}'] :is(tbody, tfoot) tr").all()]
    return {label: cells for label, _visits, *cells in rows}


@contextmanager
def foreign_page(lines):
    """Somebody else's site, at an origin of its own, with these lines pasted into it."""
    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>A blog</title><main><p>Look:</p>{lines}</main>".encode())

        def log_message(self, *_words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
