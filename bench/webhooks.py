"""[webhook]: taking in Stripe's events; limit: bare Flask, one INSERT of the same body."""

import hashlib
import hmac
import json
import os
import time
from typing import Any

import psycopg_pool
from flask import Flask, request

from bench.ground import HOST, Ground
from bench.load import Job, fire
from bench.measure import ROUNDS, SECONDS, Broken, Cell, Figure, compare

SECRET = "whsec_bench"
CLIENTS = 8
WORST = 200.0  # ms, of which the slowest hundredth must stay within (S-40)


def bare() -> Flask:
    """The limit: the body as it came into one row; no signature, no job."""
    app = Flask(__name__)
    pool: psycopg_pool.ConnectionPool[Any] = psycopg_pool.ConnectionPool(
        os.environ["DATABASE_URL"], min_size=1, max_size=4, open=True, kwargs={"autocommit": True, "prepare_threshold": 1})

    @app.post("/webhooks/stripe")
    def webhook() -> str:
        with pool.connection() as connection:
            connection.execute("INSERT INTO bench_event (payload) VALUES (CAST(%s AS jsonb))", (request.get_data().decode(),))
        return "ok"

    return app


def event(n: int) -> bytes:
    """A snapshot event as long as Stripe's of a payment."""
    metadata = {"subject": f"00000000-0000-7000-8000-{n:012x}", "project": f"00000000-0000-7000-8000-{0:012x}"}
    thing = {"id": f"pi_{n:024d}", "object": "payment_intent", "amount": 2_500, "currency": "eur", "status": "succeeded",
             "metadata": metadata, "description": "Night train", "customer": f"cus_{n:014d}",
             "payment_method_options": {"card": {"request_three_d_secure": "automatic", "network": None}},
             **{f"field_{m}": None for m in range(40)}}
    return json.dumps({"id": f"evt_{n:024d}", "object": "event", "api_version": "2026-10-28.endive", "created": 1,
                       "livemode": False, "pending_webhooks": 1, "type": "payment_intent.succeeded",
                       "request": {"id": "req_1", "idempotency_key": f"cf:{n}:1"}, "data": {"object": thing}}).encode()


def signed(n: int) -> bytes:
    body, moment = event(n), int(time.time())
    mac = hmac.new(SECRET.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return (f"POST /webhooks/stripe HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\nContent-Type: application/json\r\n"
            f"Stripe-Signature: t={moment},v1={mac}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


def intake(ground: Ground) -> Figure:
    """Verified, stored and queued against merely stored; every event once, with its job, or the bench is broken."""
    ground.db.execute("CREATE TABLE bench_event (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb NOT NULL)")
    ours, limit = ground.serve("app:create_app()"), ground.serve("bench.webhooks:bare()")
    made = 0

    def send(port: int, seconds: float, warm: bool = True) -> Cell:
        nonlocal made
        ground.db.execute("TRUNCATE stripe_event, bench_event, procrastinate_jobs CASCADE")
        requests = [signed(n) for n in range(made, made + int(2_500 * seconds))]
        made += len(requests)
        result = fire(Job(port, requests, CLIENTS, seconds, repeat=False))
        if port == ours:
            kept, jobs = ground.one("SELECT count(*) FROM stripe_event"), ground.one("SELECT count(*) FROM procrastinate_jobs")
            if (kept, jobs) != (result["done"], result["done"]):
                raise Broken(f"{result['done']} answered, {kept} kept, {jobs} queued")
            if warm and result["p99"] > WORST:
                raise Broken(f"p99 {result['p99']:.0f} ms")
        return Cell(result["done"] / result["seconds"], result["p50"], result["p99"])

    send(ours, 1.5, warm=False)
    send(limit, 1.0)
    return compare("webhook", "events/s", 0.6, lambda: send(limit, SECONDS), lambda: send(ours, SECONDS), rounds=ROUNDS,
                   notes=[f"{CLIENTS} clients, {len(event(0)):,} bytes an event, signature checked, row and job in one "
                          "statement; limit: bare Flask, one INSERT"])
