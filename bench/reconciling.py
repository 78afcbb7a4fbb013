"""[reconcile]: all that Stripe has beside all that we say, as the night's comparison does it; memory stays flat."""

import http.client
import json
import uuid
from typing import Any
from urllib.parse import urlencode

from bench.ground import BACKER, Ground
from bench.measure import SCALE, Broken, Figure
from config import STRIPE_VERSION
from sandbox.testing import Sandbox

WHOLE = 219_382  # pledges of the largest campaign there was
GOAL = 60.0  # seconds for all of them
FLAT = 150.0  # MB that a comparison may take over what was there before, however much there is


def charge_all(ground: Ground, sandbox: Sandbox, n: int) -> Any:
    """n charges at the sandbox by its own API, and our rows and books as a finished collection leaves them."""
    sandbox.post("reset")
    project, _, _ = ground.project()
    connection = http.client.HTTPConnection("127.0.0.1", int(sandbox.url.rsplit(":", 1)[1]))

    def call(path: str, **values: str) -> Any:
        connection.request("POST", f"/v1/{path}", urlencode(values), {
            "Authorization": "Bearer sk_test_bench", "Stripe-Version": STRIPE_VERSION, "Idempotency-Key": uuid.uuid4().hex,
            "Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body.decode()[:300]}")
        return json.loads(body)

    customer = call("customers", email="backer@example.org")["id"]
    method = call("payment_methods/pm_card_visa/attach", customer=customer)["id"]
    ground.people(2)
    ground.db.execute("CREATE TABLE IF NOT EXISTS bench_charge (subject uuid, intent text, charge text, fee bigint)")
    ground.db.execute("TRUNCATE bench_charge")
    with ground.db.cursor() as cursor, cursor.copy("COPY bench_charge FROM STDIN") as copy:
        for _ in range(n):
            subject = uuid.uuid4()
            intent = call("payment_intents", amount="2500", currency="eur", customer=customer, payment_method=method,
                          confirm="true", off_session="true",
                          **{"metadata[subject]": str(subject), "metadata[project]": str(project),
                             "transfer_group": f"project_{project}", "expand[]": "latest_charge.balance_transaction"})
            charge = intent["latest_charge"]
            copy.write_row((subject, intent["id"], charge["id"], charge["balance_transaction"]["fee"]))
    connection.close()
    book(ground, project)
    return project


def book(ground: Ground, project: Any) -> None:
    db = ground.db
    db.execute("SET session_replication_role = replica")
    db.execute(f"""
        INSERT INTO payment (project_id, subject_id, person_id, amount, currency, fee_bp, state, stripe_id, charge_id, attempts,
                             processing_fee)
        SELECT %s, subject, {BACKER.format("1")}, 2500, 'EUR', 500, 'succeeded', intent, charge, 1, fee FROM bench_charge""",
               [project])
    db.execute("INSERT INTO ledger_transaction (kind, external_id, project_id, subject_id) "
               "SELECT 'charge', charge, %s, subject FROM bench_charge", [project])
    db.execute("""
        INSERT INTO ledger_entry (transaction_id, project_id, account, amount, currency, what)
        SELECT t.id, t.project_id, l.account, l.amount, 'EUR', l.what
          FROM ledger_transaction t JOIN bench_charge b ON b.charge = t.external_id AND t.kind = 'charge'
         CROSS JOIN LATERAL (VALUES ('stripe_pending', 2500, 'charge'), ('creator_payable', -2500, 'charge'),
               ('creator_payable', 125, 'platform fee'), ('platform_fee', -125, 'platform fee'),
               ('creator_payable', b.fee, 'processing fee'), ('stripe_pending', -b.fee, 'processing fee'))
               AS l(account, amount, what)""")
    db.execute("SET session_replication_role = origin")
    db.execute("VACUUM ANALYZE payment, ledger_transaction, ledger_entry")


def reconciliation(ground: Ground) -> Figure:
    """A full comparison in a worker's process; nothing differs, or the bench is broken."""
    n = max(2_000, round(WHOLE * SCALE))
    sandbox = ground.start_sandbox()
    ground.clean()
    charge_all(ground, sandbox, n)
    crew = ground.crew(1, STRIPE_API_BASE=sandbox.url)
    [first] = crew.do("reconcile")  # connections, prepared statements, and all the memory that it will ever take
    [done] = crew.do("reconcile")
    if done["left"] or done["found"] or done["compared"] < n:
        raise Broken(f"of {n}: {done}")
    if (taken := first["mb"] + done["mb"]) > FLAT:
        raise Broken(f"{taken:.0f} MB more than before")
    allowed = n / WHOLE * GOAL
    return Figure("reconcile", n / done["seconds"], WHOLE / GOAL, "pledges/s", allowed / done["seconds"], 1.0,
                  allowed / done["seconds"], allowed / done["seconds"], 1,
                  [f"{n:,} pledges in {done['seconds']:.1f} s, {done['cpu']:.1f} s of it our own work, {taken:.0f} MB over what "
                   f"was there; at this rate all {WHOLE:,} take {done['seconds'] * WHOLE / n:.0f} s",
                   f"limit: {GOAL:.0f} s for {WHOLE:,}"])
