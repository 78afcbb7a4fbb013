"""Stripe's way past Flask: what is plainly Stripe's is stored in front of it, everything else goes on to the view."""

import io

import pytest

from core.db import db
from payments.shortcut import LARGEST_EVENT, Events
from tests.factories import scalar
from tests.payments.test_webhooks import _event, _mac, _now


@pytest.fixture
def behind(app, monkeypatch):
    """What Flask itself is asked for."""
    front = app.wsgi_app
    while not isinstance(front, Events):
        front = front.inner
    asked, inner = [], front.inner
    monkeypatch.setattr(front, "inner", lambda environ, start: asked.append(environ["PATH_INFO"]) or inner(environ, start))
    return asked


def post(client, body, **more):
    now = _now()
    return client.post("/webhooks/stripe", data=body, headers={
        "Content-Type": "application/json", "Stripe-Signature": f"t={now},v1={_mac(now, body)}", **more})


def stored():
    db.session.rollback()
    return scalar("SELECT count(*) FROM stripe_event"), scalar("SELECT count(*) FROM procrastinate_jobs")


def test_a_signed_event_is_stored_with_its_job_in_front_of_flask_with_all_headers(client, behind):
    first, again = post(client, _event()), post(client, _event())
    assert (first.status_code, first.text, again.status_code) == (200, "ok", 200)
    assert behind == [] and stored() == (1, 1)
    slow = client.get("/privacy")
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy"):
        assert first.headers[name] == slow.headers[name]
    assert first.headers["Cache-Control"] == "no-store" and first.headers["X-Request-Id"]


@pytest.mark.parametrize(("body", "more", "status"), [
    (_event(), {"Stripe-Signature": "t=1,v1=0"}, 400),
    (_event(), {"Stripe-Signature": ""}, 400),
    (_event(livemode=True), {}, 400),
    (b"[]", {}, 400),
    (_event(pad="x" * LARGEST_EVENT), {}, 413),
    (_event(), {"Host": "evil.example"}, 400)])
def test_whatever_is_odd_goes_on_to_flask_which_refuses_it(client, behind, body, more, status):
    assert post(client, body, **more).status_code == status
    assert behind == ["/webhooks/stripe"] and stored() == (0, 0)


def test_other_methods_are_flasks(client, behind):
    assert client.get("/webhooks/stripe").status_code == 405
    assert behind == ["/webhooks/stripe"]


def test_the_view_stores_it_too_when_the_length_is_not_said(client, behind):
    body, now = _event(), _now()
    answer = client.post("/webhooks/stripe", input_stream=io.BytesIO(body), headers={
        "Stripe-Signature": f"t={now},v1={_mac(now, body)}", "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""})
    assert answer.status_code == 200 and behind == ["/webhooks/stripe"] and stored() == (1, 1)
