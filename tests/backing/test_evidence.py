"""What is known of a pledge for a bank, and the consent that was given for its charge (S-23, S-69)."""

import csv
import io
import json
import time

import pytest
import sqlalchemy as sa

from backing import consenting, evidence
from core.db import db, transaction
from tests.factories import (
    back,
    csrf_token,
    end_project,
    make_person,
    make_project,
    make_reward,
    scalar,
    sign_in,
)

AGENT = "Mozilla/5.0 (X11; Linux x86_64)"


def send_form(client, project, **form):
    path = f"/projects/{project.slug}/pledge"
    page = client.get(path).get_data(as_text=True)
    token = page.split('name="token" value="')[1].split('"')[0]
    return client.post(path, data={"csrf_token": csrf_token(client, path), "token": token, "bonus": "10", **form},
                       headers={"User-Agent": AGENT}, environ_base={"REMOTE_ADDR": "203.0.113.77"})


def test_a_consent_is_kept_before_the_cards_form_opens(app, stripe, client):
    project = make_project()
    sign_in(client, make_person())
    answer = send_form(client, project)
    assert (answer.status_code == 303 and "/c/pay" in answer.location) or stripe.url.split(":")[-1] in answer.location
    row = db.session.execute(sa.text("SELECT * FROM consent")).one()
    assert (row.amount, row.currency, row.project, row.charge_from) == (1_000, "EUR", project.title, project.deadline)
    assert row.text_version in consenting.TEXTS and row.network == "203.0.113.0/24" and len(row.browser) == 64
    kept = str(tuple(row))
    assert "203.0.113.77" not in kept and "Mozilla" not in kept


def test_another_sum_and_another_card_are_consents_of_their_own(app, stripe, client):
    person = make_person()
    project = make_project()
    pledge = back(stripe, project, person, bonus=1_000)
    sign_in(client, person)
    page = f"/pledges/{pledge.id}/change"
    form = {"csrf_token": csrf_token(client, page), "bonus": "25", "version": "1"}
    assert client.post(page, data=form).status_code == 303
    assert client.post(f"/pledges/{pledge.id}/card", data=form).status_code == 303
    assert [n for (n,) in db.session.execute(sa.text("SELECT amount FROM consent ORDER BY id"))] == [2_500, 2_500]
    assert client.post(page, data=form).status_code == 409  # changed meanwhile: nothing was agreed to
    assert scalar("SELECT count(*) FROM consent") == 2


def test_nobody_changes_a_consent_afterwards(app, stripe, client):
    sign_in(client, make_person())
    send_form(client, make_project())
    for statement in ("UPDATE consent SET amount = 1", "DELETE FROM consent"):
        with pytest.raises(sa.exc.DBAPIError), transaction() as session:
            session.execute(sa.text(statement))


@pytest.mark.parametrize(("address", "network"), [
    ("203.0.113.77", "203.0.113.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("::ffff:203.0.113.77", "203.0.113.0/24"),
    ("127.0.0.1", "127.0.0.0/24"), ("", ""), (None, ""), ("not an address", "")])
def test_only_the_network_is_kept(address, network):
    assert consenting.network_of(address) == network


def known_pledge(app, stripe, client):
    person = make_person("=Noor Bakker")
    project = make_project(goal=1_000)
    reward = make_reward(project, 2_500)
    with transaction() as session:
        session.execute(sa.text("UPDATE reward SET delivery_on = '2027-03-01'"))
        session.execute(sa.text("INSERT INTO project_update (project_id, number, title, body, author_id) "
                                "VALUES (:p, 1, '=cmd|calc', 'We *began*', :a)"), {"p": project.id, "a": project.creator_id})
    pledge = back(stripe, project, person, reward, bonus=500)
    with app.test_request_context():
        consenting.give_consent(pledge.id, consenting.consent_from("203.0.113.77", AGENT), "en")
    end_project(app, project)
    return pledge


def test_the_files_tell_the_whole_story_in_time(app, stripe, client):
    pledge = known_pledge(app, stripe, client)
    files: dict[str, bytes] = {}
    begun = time.perf_counter()
    evidence.add_files(pledge.id, files)
    assert time.perf_counter() - begun < 5
    story = files["summary.txt"].decode()
    for words in ("€30.00", "Estimated delivery: March 2027", "Nothing is charged today", "203.0.113.0/24",
                  "card: saved by the backer", "charge: succeeded by the site", "backing/thanks", "backing/collected", "=cmd|calc"):
        assert words in story, words
    known = json.loads(files["pledge.json"])
    assert known["pledge"]["email"] == pledge.backer.email and len(known["lines"]) == 2
    assert known["consents"][0]["amount"] == 3_000 and "on or after" not in known["consents"][0]["text"]
    rows = list(csv.reader(io.StringIO(files["history.csv"].decode())))
    assert rows[0][:2] == ["at", "what"] and [row[3] for row in rows if row[1] == "pledge"] == ["held", "pledged", "collecting", "collected"]
    assert "'=cmd|calc" in files["updates.csv"].decode()  # no formula in a spreadsheet
    assert "After the project was funded" in files["refund-policy.txt"].decode()
    card = (pledge.card.card_last4, pledge.card.card_fingerprint, pledge.card.payment_method_id)
    for name, content in files.items():
        assert not [word for word in card if word.encode() in content], name


def test_the_texts_for_the_bank_are_filled_in(app, stripe, client):
    pledge = known_pledge(app, stripe, client)
    texts: dict[str, str] = {}
    evidence.fill_texts(pledge.id, texts)
    from payments.answering import FIELDS

    assert set(texts) <= set(FIELDS)
    assert texts["customer_email_address"] == pledge.backer.email
    assert texts["service_date"] == "Estimated for March 2027"
    assert "Nothing is charged today" in texts["cancellation_policy_disclosure"]
    assert "/refunds" in texts["refund_policy_disclosure"]


def test_a_pledge_that_nobody_knows_has_no_files(app):
    import uuid

    files: dict[str, bytes] = {}
    evidence.add_files(uuid.uuid4(), files)
    assert files == {}
