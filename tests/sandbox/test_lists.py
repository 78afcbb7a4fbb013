"""Lists of any length cost what is on a page (finding of the bench: 219,382 payments are streamed by reconciliation)."""

from __future__ import annotations

import random
import time

import pytest

from sandbox.store import Store

N = 20_000


@pytest.fixture
def filled(sandbox):
    """N payments, ten a second, of N / 10 customers."""
    for start in range(0, N, 5_000):
        rows = [
            {"id": f"pi_{n}", "created": 1_700_000_000 + n // 10, "customer": f"cus_{n % (N // 10)}", "amount": n}
            for n in range(start, start + 5_000)
        ]
        sandbox.post("state/payment_intent", rows=rows)
    return sandbox


def test_a_long_list_is_walked_whole_in_both_directions(filled, stripe_client):
    seen, cursor = [], {}
    while True:
        page = stripe_client.v1.payment_intents.list({"limit": 100, **cursor})
        seen += [row.amount for row in page.data]
        cursor = {"starting_after": page.data[-1].id}
        if not page.has_more or len(seen) == 500:
            break
    assert seen == list(range(N - 1, N - 501, -1))
    page = stripe_client.v1.payment_intents.list({"limit": 3, "ending_before": "pi_0"})
    assert [row.amount for row in page.data] == [3, 2, 1] and page.has_more
    page = stripe_client.v1.payment_intents.list({"limit": 3, "starting_after": "pi_3"})
    assert [row.amount for row in page.data] == [2, 1, 0] and not page.has_more


@pytest.mark.parametrize(
    "span, first, last",
    [
        ({"gte": 1_700_001_999}, N - 1, N - 10),
        ({"lte": 1_700_000_000}, 9, 0),
        ({"gt": 1_700_000_000, "lt": 1_700_000_002}, 19, 10),
        (1_700_000_005, 59, 50),
    ],
)
def test_a_span_of_time_is_found_without_walking_there(filled, stripe_client, span, first, last):
    page = stripe_client.v1.payment_intents.list({"limit": 100, "created": span})
    assert [row.amount for row in page.data] == list(range(first, last - 1, -1)) and not page.has_more


def test_a_customers_own_come_by_an_index(filled, stripe_client):
    page = stripe_client.v1.payment_intents.list({"customer": "cus_7", "limit": 4, "starting_after": f"pi_{N // 10 * 9 + 7}"})
    assert [row.amount for row in page.data] == [N // 10 * n + 7 for n in (8, 7, 6, 5)] and page.has_more


def test_the_last_page_costs_what_the_first_does():
    store = Store()
    for n in range(100_000):
        store.put("payment_intent", {"id": f"pi_{n}", "created": n, "customer": "cus_1"})

    def took(behind: str | None, where: dict) -> float:
        best = 1.0
        for _ in range(5):
            begun = time.perf_counter()
            found = store.scan("payment_intent", where, behind)
            assert len([next(found) for _ in range(100)]) == 100
            best = min(best, time.perf_counter() - begun)
        return best

    for where in ({}, {"customer": "cus_1"}):
        assert took("pi_50000", where) < 20 * took(None, where) < 0.2


def test_pages_are_right_also_when_the_clock_went_back_and_rows_came_and_went():
    """Against a plain list of what there is."""
    choice = random.Random(7)
    store, rows = Store(), []
    for n in range(400):
        row = {"id": f"pi_{n}", "created": choice.choice([n, n, n - 50]), "customer": choice.choice(["cus_1", "cus_2", None])}
        store.put("payment_intent", row)
        rows.append(row)
        if choice.random() < 0.2:
            changed = {**choice.choice(rows), "customer": choice.choice(["cus_1", "cus_2"]), "created": choice.randrange(400)}
            rows = [changed if row["id"] == changed["id"] else row for row in rows]
            store.put("payment_intent", changed)
    gone = {row["id"] for row in choice.sample(rows, 40)}
    for id in gone:
        store.drop("payment_intent", id)
    back = set(list(gone)[:20])
    for row in rows:
        if row["id"] in back:
            store.put("payment_intent", row)
    rows = [row for row in rows if row["id"] not in gone - back]
    for where in ({}, {"customer": "cus_1"}):
        fits = [row for row in rows if all(row[key] == value for key, value in where.items())]
        for oldest_first in (False, True):
            line = fits if oldest_first else fits[::-1]
            for n in range(0, len(line), 17):
                wanted = [row["id"] for row in line[n + 1 :]]
                assert list(store.scan("payment_intent", where, line[n]["id"], oldest_first)) == wanted
            for since in (0, 100, 350, 500):
                found = store.scan("payment_intent", where, None, oldest_first, since)
                assert [id for id in found if store.rows["payment_intent"][id]["created"] >= since] == [
                    row["id"] for row in line if row["created"] >= since
                ]
            for until in (0, 100, 350, 500):
                found = store.scan("payment_intent", where, None, oldest_first, None, until)
                assert [id for id in found if store.rows["payment_intent"][id]["created"] <= until] == [
                    row["id"] for row in line if row["created"] <= until
                ]
