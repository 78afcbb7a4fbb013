"""A collection of any size, made as rows: our pledges and cards, Stripe's customers and methods."""

import http.client
import json
import uuid
from urllib.parse import urlencode

import sqlalchemy as sa

import config
from core import clock
from core.db import db, transaction
from tests.factories import make_project
from tests.races import make_crowd


def call(stripe, path, **values):
    """A request to the sandbox as somebody other than our site makes it."""
    connection = http.client.HTTPConnection("127.0.0.1", int(stripe.url.rsplit(":", 1)[1]))
    connection.request("POST", f"/v1/{path}", urlencode(values), {
        "Authorization": "Bearer sk_test_bench", "Stripe-Version": config.STRIPE_VERSION,
        "Idempotency-Key": uuid.uuid4().hex, "Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    body = json.loads(answer.read())
    assert answer.status == 200, body
    return body


def make_run(stripe, n, method="pm_card_visa", amount=2_500, creator=None):
    """A successful project with n pledges of n people to collect, and its run; the project."""
    project = make_project(creator, goal=1_000, days=0.001)
    people = make_crowd(n)
    with transaction() as session:
        for number, person in enumerate(people, 1):
            stripe_customer = call(stripe, "customers", email=f"b{number}@example.org")["id"]
            card = call(stripe, f"payment_methods/{method}/attach", customer=stripe_customer)
            session.execute(sa.text("INSERT INTO stripe_customer (person_id, stripe_id) VALUES (:p, :s)"),
                            {"p": person, "s": stripe_customer})
            session.execute(sa.text("""
                WITH pledge AS (
                    INSERT INTO pledge (project_id, backer_id, state, number, amount, bonus, currency, token, pledged_at)
                    VALUES (:project, :person, 'pledged', :number, :amount, :amount, 'EUR', gen_random_uuid(), clock_now())
                    RETURNING id),
                line AS (
                    INSERT INTO pledge_line (pledge_id, project_id, kind, title, amount)
                    SELECT id, :project, 'bonus', 'made as a row', :amount FROM pledge),
                moved AS (
                    INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state)
                    SELECT id, :project, 'held', 'pledged' FROM pledge)
                INSERT INTO card_setup (project_id, subject_id, person_id, state, currency, session_id, payment_method_id,
                                        card_brand, card_last4, card_exp, completed_at)
                SELECT :project, id, :person, 'complete', 'EUR', gen_random_uuid()::text, :method, 'visa', :last4, '2035-12',
                       clock_now() FROM pledge"""), {
                "project": project.id, "person": person, "number": number, "amount": amount, "method": card["id"],
                "last4": card["card"]["last4"]})
        session.execute(sa.text("UPDATE pledge p SET card_id = c.id FROM card_setup c WHERE c.subject_id = p.id"))
        session.execute(sa.text("INSERT INTO pledge_delta (project_id, backers, raised) VALUES (:p, :n, :raised)"),
                        {"p": project.id, "n": n, "raised": n * amount})
        session.execute(sa.text("UPDATE project SET state = 'successful', closed_at = clock_now(), deadline = clock_now(), "
                                "raised_at_close = :raised, backers_at_close = :n WHERE id = :p"),
                        {"p": project.id, "n": n, "raised": n * amount})
        session.execute(sa.text("INSERT INTO collection_run (project_id) VALUES (:p)"), {"p": project.id})
    db.session.expire_all()
    return project


def states():
    db.session.rollback()
    return dict(db.session.execute(sa.text("SELECT state, count(*) FROM pledge GROUP BY 1")).all())


def now():
    return clock.now()
