"""Part 4: the money of a project and of the platform, for those who may see it, down to Stripe's objects."""

import csv
import io

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from core.db import db, transaction
from payments import checks, owing, refunds, statements
from projects.models import MemberRole, Project
from tests.factories import check_money, make_member, make_person, scalar, sign_in
from tests.payments.payouts import collected, empty_account, go, work


def known(project):
    return statements.statement(db.session.get_one(Project, project.id))


def adds_up(one):
    out = (one.platform_fee + one.processing_fee + one.refunded + one.disputed + one.dispute_fees + one.transferred
           + one.on_its_way + one.owed)
    return out == one.came_in + one.debt


def test_the_sums_of_a_statement_are_the_whole_at_every_step(app, stripe):
    project = collected(app, stripe, 10_000, 20_000, reserve_bp=1_000)
    account = scalar("SELECT stripe_id FROM payout_account")
    one = known(project)
    assert (one.came_in, one.platform_fee, one.processing_fee, one.payments) == (30_000, 1_500, 500, 2)
    assert (one.owed, one.reserve, one.free, one.transferred) == (28_000, 3_000, 25_000, 0) and adds_up(one)
    assert one.next_at == db.session.scalar(sa.text("SELECT deadline + interval '14 days' FROM project"))
    go(stripe, 14)
    work(app)
    one = known(project)
    assert (one.transferred, one.owed, one.free) == (25_000, 3_000, 0) and adds_up(one)
    assert one.next_at == one.reserve_at
    empty_account(stripe, account)
    first = scalar("SELECT id FROM payment WHERE amount = 10000")
    refunds.ask_refund(first, None, "asked")
    one = known(project)
    assert one.refunding == 10_000 and adds_up(one)
    work(app)
    one = known(project)
    assert one.refunded == 10_000 and one.refunding == 0 and one.debt > 0 and adds_up(one)
    go(stripe, 90)
    work(app)
    one = known(project)
    assert adds_up(one) and one.reserve == 0
    check_money()


def test_the_page_says_the_sums_and_every_line_down_to_stripes_objects(app, stripe):
    project = collected(app, stripe, 10_000, days=14)
    work(app)
    refunds.ask_refund(scalar("SELECT id FROM payment"), 1_000, "asked")
    work(app)
    client = sign_in(app.test_client(), project.creator)
    page = client.get(f"/projects/{project.slug}/payouts").get_data(as_text=True)
    for kind, sql in (("ch_", "SELECT charge_id FROM payment"), ("tr_", "SELECT stripe_id FROM transfer"),
                      ("re_", "SELECT stripe_id FROM refund"), ("trr_", "SELECT stripe_id FROM transfer_reversal")):
        found = scalar(sql)
        assert found.startswith(kind) and found in page, kind
    assert "€100" in page and "<path class=" in page and "style=" not in page
    only = client.get(f"/projects/{project.slug}/payouts?what=transfer").get_data(as_text=True)
    assert scalar("SELECT stripe_id FROM transfer") in only and scalar("SELECT stripe_id FROM refund") not in only
    assert client.get(f"/projects/{project.slug}/payouts?before=x").status_code == 422


def test_a_payout_that_waits_is_promised_for_no_day(app, stripe):
    project = collected(app, stripe, 10_000, days=14)
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET state = 'errored', fix_until = clock_now() + interval '3 days'"))
    work(app)
    one = known(project)
    assert (one.why, one.next_at) == ("collecting", None) and one.free > 0
    client = sign_in(app.test_client(), project.creator)
    page = client.get(f"/projects/{project.slug}/payouts").get_data(as_text=True)
    assert "The payout waits." in page and "leaves as soon as nothing is in its way" in page
    assert "leaves for your account on" not in page and "leaves on" not in page
    said = app.test_cli_runner().invoke(args=["payments", "statement", project.slug]).output
    assert "next payout      when nothing is in its way: collecting" in said
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET state = 'collected', fix_until = NULL"))
    go(stripe, 1)
    work(app)
    assert known(project).transferred > 0


def test_movements_come_in_pages(app, stripe, monkeypatch):
    project = collected(app, stripe, *[2_000 + n for n in range(5)])
    monkeypatch.setattr(statements, "PER_PAGE", 2)
    seen, before, more = [], None, True
    while more:
        lines, more = statements.movements(project.id, before=before)
        seen += [line.gross for line in lines if line.kind == "charge"]
        before = lines[-1].id
    assert sorted(seen) == [2_000, 2_001, 2_002, 2_003, 2_004]


def test_a_project_without_money_keeps_its_page_of_payouts(app, client, stripe):
    from tests.factories import make_project

    project = make_project()
    page = sign_in(client, project.creator).get(f"/projects/{project.slug}/payouts").get_data(as_text=True)
    assert "Where should the money go?" in page


@pytest.mark.parametrize("path", ["payouts", "payouts.csv"])
def test_creator_and_staff_see_a_projects_money_and_nobody_else(app, stripe, path):
    project = collected(app, stripe, 10_000)
    url = f"/projects/{project.slug}/{path}"
    organiser, helper = make_member(project), make_member(project, role=MemberRole.COLLABORATOR)
    for person, status in ((project.creator, 200), (make_person(is_staff=True), 200), (organiser, 403), (helper, 403),
                           (make_person(), 403)):
        answer = sign_in(app.test_client(), person).get(url)
        assert answer.status_code == status, (person.name, status)
    assert app.test_client().get(url).status_code == 302


@pytest.mark.parametrize("url", ["/platform/books", "/platform/books.csv"])
def test_the_books_are_for_staff(app, stripe, url):
    project = collected(app, stripe, 10_000)
    assert sign_in(app.test_client(), make_person(is_staff=True)).get(url).status_code == 200
    assert sign_in(app.test_client(), project.creator).get(url).status_code == 403
    assert app.test_client().get(url).status_code == 302


def test_the_books_balance_and_show_every_law_with_its_figure(app, stripe):
    collected(app, stripe, 10_000, 5_000, days=14)
    work(app)
    page = sign_in(app.test_client(), make_person(is_staff=True)).get("/platform/books").get_data(as_text=True)
    assert "The books are right." in page and "transfers: 2" in page and "€0.00" in page
    sums = {}
    for row in statements.trial_balance():
        sums[row.currency] = sums.get(row.currency, 0) + row.balance
    assert sums == {"EUR": 0}


def test_a_law_that_is_broken_is_seen_on_the_page(app, stripe, database_url):
    import psycopg

    collected(app, stripe, 10_000)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ledger_entry SET amount = amount + 1 WHERE what = 'charge' AND amount > 0")
    page = sign_in(app.test_client(), make_person(is_staff=True)).get("/platform/books").get_data(as_text=True)
    assert "things in the books are wrong." in page and "€0.01" in page


def test_what_each_law_looked_at_is_said_in_the_readers_language(app, stripe):
    collected(app, stripe, 10_000)
    client = sign_in(app.test_client(), make_person(is_staff=True, locale="nl"))
    page = client.get("/platform/books?lang=nl", follow_redirects=True).get_data(as_text=True)
    assert "betalingen: 1" in page and "boekingen: 1, regels: " in page and "€ 100,00" in page.replace("\N{NO-BREAK SPACE}", " ")
    assert all(result.looked_at or result.figure() == "nothing" for result in checks.run_all())


def test_the_files_hold_every_movement_no_cell_is_a_formula_and_each_file_is_logged(app, stripe):
    project = collected(app, stripe, 10_000, days=14)
    work(app)
    client = sign_in(app.test_client(), project.creator)
    with capture_logs() as said:
        answer = client.get(f"/projects/{project.slug}/payouts.csv")
    assert [(line["event"], line["by"]) for line in said] == [("money exported", str(project.creator_id))]
    assert answer.headers["Cache-Control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    assert [row["What"] for row in rows] == ["charge", "transfer", "transfer"]
    assert rows[0]["Paid by backer"] == "100.00" and rows[0]["To the creator"] == "93.25"
    assert rows[1]["Stripe object"].startswith("tr_")
    with transaction() as session:  # only staff of the database could write such a thing
        session.execute(sa.text("INSERT INTO ledger_transaction (kind, external_id, project_id) VALUES "
                                "('dispute', '=HYPERLINK(1)', :p)"), {"p": project.id})
    rows = list(csv.DictReader(io.StringIO(client.get(f"/projects/{project.slug}/payouts.csv").get_data(as_text=True))))
    assert rows[-1]["Stripe object"] == "'=HYPERLINK(1)"
    staff = sign_in(app.test_client(), make_person(is_staff=True))
    with capture_logs() as said:
        books = list(csv.DictReader(io.StringIO(staff.get("/platform/books.csv").get_data(as_text=True))))
    assert [line["event"] for line in said] == ["books exported"]
    assert len(books) == scalar("SELECT count(*) FROM ledger_entry")
    assert round(sum(float(row["Amount"]) for row in books), 2) == 0


def test_a_debt_is_on_the_page_and_in_the_totals(app, stripe):
    project = collected(app, stripe, 10_000, days=14)
    account = scalar("SELECT stripe_id FROM payout_account")
    work(app)
    empty_account(stripe, account)
    refunds.ask_refund(scalar("SELECT id FROM payment"), 4_000, "asked")
    work(app)
    assert owing.debts_of(project.creator_id) == {"EUR": 3_800}
    page = sign_in(app.test_client(), project.creator).get(f"/projects/{project.slug}/payouts").get_data(as_text=True)
    assert "You owe €38.00." in page
    desk = sign_in(app.test_client(), make_person(is_staff=True)).get("/platform/books").get_data(as_text=True)
    assert "€38.00" in desk
