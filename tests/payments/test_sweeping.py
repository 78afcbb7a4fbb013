"""S-45 to S-49, S-09: what no webhook brought is fetched, each type has its reader, stuck news is taken up again."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from core import clock
from core.db import db, transaction
from core.jobs import drain
from payments import accounts, cards, gateway, inbox, sweeping
from payments.models import Payment
from tests.factories import back, check_money, hold, make_person, make_project, scalar
from tests.payments.test_reconciling import collected, leased

# S-48: what Stripe's endpoint is subscribed to, and what each is read by.
TYPES = {
    "checkout.session.completed": "_card_form", "checkout.session.expired": "_card_form",
    "setup_intent.succeeded": "_setup_intent", "setup_intent.setup_failed": "_setup_intent",
    "payment_intent.succeeded": "hear_of_payment", "payment_intent.payment_failed": "hear_of_payment",
    "payment_intent.processing": "hear_of_payment", "payment_intent.canceled": "hear_of_payment",
    "payment_intent.requires_action": "hear_of_payment", "payment_intent.created": "hear_of_payment",
    "charge.refunded": "hear_of_refund", "charge.refund.updated": "hear_of_refund",
    "refund.created": "hear_of_refund", "refund.updated": "hear_of_refund", "refund.failed": "hear_of_refund",
    "charge.dispute.created": "hear_of_dispute", "charge.dispute.updated": "hear_of_dispute",
    "charge.dispute.closed": "hear_of_dispute", "charge.dispute.funds_withdrawn": "hear_of_dispute",
    "charge.dispute.funds_reinstated": "hear_of_dispute", "radar.early_fraud_warning.created": "hear_of_warning",
    "transfer.created": "hear_of_transfer", "transfer.reversed": "hear_of_transfer", "transfer.updated": "hear_of_transfer",
    "payout.paid": "_kept", "payout.failed": "_kept", "mandate.updated": "_kept",
    "payment_method.automatically_updated": "hear_of_method", "payment_method.detached": "hear_of_method",
    "payment_method.updated": "hear_of_method", "account.updated": "_account",
    "v2.core.account[requirements].updated": "_account",
    "v2.core.account[configuration.recipient].capability_status_updated": "_account",
    "issuing_card.created": "_kept",
}


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_has_its_reader(kind):
    handler = next((handler for start, handler in inbox.HANDLERS if kind.startswith(start)), inbox._kept)
    assert TYPES[kind] in {handler.__name__, *handler.__code__.co_names}, kind


def events(kind):
    return scalar("SELECT count(*) FROM stripe_event WHERE type = :k", k=kind)


def test_news_that_no_webhook_brought_is_fetched_and_handled_once(app, stripe):
    """S-47: webhooks were off for two hours."""
    collected(app, stripe)
    there = len(stripe.get("state/event")) + len(stripe.get("state/v2.core.event"))
    assert there > 3 and sweeping.sweep() == there
    assert scalar("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'payments:handle_event'") == there
    drain(app)
    assert scalar("SELECT count(*) FROM stripe_event WHERE handled_at IS NULL") == 0
    assert sweeping.sweep() == 0
    check_money()


def test_a_pledge_whose_every_webhook_was_lost_is_there_within_a_quarter_of_an_hour(app, stripe):
    placed = hold(make_project(), make_person())
    from backing.models import Pledge

    pledge = db.session.get(Pledge, placed.pledge_id)
    cards.open_card_form(subject_id=pledge.id, project_id=pledge.project_id, person=pledge.backer, currency="EUR",
                         description="x", locale="en", return_url="http://localhost/back", cancel_url="http://localhost/")
    stripe.post(f"checkout/{scalar('SELECT session_id FROM card_setup')}/complete")
    db.session.rollback()
    assert sweeping.watch() > 0
    drain(app, ticking=False)
    assert scalar("SELECT state FROM pledge") == "pledged"
    assert sweeping.watch() == 0  # ten minutes from now
    stripe.post("webhooks", mode="mute")
    clock.move_clock(timedelta(minutes=11))
    project = make_project(goal=1_000)
    back(stripe, project, bonus=2_000)
    assert sweeping.watch() > 0
    check_money()


def test_the_sweep_begins_where_it_ended_and_looks_back_an_hour(app, stripe):
    collected(app, stripe)
    sweeping.watch()
    before = len(stripe.get("log"))
    clock.move_clock(timedelta(hours=5))
    sweeping.watch()
    asked = [e for e in stripe.get("log")[before:] if e["path"] == "/v1/events"]
    since = int(asked[0]["params"]["created"]["gte"])
    assert abs(scalar("SELECT extract(epoch FROM clock_now())") - since - 6 * 3600) < 60
    assert asked[1]["params"]["delivery_success"] in ("false", False)
    before = len(stripe.get("log"))
    clock.move_clock(timedelta(minutes=9))
    assert sweeping.watch() == 0 and len(stripe.get("log")) == before  # not more often than every ten minutes


def test_what_stripe_could_not_deliver_is_fetched_however_long_ago_it_was(app, stripe):
    """Older than the last sweep, and shown late: its own list of the undelivered still has it."""
    sweeping.sweep()
    stripe.post("webhooks", url="http://127.0.0.1:9/", mode="mute")
    try:
        back(stripe, make_project(goal=1_000), bonus=2_000)
        undelivered = stripe.get("webhooks")["undelivered"]
        assert undelivered > 1 and sweeping.sweep(clock.now() + timedelta(days=1)) == undelivered
    finally:
        stripe.post("webhooks", url="", mode="normal", resume=False)
    drain(app, ticking=False)
    assert scalar("SELECT count(*) FROM stripe_event WHERE handled_at IS NOT NULL") == undelivered
    check_money()


@pytest.mark.parametrize("list_", ["GET /v1/events*", "GET /v2/core/events*"])
def test_a_sweep_that_was_not_read_to_the_end_is_begun_again_where_it_began(app, stripe, list_):
    collected(app, stripe)
    stripe.post("faults", match=list_, kind="500_before", times=None)
    with pytest.raises(gateway.Silence):
        sweeping.sweep()
    assert scalar("SELECT count(*) FROM stripe_cursor") == 0
    db.session.rollback()
    stripe.call("DELETE", "faults")
    sweeping.sweep()
    assert scalar("SELECT count(*) FROM stripe_event") == len(stripe.get("state/event")) + len(stripe.get("state/v2.core.event"))
    assert scalar("SELECT name FROM stripe_cursor") == "events"


def test_an_event_whose_job_is_gone_is_queued_again(app, stripe):
    inbox.receive({"id": "evt_1", "type": "issuing_card.created", "created": 1})
    with transaction() as session:
        session.execute(sa.text("DELETE FROM procrastinate_jobs"))
    assert sweeping.requeue_stuck() == 0  # it is young
    clock.move_clock(timedelta(minutes=3))
    sweeping.watch()
    assert scalar("SELECT count(*) FROM procrastinate_jobs WHERE args->>'event_id' = 'evt_1'") == 1
    assert sweeping.requeue_stuck() == 0  # it has its job again
    drain(app, ticking=False)
    assert scalar("SELECT handled_at IS NOT NULL FROM stripe_event")


@pytest.mark.parametrize("event", [
    {"type": "checkout.session.completed", "data": {"object": {"id": "cs_nobody"}}},
    {"type": "account.updated", "account": "acct_stranger", "data": {"object": {"id": "acct_stranger"}}}])
def test_an_event_that_nobody_can_place_ends_after_five_minutes_and_is_kept_with_a_warning(app, stripe, event):
    """S-45, S-46: it may be ours and early; refused with 400 it would come for days and end with a silenced endpoint."""
    stripe.post("reset")
    inbox.receive({"id": "evt_1", **event})
    drain(app, ticking=False)
    assert scalar("SELECT handled_at FROM stripe_event") is None
    clock.move_clock(timedelta(minutes=6))
    with transaction() as session:
        session.execute(sa.text("UPDATE procrastinate_jobs SET scheduled_at = NULL"))
    with capture_logs() as said:
        drain(app, ticking=False)
    assert scalar("SELECT handled_at IS NOT NULL FROM stripe_event")
    assert [(line["type"], line["account"]) for line in said if line["event"] == "event of something that is not ours"
            ] == [(event["type"], event.get("account"))]


def test_the_row_and_its_job_are_one_statement_and_the_job_is_as_any_other(app):
    assert inbox.receive({"id": "evt_1", "type": "x", "context": "acct_1"}) and not inbox.receive({"id": "evt_1", "type": "x"})
    [job] = db.session.execute(sa.text("SELECT queue_name, task_name, args, lock, queueing_lock, priority FROM procrastinate_jobs"))
    assert tuple(job) == ("money", "payments:handle_event", {"event_id": "evt_1"}, None, None, 0)
    with pytest.raises(ZeroDivisionError), transaction():
        inbox.receive({"id": "evt_2", "type": "x"})
        raise ZeroDivisionError
    assert scalar("SELECT count(*) FROM stripe_event") == scalar("SELECT count(*) FROM procrastinate_jobs") == 1


def test_a_payload_with_a_zero_character_is_stored_all_the_same(app):
    text = json.dumps({"id": "evt_1", "type": "x", "note": "a\x00b"})
    assert inbox.receive(json.loads(text), text)
    assert scalar("SELECT payload->>'note' FROM stripe_event") == "a\ufffdb"


def test_handled_events_are_forgotten_after_90_days_and_others_are_not(app):
    for n in range(3):
        inbox.receive({"id": f"evt_{n}", "type": "x"})
    with transaction() as session:
        session.execute(sa.text("UPDATE stripe_event SET handled_at = clock_now() WHERE event_id <> 'evt_0'"))
        session.execute(sa.text("UPDATE stripe_event SET received_at = clock_now() - interval '91 days' WHERE event_id <> 'evt_2'"))
    assert sweeping.forget_old() == 1
    assert db.session.scalars(sa.text("SELECT event_id FROM stripe_event ORDER BY 1")).all() == ["evt_0", "evt_2"]


def test_thin_events_carry_nothing_and_are_read_at_stripe(app, stripe):
    """S-49: an account becomes ready; the event says only which one."""
    person = make_person()
    accounts.onboarding(person, "NL", "http://localhost/back", "http://localhost/again")
    account = scalar("SELECT stripe_id FROM payout_account")
    db.session.rollback()
    stripe.post(f"accounts/{account}/activate")
    thin = [e for e in stripe.get("state/v2.core.event") if e["related_object"]["id"] == account]
    assert thin and "object" not in (thin[-1].get("data") or {})
    assert sweeping.sweep() > 0
    drain(app, ticking=False)
    assert scalar("SELECT is_active FROM payout_account")
    assert scalar("SELECT count(*) FROM stripe_event WHERE type LIKE 'v2.%' AND handled_at IS NOT NULL") >= 1


def test_a_creators_account_says_for_itself_what_became_of_it(app, stripe):
    """`account.updated` comes from the connected account and is about our row of it (S-48); the account is read anew."""
    person = make_person()
    accounts.onboarding(person, "NL", "http://localhost/back", "http://localhost/again")
    account = scalar("SELECT stripe_id FROM payout_account")
    db.session.rollback()
    stripe.post(f"accounts/{account}/activate")
    inbox.receive({"id": "evt_1", "type": "account.updated", "account": account, "data": {"object": {"id": account}}})
    drain(app, ticking=False)
    assert scalar("SELECT is_active FROM payout_account")


def test_what_happens_on_a_creators_own_account_is_stored_and_left_alone(app, stripe):
    inbox.receive({"id": "evt_1", "type": "payment_intent.succeeded", "account": "acct_9", "data": {"object": {"id": "pi_x"}}})
    drain(app, ticking=False)
    assert scalar("SELECT handled_at IS NOT NULL FROM stripe_event")


def test_a_card_that_the_bank_renewed_or_that_is_gone_is_known(app, stripe):
    pledge = back(stripe, make_project(), make_person())
    method = pledge.card.payment_method_id
    db.session.rollback()
    row = stripe.get(f"state/payment_method/{method}")
    stripe.post("tamper", kind="payment_method", id=method, set={"card": {**row["card"], "last4": "9999", "exp_year": 2039}})
    inbox.receive({"id": "evt_1", "type": "payment_method.automatically_updated", "data": {"object": {"id": method}}})
    drain(app, ticking=False)
    assert scalar("SELECT card_last4 || card_exp FROM card_setup").startswith("99992039-")
    stripe.post("tamper", kind="payment_method", id=method, set={"customer": None})
    inbox.receive({"id": "evt_2", "type": "payment_method.detached", "data": {"object": {"id": method}}})
    drain(app, ticking=False)
    assert scalar("SELECT dead_why FROM card_setup") == "detached"


def test_a_charge_whose_end_is_not_known_for_a_quarter_of_an_hour_is_told_to_staff_once(app, stripe):
    """S-09."""
    from payments import charging

    make_person(is_staff=True)
    _pledge, one = leased(stripe)
    stripe.post("faults", match="POST */confirm", kind="drop_after", times=None)
    stripe.post("faults", match="GET /v1/payment_intents*", kind="500_before", times=None)
    with pytest.raises(gateway.Silence):
        charging.charge(one.payment_id, one.payment_method_id, "x")
    assert sweeping.watch_unknown() == 0
    clock.move_clock(timedelta(minutes=16))
    for _ in range(3):
        assert sweeping.watch_unknown() == 1
    assert scalar("SELECT count(*) FROM mail WHERE name = 'payments/alert'") == 1
    assert db.session.get(Payment, one.payment_id).state.value == "unknown"  # and nobody called it a failure
    db.session.rollback()
    stripe.call("DELETE", "faults")
    charging.resolve_unknown()
    assert scalar("SELECT state FROM payment") == "succeeded" and sweeping.watch_unknown() == 0
    assert stripe.get("counts")["charges_succeeded"] == 1
    check_money()


def test_the_measured_figures_say_what_should_wake_somebody(app, client, stripe):
    inbox.receive({"id": "evt_1", "type": "x"})
    clock.move_clock(timedelta(minutes=5))
    page = client.get("/metrics").get_data(as_text=True)
    figures = dict(line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("achterban_") and "{" not in line)
    assert float(figures["achterban_webhook_lag_seconds"]) >= 300
    assert {"achterban_unknown_charges", "achterban_mismatches", "achterban_ledger_imbalance", "achterban_money_safe_mode",
            "achterban_reconciled_seconds", "achterban_jobs_stalled"} <= set(figures)


def test_a_site_without_a_worker_is_not_ready(app, client):
    assert "no worker has given a sign of life for a minute" in client.get("/readyz").get_json()["wrong"]
    with transaction() as session:
        session.execute(sa.text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())"))
    assert client.get("/readyz").status_code == 200


