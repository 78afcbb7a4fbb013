"""[collect-paced] and [collect-free]: charging a successful project's pledges at the sandbox."""

import http.client
import json
import time
import uuid
from collections.abc import Iterator
from urllib.parse import urlencode

from bench.ground import BACKER, Crew, Ground
from bench.measure import ROUNDS, SECONDS, Broken, Figure, from_ratios
from config import STRIPE_VERSION
from sandbox.testing import Sandbox

PACE = 50  # calls a second per endpoint that the site is told to keep
ALLOWED = 55  # what the sandbox lets through before it says 429
STRIPES = 100  # requests a second that Stripe publishes for live mode


def open_doors(ground: Ground, sandbox: Sandbox, n: int) -> None:
    """n customers with a card at the sandbox, in our tables and theirs."""
    sandbox.post("reset")
    connection = http.client.HTTPConnection("127.0.0.1", int(sandbox.url.rsplit(":", 1)[1]))

    def call(path: str, **values: str) -> str:
        connection.request("POST", f"/v1/{path}", urlencode(values), {
            "Authorization": "Bearer sk_test_bench", "Stripe-Version": STRIPE_VERSION, "Idempotency-Key": uuid.uuid4().hex,
            "Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body.decode()[:300]}")
        return str(json.loads(body)["id"])

    ground.people(n + 1)
    for m in range(2, n + 2):
        customer = call("customers", email=f"backer{m}@example.org")
        method = call("payment_methods/pm_card_visa/attach", customer=customer)
        ground.db.execute(f"UPDATE stripe_customer SET stripe_id = %s WHERE person_id = {BACKER.format('%s')}", [customer, m])
        ground.db.execute("INSERT INTO bench_card (n, method) VALUES (%s, %s)", [m, method])


def due(ground: Ground, n: int) -> uuid.UUID:
    """A successful project with n pledges to collect."""
    project, _, (reward,) = ground.project([(2_500, None)])
    db = ground.db
    db.execute("SET session_replication_role = replica")
    db.execute(f"""
        INSERT INTO card_setup (project_id, subject_id, person_id, state, currency, session_id, payment_method_id, completed_at)
        SELECT %s, uuidv7(), {BACKER.format("n")}, 'complete', 'EUR', gen_random_uuid()::text, method, now()
          FROM bench_card ORDER BY n LIMIT %s""", [project, n])
    db.execute("""
        INSERT INTO pledge (id, project_id, backer_id, reward_id, state, number, amount, currency, token, pledged_at, card_id)
        SELECT subject_id, project_id, person_id, %s, 'pledged', row_number() OVER (), 2500, 'EUR', gen_random_uuid(), now(), id
          FROM card_setup WHERE project_id = %s""", [reward, project])
    db.execute("UPDATE project SET state = 'successful', closed_at = now(), raised_at_close = %s, backers_at_close = %s "
               "WHERE id = %s", [n * 2_500, n, project])
    db.execute("INSERT INTO collection_run (project_id) VALUES (%s)", [project])
    db.execute("SET session_replication_role = origin")
    return project


def collection(ground: Ground, names: list[str]) -> Iterator[Figure]:
    sandbox = ground.start_sandbox()
    paced_n, free_n = int(PACE * max(SECONDS * 4, 8)), int(300 * max(SECONDS, 1.5))
    ground.db.execute("CREATE TABLE bench_card (n bigint PRIMARY KEY, method text NOT NULL)")
    ground.clean()
    open_doors(ground, sandbox, max(paced_n, free_n))
    if "collect-free" in names:
        yield free(ground, ground.crew(2, STRIPE_API_BASE=sandbox.url), free_n)
    if "collect-paced" in names:
        sandbox.post("rate", per_endpoint=ALLOWED)
        crew = ground.crew(2, STRIPE_API_BASE=sandbox.url, STRIPE_RATE=str(PACE))
        yield paced(ground, crew, paced_n, sandbox)


def collect(ground: Ground, crew: Crew, n: int) -> float:
    """Collect n pledges with this crew; the seconds it took. Every pledge once, or the bench is broken."""
    ground.clean()
    project = due(ground, n)
    start = time.perf_counter()
    crew.do("collect", project=project)
    took = time.perf_counter() - start
    row = ground.db.execute("""
        SELECT count(*) FILTER (WHERE g.state = 'collected'), count(DISTINCT y.charge_id), count(*) FROM pledge g
          LEFT JOIN payment y ON y.id = g.payment_id AND y.state = 'succeeded' WHERE g.project_id = %s""", [project]).fetchone()
    if row != (n, n, n):
        raise Broken(f"of {n} pledges (collected, charges, pledges): {row}")
    return took


def paced(ground: Ground, crew: Crew, n: int, sandbox: Sandbox) -> Figure:
    """How near we come to the rate that we were allowed, and that we never go over it."""
    collect(ground, crew, PACE)  # connections, prepared statements
    before = sandbox.post("rate")["refused"]
    rates = [n / collect(ground, crew, n) for _ in range(ROUNDS)]
    if refused := sandbox.post("rate")["refused"] - before:
        raise Broken(f"{refused} times 429 at {PACE} a second where {ALLOWED} are allowed")
    return from_ratios("collect-paced", "charges/s", 0.95, rates, [PACE], [rate / PACE for rate in rates],
                       notes=[f"{n} pledges per round, 2 workers; STRIPE_RATE={PACE}, the sandbox refuses over {ALLOWED}: no 429"])


def free(ground: Ground, crew: Crew, n: int) -> Figure:
    """With the limiter off: two requests a pledge, against the 100 a second that Stripe takes."""
    collect(ground, crew, 100)
    rates = [n / collect(ground, crew, n) for _ in range(ROUNDS)]
    return from_ratios("collect-free", "Stripe requests/s", 3.0, [2 * r for r in rates], [STRIPES], [2 * r / STRIPES for r in rates],
                       notes=[f"{sorted(rates)[len(rates) // 2]:,.0f} pledges/s, each charged and booked; {n} per round, 2 workers; "
                              "limit: what Stripe publishes"])
