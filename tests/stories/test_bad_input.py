"""Bad input: each a clear sentence, a 4xx, and nothing written."""

import io
import json
import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image

import config
from core import clock
from projects.models import ProjectState
from tests.factories import back, csrf_token, hold, make_person, make_project, make_reward, sign_in
from tests.web.scene import fingerprint


@pytest.fixture
def creator(app: Any, client: Any) -> Any:
    person = make_person("Noor Bakker")
    sign_in(client, person)
    return person


@pytest.fixture
def draft(creator: Any) -> Any:
    return make_project(creator, state=ProjectState.DRAFT, launched_at=None, fee_bp=None)


def refused(database_url: str, client: Any, path: str, status: int, *words: str, form: str = "", **fields: Any) -> str:
    """Send it with the token of its form; it is refused with these words and every row is as it was."""
    if "csrf_token" not in fields:
        fields["csrf_token"] = csrf_token(client, form or path)
    quiet = {"web_session", "person_device", "person_network", "visit_salt"}  # that somebody was here
    before = {table: rows for table, rows in fingerprint(database_url).items() if table not in quiet}
    answer = client.post(path, data=fields)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))
    assert answer.status_code == status, (answer.status_code, text[:1500])
    for word in words:
        assert word in text, f"not “{word}” in: {text[:2500]}"
    after = {table: rows for table, rows in fingerprint(database_url).items() if table not in quiet}
    assert {table for table in after if after[table] != before.get(table)} == set()
    return str(answer.text)


def basics(project: Any, **other: Any) -> dict[str, Any]:
    local = project.deadline
    return {"title": project.title, "blurb": project.blurb, "category": "music", "place": "Utrecht", "country": "NL",
            "goal": "1000", "currency": "EUR", "zone": "Europe/Amsterdam", "edition": project.edition,
            "day": local.date().isoformat(), "time": "20:00"} | other


@pytest.mark.parametrize(("goal", "words"), [
    ("0", "goal"), ("twelve", "Write the goal as a number, like 24000."), ("-5", "Write the goal as a number"),
    ("1e9", "Write the goal as a number"), ("١٢٣x", "Write the goal as a number"), ("999999999999", "")])
def test_a_goal_that_is_no_goal(client: Any, draft: Any, database_url: str, goal: str, words: str) -> None:
    page = refused(database_url, client, f"/projects/{draft.slug}/edit", 422, words, **basics(draft, goal=goal))
    assert f'value="{goal}"' in page and 'aria-invalid="true"' in page


@pytest.mark.parametrize(("days", "words"), [
    (-1, "This moment has passed. Choose a later one."), (61, "At most 60 days."), (400, "At most 60 days.")])
def test_a_last_day_out_of_reach(client: Any, draft: Any, database_url: str, days: int, words: str) -> None:
    day = (clock.now() + timedelta(days=days)).date().isoformat()
    page = refused(database_url, client, f"/projects/{draft.slug}/edit", 422, words, **basics(draft, day=day))
    assert f'value="{day}"' in page


def test_a_last_day_that_is_no_day(client: Any, draft: Any, database_url: str) -> None:
    refused(database_url, client, f"/projects/{draft.slug}/edit", 422, "Write the day like 2026-12-31.",
            **basics(draft, day="soon"))
    refused(database_url, client, f"/projects/{draft.slug}/edit", 422, **basics(draft, zone="Mars/Olympus"))


def test_two_tabs_do_not_undo_each_other(client: Any, draft: Any, database_url: str) -> None:
    path, first, second = f"/projects/{draft.slug}/edit", basics(draft), basics(draft, blurb="From the other tab.")
    saved = client.post(path, data=first | {"blurb": "From this tab.", "csrf_token": csrf_token(client, path)})
    assert saved.status_code == 303
    page = refused(database_url, client, path, 422, **second)
    assert "From the other tab" in page  # still there to be sent again
    assert "From this tab" in client.get(path).text


def test_two_tabs_with_one_pledge(app: Any, client: Any, stripe: Any, database_url: str) -> None:
    backer = make_person()
    pledge = back(stripe, make_project(), backer, bonus=1_000)
    sign_in(client, backer)
    path = f"/pledges/{pledge.id}/change"
    token = csrf_token(client, path)
    assert client.post(path, data={"csrf_token": token, "version": 1, "reward": "", "other": "20"}).status_code == 303
    refused(database_url, client, path, 409, "You changed this pledge in another window.", csrf_token=token, version=1,
            reward="", other="30")


@pytest.fixture
def fan(app: Any, client: Any, stripe: Any) -> Any:
    person = make_person("Mo El Idrissi")
    sign_in(client, person)
    return person


@pytest.fixture
def shirt(fan: Any) -> Any:
    return make_reward(make_project(), price=3_500, quantity=2)


def pledge_path(reward: Any) -> str:
    from core.db import db
    from projects.models import Project

    return f"/projects/{db.session.get_one(Project, reward.project_id).slug}/pledge"


def test_an_amount_below_the_price(client: Any, shirt: Any, database_url: str) -> None:
    refused(database_url, client, pledge_path(shirt), 422, "This reward costs €35.00; your amount is below it.",
            reward=f"{shirt.id}:3500", amount="20")


@pytest.mark.parametrize(("amount", "words"), [
    ("0.10", "A pledge is at least €0.50."), ("1000000", "A pledge is at most €999,999.99."),
    ("-5", "Write the amount as a number"), ("a lot", "Write the amount as a number"), ("1e3", "Write the amount"),
    ("NaN", "Write the amount"), ("9" * 20, "")])
def test_an_amount_out_of_range(client: Any, shirt: Any, database_url: str, amount: str, words: str) -> None:
    page = refused(database_url, client, pledge_path(shirt), 422, words, reward="", bonus="0", other=amount)
    assert f'value="{amount}"' in page


def test_nothing_chosen_at_all(client: Any, shirt: Any, database_url: str) -> None:
    refused(database_url, client, pledge_path(shirt), 422, "A pledge is at least €0.50.", reward="", bonus="0")


def test_a_price_that_was_never_asked(client: Any, shirt: Any, database_url: str) -> None:
    refused(database_url, client, pledge_path(shirt), 422, "price of this reward has changed",
            reward=f"{shirt.id}:100", bonus="0")


def test_sold_out_between_form_and_submit(client: Any, shirt: Any, database_url: str) -> None:
    path, token = pledge_path(shirt), csrf_token(client, pledge_path(shirt))
    from core.db import db
    from projects.models import Project

    project = db.session.get_one(Project, shirt.project_id)
    for _ in range(2):
        hold(project, make_person(), shirt)
    page = refused(database_url, client, path, 409, "has just gone to somebody else", csrf_token=token,
                   reward=f"{shirt.id}:3500", other="7")
    assert 'value="7"' in page and "All 2 are gone" in page


def test_an_expired_hold_takes_no_card(client: Any, fan: Any, shirt: Any, app: Any, database_url: str) -> None:
    from core.db import db
    from core.jobs import drain
    from projects.models import Project

    placed = hold(db.session.get_one(Project, shirt.project_id), fan, shirt)
    clock.move_clock(timedelta(minutes=16))
    drain(app)
    token = csrf_token(client, "/me/settings")
    assert "Your hold has ended." in client.get(f"/pledges/{placed.pledge_id}").text
    refused(database_url, client, f"/pledges/{placed.pledge_id}/card", 409, "This pledge needs no card any more.",
            csrf_token=token)
    refused(database_url, client, f"/pledges/{placed.pledge_id}/cancellation", 409, "cannot be cancelled any more",
            csrf_token=token)


@pytest.mark.parametrize("end", ["card", "change", "cancellation", "payment", "hold"])
def test_pledges_of_others_and_of_nobody(client: Any, fan: Any, stripe: Any, database_url: str, end: str) -> None:
    token = csrf_token(client, "/me/settings")
    for id_ in (back(stripe, make_project(), bonus=1_000).id, uuid.uuid4()):
        refused(database_url, client, f"/pledges/{id_}/{end}", 404, "There is no pledge at this address.",
                csrf_token=token, version=1, reward="", other="20")
        assert client.get(f"/pledges/{id_}").status_code == 404
    assert client.get("/pledges/7").status_code == 404


def picture(kind: str = "JPEG", size: tuple[int, int] = (1600, 1067)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "#0E3B31").save(file, kind)
    return file.getvalue()


FAKES = {"words": b"this is no picture", "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
         "html": b"<!doctype html><script>alert(1)</script>", "pdf": b"%PDF-1.7\n1 0 obj\n",
         "torn": picture()[:900], "empty": b"", "polyglot": b"GIF89a" + b"<script>alert(1)</script>" * 20}


@pytest.mark.parametrize("name", FAKES)
def test_a_fake_picture(client: Any, draft: Any, database_url: str, name: str) -> None:
    path = f"/projects/{draft.slug}/edit/picture"
    refused(database_url, client, path, 422, edition=draft.edition, picture_alt="A moon",
            picture=(io.BytesIO(FAKES[name]), "moon.jpg"))


def test_a_picture_of_forty_megabytes(client: Any, draft: Any, database_url: str) -> None:
    path = f"/projects/{draft.slug}/edit/picture"
    big = picture() + b"\0" * (40 * 1024 * 1024)
    refused(database_url, client, path, 413, "12 MB", edition=draft.edition, picture_alt="A moon",
            picture=(io.BytesIO(big), "moon.jpg"), csrf_token=csrf_token(client, path))


@pytest.mark.parametrize("code", ["AAAAAAAAAAAAA", "x", "0" * 13, "../../etc/passwd", "%00", "🚂" * 13])
def test_an_unknown_share_code(client: Any, app: Any, database_url: str, code: str) -> None:
    before = fingerprint(database_url)
    for ending in ("", ".svg", ".png"):
        answer = client.get(f"/s/{code}{ending}")
        assert answer.status_code in (404, 400) and "Set-Cookie" not in answer.headers, answer.status
    assert fingerprint(database_url) == before


def signed(body: bytes, secret: str, at: float) -> str:
    import hashlib
    import hmac

    mark = hmac.new(secret.encode(), f"{int(at)}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={int(at)},v1={mark}"


def test_a_forged_webhook(client: Any, app: Any, stripe: Any, database_url: str) -> None:
    body = json.dumps({"id": "evt_1", "object": "event", "type": "checkout.session.completed", "livemode": False,
                       "created": int(time.time()), "data": {"object": {"id": "cs_test_1"}}}).encode()
    now = datetime.now(UTC).timestamp()
    good = config.SANDBOX_SECRET
    forgeries = [("", body), ("t=1,v1=00", body), (signed(body, "whsec_guess", now), body),
                 (signed(body, good, now - 3_600), body), (signed(body, good, now), body + b" "),
                 (signed(body, good, now).replace("v1=", "v0="), body), (signed(b"{", good, now), b"{"),
                 (signed(b"[]", good, now), b"[]"),
                 (signed(body.replace(b"false", b"true"), good, now), body.replace(b"false", b"true"))]
    before = fingerprint(database_url)
    for mark, sent in forgeries:
        answer = client.post("/webhooks/stripe", data=sent, headers={"Stripe-Signature": mark},
                             content_type="application/json")
        assert answer.status_code == 400, (mark, sent)
    assert fingerprint(database_url) == before
    true = client.post("/webhooks/stripe", data=body, headers={"Stripe-Signature": signed(body, good, now)},
                       content_type="application/json")
    assert true.status_code == 200  # the same body, rightly signed: the proof that the others failed for their mark
    assert fingerprint(database_url) != before
