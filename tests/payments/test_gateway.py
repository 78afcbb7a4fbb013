"""S-01 to S-09: how we speak to Stripe, and what we make of its silence."""

import ast
import re
import time
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import stripe as sdk

import config
from backing.models import Pledge, PledgeState
from core import clock
from core.db import db
from core.jobs import drain
from payments import accounts, cards, charging, gateway
from tests.factories import (
    back,
    check_money,
    csrf_token,
    end_project,
    hold,
    make_person,
    make_project,
    save_card,
    scalar,
    sign_in,
)
from tests.races import age_leases, threads

S = PledgeState
ROOT = Path(__file__).parents[2]
ROOMS = ("core", "people", "projects", "rewards", "payments", "backing", "sharing", "backers", "insights", "demo")


def _sources():
    return {path: ast.parse(path.read_text()) for room in ROOMS for path in (ROOT / room).rglob("*.py")}


def test_the_library_is_imported_in_one_file_only():
    found = {str(path.relative_to(ROOT)) for path, tree in _sources().items() for node in ast.walk(tree)
             if (isinstance(node, ast.Import) and any(a.name.split(".")[0] == "stripe" for a in node.names))
             or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "stripe")}
    assert found == {"payments/gateway.py"}


def test_every_call_goes_through_client_v1_or_v2_and_none_through_the_module():
    tree = ast.parse((ROOT / "payments/gateway.py").read_text())
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    plain = [call for call in calls if call.startswith("_client(") and not re.match(r"_client\(patient=.+\)\.v[12]\.", call)]
    assert len(plain) == 2 and all(call.endswith(".raw_request") for call in plain)  # create and confirm, by the thousand
    from_module = {call for call in calls if call.startswith("stripe.")}
    assert from_module <= {"stripe.StripeClient", "stripe.APIConnectionError", "stripe.WebhookSignature.verify_header"}
    text = (ROOT / "payments/gateway.py").read_text()
    for banned in ("api_key =", "_without_verification", ".search(", "construct_event"):
        assert banned not in text


def test_the_version_we_speak_is_the_librarys_and_the_sandboxs():
    import sandbox

    assert sdk._api_version._ApiVersion.CURRENT == config.STRIPE_VERSION == sandbox.API_VERSION


def test_both_clients_carry_the_version_and_wait_less_than_the_server_would(app, stripe):
    for patient, seconds, retries in ((False, 8, 0), (True, 20, 2)):
        client = gateway._client(patient=patient)
        options = client._requestor._options
        assert options.stripe_version == config.STRIPE_VERSION
        assert options.max_network_retries == retries
        assert client._requestor._client._timeout == (3, seconds)
        assert options.base_addresses["api"] == stripe.url
    assert sdk.enable_telemetry is False


def test_the_header_on_the_wire_is_the_constant(app, stripe):
    gateway.create_customer(key="customer:1", email="a@example.org", name="A", person_id="1")
    assert stripe.get("log?method=POST")[0]["status"] == 200
    # A strict sandbox refuses another version, so a 200 says that ours went over the wire.
    import urllib.error
    import urllib.request

    asked = urllib.request.Request(f"{stripe.url}/v1/customers", b"email=a%40example.org", headers={
        "Authorization": f"Bearer {config.SANDBOX_KEY}", "Idempotency-Key": "customer:2",
        "Stripe-Version": "2020-08-27"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(asked)


def _send(app, person, project):
    browser = sign_in(app.test_client(), person)
    path = f"/projects/{project.slug}/pledge"
    form = {"csrf_token": csrf_token(browser, path), "token": str(uuid.uuid4()), "other": "20"}
    return browser, browser.post(path, data=form)


def test_when_stripe_hangs_the_page_answers_within_nine_seconds_and_the_pledge_is_kept(app, stripe):
    stripe.post("faults", match="POST /v1/checkout/sessions", kind="hang", seconds=9, times=None)
    project, fan = make_project(), make_person()
    start = time.monotonic()
    browser, answer = _send(app, fan, project)
    assert time.monotonic() - start < 9.5
    assert answer.status_code == 303
    page = browser.get(answer.location).get_data(as_text=True)
    assert "does not answer just now" in page and "Nothing was charged" in page
    assert scalar("SELECT state FROM pledge") == "held"
    stripe.call("DELETE", "faults")
    pledge_id = scalar("SELECT id FROM pledge")
    path = f"/pledges/{pledge_id}"
    while time.monotonic() - start < 10.5:  # until Stripe has given up on the first one
        time.sleep(0.1)
    again = browser.post(f"{path}/card", data={"csrf_token": csrf_token(browser, path)})
    assert again.status_code == 303 and "/c/pay/cs_test_" in again.location
    check_money()


@pytest.mark.parametrize("kind", ["500_before", "429", "drop_before", "409", "lock_timeout"])
def test_when_stripe_fails_the_backer_reads_a_sentence_and_may_go_on(app, stripe, kind):
    stripe.post("faults", match="POST /v1/checkout/sessions", kind=kind, times=1)
    project, fan = make_project(), make_person()
    browser, answer = _send(app, fan, project)
    assert answer.status_code == 303 and "/pledges/" in answer.location
    assert "Your pledge is kept" in browser.get(answer.location).get_data(as_text=True)
    path = f"/pledges/{scalar('SELECT id FROM pledge')}"
    again = browser.post(f"{path}/card", data={"csrf_token": csrf_token(browser, path)})
    assert "/c/pay/cs_test_" in again.location
    check_money()


def test_a_session_that_was_made_but_whose_answer_was_lost_is_found_again_by_its_key(app, stripe):
    stripe.post("faults", match="POST /v1/checkout/sessions", kind="drop_after", times=1)
    project, fan = make_project(), make_person()
    browser, _answer = _send(app, fan, project)
    path = f"/pledges/{scalar('SELECT id FROM pledge')}"
    again = browser.post(f"{path}/card", data={"csrf_token": csrf_token(browser, path)})
    assert "/c/pay/cs_test_" in again.location
    assert stripe.get("counts")["checkout.session"] == 1
    assert scalar("SELECT count(*) FROM card_setup") == 1


def test_every_write_carries_a_key_that_comes_from_a_row(app, stripe):
    """S-04, over a whole life: pledge, end of a hold, collection, a second card, a pledge that is dropped."""
    project = make_project(goal=1_000)
    fine, mended, lost = back(stripe, project), back(stripe, project, number="4000000000000341"), \
        back(stripe, project, number="4000000000000341")
    ended = hold(project, make_person())
    _open(ended.pledge_id)
    clock.move_clock(timedelta(minutes=16))
    drain(app)
    end_project(app, project)
    save_card(stripe, mended.id)
    drain(app)
    clock.move_clock(timedelta(days=8))
    drain(app)
    drain(app)
    db.session.expire_all()
    assert (fine.state, mended.state, lost.state) == (S.COLLECTED, S.COLLECTED, S.DROPPED)
    tables = {"customer": "stripe_customer WHERE person_id", "cs": "card_setup WHERE id", "cx": "card_setup WHERE id",
              "pi": "payment WHERE id", "cf": "payment WHERE id", "call-off": "payment WHERE id"}
    seen = set()
    for entry in stripe.get("log"):
        if entry["method"] != "POST":
            continue
        key = entry["idempotency_key"]
        assert key and len(key) <= 255
        assert re.fullmatch(r"customer:[0-9a-f-]{36}:[0-9a-f]{12}|(cs|cx|pi|call-off):[0-9a-f-]{36}|cf:[0-9a-f-]{36}:\d+", key), key
        op, row, *attempt = key.split(":")
        assert scalar(f"SELECT count(*) FROM {tables[op]} = :id", id=row) == 1, key
        if op == "cf":
            assert scalar("SELECT count(*) FROM payment_attempt WHERE payment_id = :id AND number = :n", id=row,
                          n=int(attempt[0])) == 1
        seen.add(op)
    assert seen == set(tables)
    assert not [e for e in stripe.get("log") if e["status"] == 400 and "idempotency" in e.get("error", "")]
    check_money()


def test_the_same_act_sends_the_same_key(app, stripe):
    project = make_project()
    placed = hold(project, make_person())
    stripe.post("faults", match="POST /v1/checkout/sessions", kind="500_before", times=2)
    for _ in range(3):
        try:
            _open(placed.pledge_id)
        except Exception:
            db.session.rollback()
    keys = [e["idempotency_key"] for e in stripe.get("log") if e["path"] == "/v1/checkout/sessions"]
    assert len(keys) == 3 and len(set(keys)) == 1


def _open(pledge_id):
    pledge = db.session.get(Pledge, pledge_id)
    return cards.open_card_form(subject_id=pledge.id, project_id=pledge.project_id, person=pledge.backer, currency="EUR",
                                description="x", locale="en", return_url="http://localhost/back",
                                cancel_url="http://localhost/")


def test_an_account_is_opened_once_however_often_its_answer_is_lost(app, stripe):
    from core.errors import Unavailable

    creator = make_person()
    stripe.post("faults", match="POST /v2/core/accounts", kind="drop_after", times=1)
    with pytest.raises(Unavailable):
        accounts.onboarding(creator, "NL", "http://localhost/a", "http://localhost/b")
    assert accounts.onboarding(creator, "NL", "http://localhost/a", "http://localhost/b").startswith(stripe.url)
    assert stripe.get("counts")["v2.core.account"] == 1


def test_a_refusal_is_answered_again_under_its_key_and_the_next_attempt_has_another(app, stripe):
    """S-08: the 402 is replayed for `cf:…:1`; only after it is recorded does `cf:…:2` go out."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number="4000000000000341")
    stripe.post("faults", match="POST */confirm", kind="drop_after", times=1)
    end_project(app, project)
    confirms = [e for e in stripe.get("log") if e["path"].endswith("/confirm")]
    assert [e["idempotency_key"].split(":")[2] for e in confirms] == ["1", "1"]
    assert confirms[1]["status"] == 402 and confirms[1]["replayed"]
    assert pledge.state is S.ERRORED
    save_card(stripe, pledge.id)
    drain(app)
    db.session.expire_all()
    assert pledge.state is S.COLLECTED
    assert [e["idempotency_key"].split(":")[2] for e in stripe.get("log") if e["path"].endswith("/confirm")][-1] == "2"
    check_money()


@pytest.mark.parametrize("by", ["poll", "lease"])
def test_a_charge_whose_answer_is_lost_is_unknown_never_failed_and_ends_collected_with_one_charge(app, stripe, by):
    """S-09: executed, and all three answers lost."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project)
    stripe.post("faults", match="POST */confirm", kind="drop_after", times=3)
    end_project(app, project)
    assert (pledge.state, pledge.payment.state) == (S.COLLECTING, "unknown")
    page = sign_in(app.test_client(), pledge.backer).get(f"/pledges/{pledge.id}").get_data(as_text=True).lower()
    assert "failed" not in page and "refused" not in page and "problem" not in page
    if by == "poll":
        clock.move_clock(timedelta(minutes=1))
    else:
        age_leases()
    drain(app)
    drain(app)
    db.session.expire_all()
    assert (pledge.state, pledge.payment.state) == (S.COLLECTED, "succeeded")
    assert stripe.get("counts")["charges_succeeded"] == 1 and stripe.get("counts")["payment_intent"] == 1
    states = db.session.scalars(sa.text("SELECT to_state FROM payment_move ORDER BY id")).all()
    assert "failed" not in states
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/card_problem'") == 0
    check_money()


def test_a_refusal_whose_answer_is_lost_does_not_stand_in_the_way_of_the_next_card(app, stripe):
    """The outcome became known by reading, not by the reply: the next try is a new one, with the new card."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number="4000000000000341")
    stripe.post("faults", match="POST */confirm", kind="drop_after", times=3)
    end_project(app, project)
    assert pledge.payment.state == "unknown"
    clock.move_clock(timedelta(minutes=1))
    drain(app)
    db.session.expire_all()
    assert pledge.state is S.ERRORED
    save_card(stripe, pledge.id)
    drain(app)
    db.session.expire_all()
    assert pledge.state is S.COLLECTED
    assert stripe.get("counts")["charges_succeeded"] == 1
    check_money()


def test_after_a_day_of_silence_we_read_before_we_send_again(app, stripe):
    """S-10: keys are forgotten by then; one charge all the same."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project)
    stripe.post("faults", match="POST */confirm", kind="drop_after", times=3)
    stripe.post("faults", match="GET /v1/payment_intents/*", kind="500_before", times=3)
    end_project(app, project)
    assert pledge.payment.state == "unknown"
    with db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE payment_attempt SET sent_at = sent_at - interval '25 hours'"))
    age_leases()
    stripe.call("DELETE", "faults")
    stripe.post("clock", advance=25 * 3600)
    drain(app)
    drain(app)
    db.session.expire_all()
    assert pledge.state is S.COLLECTED and stripe.get("counts")["charges_succeeded"] == 1
    assert len([e for e in stripe.get("log") if e["path"].endswith("/confirm")]) == 3  # nothing was sent again
    check_money()


def test_a_key_that_is_in_use_is_no_answer_and_ends_collected_with_one_charge(app, stripe):
    """S-07: every try of one run is told that the key is being worked on; nobody calls that a failure."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project)
    stripe.post("faults", match="POST */confirm", kind="409", times=3)
    end_project(app, project)
    assert (pledge.state, pledge.payment.state) == (S.COLLECTING, "unknown")
    keys = {e["idempotency_key"] for e in stripe.get("log") if e["path"].endswith("/confirm")}
    age_leases()
    drain(app)
    drain(app)
    db.session.expire_all()
    assert (pledge.state, pledge.payment.state) == (S.COLLECTED, "succeeded")
    assert {e["idempotency_key"] for e in stripe.get("log") if e["path"].endswith("/confirm")} == keys, "the same key again"
    assert stripe.get("counts")["charges_succeeded"] == 1
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/card_problem'") == 0
    check_money()


def _confirms(stripe):
    return [entry for entry in stripe.get("log") if entry["path"].endswith("/confirm")]


def test_two_workers_on_one_payment_at_a_slow_stripe_make_one_charge(app, stripe):
    """S-07: the second one meets the key of the first, which is still being worked on."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project)
    stripe.post("faults", match="POST */confirm", kind="409", times=3)
    end_project(app, project)
    payment, method = pledge.payment_id, pledge.card.payment_method_id
    before = len(_confirms(stripe))
    stripe.post("faults", match="POST */confirm", kind="delay", seconds=2.0, times=1)

    def work():
        try:
            return charging.charge(payment, method, "x")
        except gateway.Silence:
            return None

    assert "succeeded" in {getattr(answer, "status", None) for answer in threads(app, work, work)}
    met = _confirms(stripe)[before:]
    assert {e["status"] for e in met} >= {200, 409} and len({e["idempotency_key"] for e in met}) == 1, "they met at one key"
    age_leases()
    drain(app)
    db.session.expire_all()
    assert (pledge.state, pledge.payment.state) == (S.COLLECTED, "succeeded")
    assert stripe.get("counts")["charges_succeeded"] == 1
    check_money()
