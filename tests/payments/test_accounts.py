"""S-60, S-61, S-72: who may be paid, how they get there, and in which money."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from core import clock
from core.db import db, transaction
from core.errors import Refusal, Unavailable
from payments import accounts
from payments.models import PayoutAccount
from projects import launching
from projects.models import ProjectState
from tests.factories import csrf_token, end_project, make_person, make_project, scalar, sign_in
from tests.payments.payouts import go, make_account, work


@pytest.fixture
def ready(app, stripe, monkeypatch):
    """A draft that lacks nothing but what money asks for."""
    monkeypatch.setattr(launching, "require_in_reach", lambda *_: None)
    from payments.steps import add_steps
    from projects import hooks
    from projects.hooks import Hook

    only = Hook("only money's steps")
    only.connect(add_steps)
    monkeypatch.setattr(launching, "steps_asked", only)
    assert hooks.steps_asked is not only

    def make(**columns):
        return make_project(**({"state": ProjectState.DRAFT, "launched_at": None, "fee_bp": None} | columns))

    with app.test_request_context():
        yield make


def test_a_project_cannot_launch_without_an_account_that_can_be_paid(ready, stripe):
    project = ready()
    with pytest.raises(Refusal, match="Payout account"):
        launching.launch(project, project.creator)
    make_account(stripe, project.creator)
    assert launching.launch(project, project.creator).state is ProjectState.LIVE


def test_what_counts_at_launch_is_what_stripe_says_now(ready, stripe):
    """S-60: our row says active, and Stripe took it back without a word."""
    project = ready()
    account = make_account(stripe, project.creator)
    stripe.post(f"accounts/{account}/restrict")
    assert db.session.get_one(PayoutAccount, project.creator_id).is_active
    with pytest.raises(Refusal, match="Payout account"):
        launching.launch(project, project.creator)
    assert scalar("SELECT state FROM project") == "draft"


def test_a_silent_stripe_launches_nothing(ready, stripe):
    project = ready()
    make_account(stripe, project.creator)
    stripe.post("faults", match="GET /v2/core/accounts/*", kind="500_before", times=9)
    with pytest.raises(Unavailable, match="Nothing was launched"):
        launching.launch(project, project.creator)
    assert scalar("SELECT state FROM project") == "draft"


def test_a_launch_freezes_the_reserve(ready, stripe, app):
    app.config["RESERVE_BP"] = 700
    try:
        project = ready()
        make_account(stripe, project.creator)
        assert launching.launch(project, project.creator).reserve_bp == 700
    finally:
        app.config["RESERVE_BP"] = 0


@pytest.mark.parametrize(("platform", "country", "currency", "is_fine"), [
    ("NL", "NL", "EUR", True), ("NL", "DE", "EUR", True), ("NL", "GB", "GBP", True), ("NL", "GB", "EUR", True),
    ("NL", "CH", "CHF", True), ("NL", "SE", "SEK", True), ("NL", "SE", "EUR", True), ("NL", "US", "USD", True),
    ("NL", "CA", "CAD", True), ("NL", "NL", "USD", False), ("NL", "US", "EUR", False), ("NL", "DE", "SEK", False),
    ("NL", "AU", "AUD", False), ("NL", "JP", "JPY", False), ("US", "NL", "EUR", True), ("AU", "AU", "AUD", True),
    ("AU", "NL", "EUR", False), ("JP", "JP", "JPY", True), ("JP", "US", "USD", False), ("NL", "BG", "EUR", True)])
def test_platform_and_creator_share_a_region_and_the_account_takes_the_currency(app, platform, country, currency, is_fine):
    """S-72, C-31."""
    was, app.config["PLATFORM_COUNTRY"] = app.config["PLATFORM_COUNTRY"], platform
    try:
        assert (accounts.obstacle(PayoutAccount(country=country), currency) == "") is is_fine
        assert country in accounts.countries() or not is_fine
    finally:
        app.config["PLATFORM_COUNTRY"] = was


def test_a_currency_that_the_account_does_not_take_is_said_before_and_refused_at_launch(ready, stripe, app):
    project = ready(currency="USD")
    make_account(stripe, project.creator)
    client = sign_in(app.test_client(), project.creator)
    page = client.get(f"/projects/{project.slug}/payouts").get_data(as_text=True)
    assert "Your account is paid in EUR, and this project asks for USD" in page
    with pytest.raises(Refusal, match="Currency of the account"):
        launching.launch(project, project.creator)


def test_an_account_link_is_made_by_the_owners_press_only_and_is_kept_nowhere(app, client, stripe, caplog, capfd):
    """S-61."""
    project = make_project(state=ProjectState.DRAFT)
    path = f"/projects/{project.slug}/payouts"
    sign_in(client, project.creator)
    token = csrf_token(client, path)
    assert not stripe.get("log?path=/v2/core/account_links")
    answer = client.post(path, data={"csrf_token": token, "country": "NL"})
    assert answer.status_code == 303
    url = answer.headers["Location"]
    secret = url.rsplit("/", 1)[1]
    assert "/setup/e/" in url and len(secret) > 20
    for table in db.session.scalars(sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all():
        assert scalar(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE :x', x=f"%{secret}%") == 0, table
    said = capfd.readouterr()
    assert secret not in said.out + said.err + caplog.text
    # Each press is an act of its own with a number from a committed row.
    client.post(path, data={"csrf_token": token, "country": "NL"})
    keys = [row["idempotency_key"] for row in stripe.get("log?path=/v2/core/account_links")]
    assert keys == [f"link:{project.creator_id}:1", f"link:{project.creator_id}:2"]
    assert scalar("SELECT links FROM payout_account") == 2
    for person in (make_person(), make_person(is_staff=True)):
        other = sign_in(app.test_client(), person)
        mine = csrf_token(other, "/settings")
        assert other.post(path, data={"csrf_token": mine, "country": "NL"}).status_code in (403, 404)
    assert len(stripe.get("log?path=/v2/core/account_links")) == 2


def test_a_creator_whose_account_stops_is_told_by_mail_and_on_the_page(app, stripe, client):
    project = make_project()
    account = make_account(stripe, project.creator)
    stripe.post(f"accounts/{account}/restrict")
    assert accounts.refresh_by_stripe_id(account)
    accounts.refresh_by_stripe_id(account)
    assert scalar("SELECT count(*) FROM mail WHERE name = 'payments/account_stopped'") == 1
    work(app)
    assert "Stripe cannot pay you" in scalar("SELECT subject FROM mail WHERE name = 'payments/account_stopped'")
    page = sign_in(client, project.creator).get(f"/projects/{project.slug}/payouts").get_data(as_text=True)
    assert "Stripe still needs something." in page


def test_an_account_is_read_again_at_the_deadline(app, stripe):
    """Our row still says active when the deadline comes; nobody told us."""
    from tests.factories import back

    project = make_project(goal=1_000)
    account = make_account(stripe, project.creator)
    back(stripe, project, bonus=5_000)
    clock.move_clock(project.deadline - clock.now() - timedelta(hours=1))
    accounts.refresh_account(project.creator_id)  # looked at an hour before, so that no daily look is due
    stripe.post(f"accounts/{account}/restrict")
    end_project(app, project)
    assert not scalar("SELECT is_active FROM payout_account")
    assert scalar("SELECT count(*) FROM mail WHERE name = 'payments/account_stopped'") >= 1


def test_an_account_is_read_once_a_minute_at_most(app, stripe):
    person = make_person()
    make_account(stripe, person)
    stripe.call("DELETE", "log")
    assert accounts.is_ready(person.id) and accounts.is_ready(person.id)
    assert not stripe.get("log?path=/v2/core/accounts")
    go(stripe, minutes=2)
    assert accounts.is_ready(person.id)
    assert len(stripe.get("log?path=/v2/core/accounts")) == 1


def test_a_person_without_an_account_is_not_ready(app, stripe):
    person = make_person()
    assert not accounts.is_ready(person.id)
    with transaction() as session:
        session.add(PayoutAccount(person_id=person.id, country="NL", is_active=True))
    assert not accounts.is_ready(person.id)
