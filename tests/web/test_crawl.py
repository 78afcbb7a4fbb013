"""W-20, W-21 and W-25 by walking: follow every link as every role, read what comes, send every form with more than it
asks for."""

import re
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import psycopg
import pytest
from lxml import html

from tests.web.scene import ROLES, make_scene

MOST = 140  # pages per role
FIRST = 913_000_001  # serial numbers begin here, so that one on a page is known at sight
SECRETS = re.compile(r"\b(sk|rk|whsec)_[A-Za-z0-9_]+|argon2id|postgresql://")
PRIVATE = re.compile(r"[\w.]+@example\.org")
EXTRA = {"role": "staff", "is_staff": "1", "raised": "99999", "backers": "99", "state": "successful", "fee_bp": "0",
         "creator_id": "", "person_id": "", "backer_id": "", "id": "", "slug": "mine", "number": "1", "claimed": "0",
         "confirmed_at": "2020-01-01", "fs_uniquifier": "x", "launched_at": "2020-01-01", "currency_frozen": "1",
         "held_until": "2099-01-01", "payment_id": "", "collected_at": "2020-01-01", "active": "1"}
# What nobody may set by adding a field; and the forms whose purpose is to change one of them.
GUARDED = {
    "person": "SELECT id, is_staff, fs_uniquifier, password, email, confirmed_at, active FROM person",
    "project": "SELECT id, creator_id, state, fee_bp, launched_at, slug FROM project",
    "totals": "SELECT * FROM project_total", "stock": "SELECT id, project_id, claimed FROM reward",
    "pledge": "SELECT id, project_id, backer_id, number, state, amount, payment_id, collected_at, held_until FROM pledge",
    "team": "SELECT project_id, person_id, role FROM project_member"}
PURPOSE = re.compile(r"/(launch|cancellation|removal|logout|sessions|clock|hold|login|register|change|reset|pledge|"
                     r"rewards/new|milestones/new|team)$|/rewards/[0-9a-f-]{36}$")


@pytest.fixture
def scene(app: Any, stripe: Any, database_url: str) -> Any:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for (name,) in connection.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'").fetchall():
            connection.execute(f"ALTER SEQUENCE {name} RESTART {FIRST}")
    return make_scene(stripe)


def pages(client: Any, start: tuple[str, ...]) -> Any:
    """(path, text) of every page that links lead to."""
    seen, ahead = set(), list(start)
    while ahead and len(seen) < MOST:
        path = ahead.pop(0)
        plain = re.sub(r"[?&](sort|lang|via|next|from)=[^&]*", "", path)
        if plain in seen:
            continue
        seen.add(plain)
        answer = client.get(path)
        assert answer.status_code < 500, path
        if answer.mimetype != "text/html":
            continue
        if answer.status_code in (301, 302, 303):
            links = [answer.location]
        else:
            tree = html.fromstring(answer.get_data())
            links = tree.xpath("//a/@href")
            yield path, answer.text, tree
        for link in links:
            target = urlsplit(urldefrag(urljoin(f"http://localhost{path}", link)).url)
            if target.netloc == "localhost" and not target.path.startswith(("/static", "/media", "/s/")):
                ahead.append(target.path + (f"?{target.query}" if target.query else ""))


def starts(scene: Any, role: str) -> tuple[str, ...]:
    places = [f"/projects/{project.slug}" for project in scene.projects.values()]
    return ("/", "/me", "/me/pledges", *places, *(f"{place}/edit" for place in places),
            *(f"/pledges/{pledge}" for pledge in scene.pledges.values()))


@pytest.mark.parametrize("role", ROLES)
def test_no_page_tells_a_serial_number_or_a_secret(app: Any, scene: Any, role: str) -> None:
    client, read = scene.browser(app, role), 0
    for path, text, tree in pages(client, starts(scene, role)):
        read += 1
        assert not SECRETS.search(text), path
        assert not re.search(r"\b9130000\d\d\b", text), path
        for value in tree.xpath("//@href | //@action | //@src | //input[not(@type='radio')]/@value"):
            numbers = re.findall(r"/(\d+)(?=[/?#]|$)", urlsplit(value).path) if value.startswith("/") else []
            assert not numbers or "/updates/" in value, (path, value)
        if role in ("anonymous", "stranger"):
            own = scene.people[role].email if role != "anonymous" else ""
            assert set(PRIVATE.findall(text)) <= {own}, path
    assert read > 10


def guarded(database_url: str) -> dict[str, Any]:
    with psycopg.connect(database_url) as connection:
        return {name: sorted(map(str, connection.execute(query).fetchall())) for name, query in GUARDED.items()}


def filled(form: Any) -> dict[str, str]:
    """The form as a browser would send it, untouched."""
    return {name: value for name, value in form.form_values() if name}


@pytest.mark.parametrize("role", ["stranger", "backer_a", "creator", "collaborator", "organiser"])
def test_a_form_takes_no_field_that_it_does_not_show(app: Any, scene: Any, database_url: str, role: str) -> None:
    client, sent = scene.browser(app, role), set()
    found = {(urljoin(f"http://localhost{path}", form.get("action") or path), tuple(sorted(filled(form)))): filled(form)
             for path, _text, tree in pages(client, starts(scene, role)) for form in tree.forms
             if (form.method or "").upper() == "POST"}
    before = guarded(database_url)
    someone = str(scene.people["backer_b"].id)
    for (address, _names), fields in found.items():
        path = urlsplit(address).path
        if PURPOSE.search(path):
            continue
        extra = {name: value or someone for name, value in EXTRA.items() if name not in fields}
        answer = client.post(path, data=fields | extra)
        assert answer.status_code < 500, path
        after = guarded(database_url)
        assert after == before, path
        sent.add(path)
    assert len(sent) >= (3 if role in ("stranger", "backer_a") else 6), sent


def test_the_forms_that_make_things_take_only_what_they_show(app: Any, scene: Any, database_url: str) -> None:
    """A new project, a new reward, a new pledge, an account: what is made is what may be made."""
    client = scene.browser(app, "stranger")
    other = str(scene.people["backer_b"].id)
    more = EXTRA | {"creator_id": other, "backer_id": other, "person_id": other}
    token = scene.token(client, "stranger")
    made = client.post("/projects/new", data=more | {"csrf_token": token, "title": "Mine", "category": "music"})
    slug = made.location.split("/")[2]
    client.post(f"/projects/{slug}/rewards/new", data=more | {"csrf_token": token, "title": "Badge", "price": "5"})
    live = scene.projects["live"]
    client.post(f"/projects/{live.slug}/pledge", data=more | {
        "csrf_token": token, "reward": f"{scene.rewards['live']}:2500", "bonus": "0", "price": "1"})
    client.post("/me/settings", data=more | {"csrf_token": token, "name": "Sanne Vos", "handle": "sanne-v", "bio": "",
                                             "locale": "en", "email": "other@example.org"})
    me = scene.people["stranger"].id
    with psycopg.connect(database_url) as connection:
        def row(query: str, *values: Any) -> Any:
            return connection.execute(query, values).fetchone()

        assert row("SELECT creator_id, state, fee_bp FROM project WHERE slug = %s", slug) == (me, "draft", None)
        assert row("SELECT price, claimed FROM reward WHERE title = 'Badge'") == (500, 0)
        assert row("SELECT state, amount, number, payment_id FROM pledge WHERE backer_id = %s", me) == (
            "held", 2500, None, None)
        assert row("SELECT is_staff, handle, email <> 'other@example.org' FROM person WHERE id = %s", me) == (
            False, "sanne-v", True)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM person WHERE is_staff").fetchone() == (1,)
