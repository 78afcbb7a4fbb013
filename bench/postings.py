"""[postings]: collected charges entering the ledger, one transaction each; limit: the same INSERTs by pgbench."""

import uuid
from uuid import UUID

from bench import measure
from bench.ground import Ground, pgbench
from bench.measure import SECONDS, Broken, Cell, Figure, alternate
from bench.same import inlined
from payments import ledger

THREADS = 4  # of each of two processes: as many jobs as a worker does at once
LINES = (("stripe_pending", 2_500), ("creator_payable", -2_500), ("creator_payable", 125), ("platform_fee", -125),
         ("creator_payable", 63), ("stripe_pending", -63))  # what a charge of 25.00 is in the books


def script(project: UUID) -> str:
    """The one statement of `ledger.post`, for pgbench."""
    accounts = ", ".join(f"'{account}'" for account, _amount in LINES)
    amounts = ", ".join(str(amount) for _account, amount in LINES)
    return "BEGIN;\n" + inlined(ledger._POST, {
        "kind": "'charge'", "external": "gen_random_uuid()::text", "part": "''", "project": f"CAST('{project}' AS uuid)",
        "subject": "gen_random_uuid()", "pending": "false", "currency": "'EUR'", "accounts": f"ARRAY[{accounts}]",
        "amounts": f"ARRAY[{amounts}]", "whats": f"ARRAY[{', '.join(['chr(99)'] * len(LINES))}]"}).strip() + ";\nCOMMIT;\n"


def postings(ground: Ground) -> Figure:
    crew = ground.crew(2)
    project, _, _rewards = ground.project([(2_500, None)])

    def ours() -> Cell:
        done = crew.do("post", {}, {}, project=project, seconds=SECONDS, threads=THREADS, lines=[list(line) for line in LINES])
        count = sum(d["count"] for d in done)
        if not count:
            raise Broken("nothing was posted")
        return Cell(count / max(d["seconds"] for d in done), done[0]["p50"], done[0]["p99"])

    def limit() -> Cell:
        rate, latency = pgbench(ground, script(project), 2 * THREADS, SECONDS)
        return Cell(rate, latency, None)

    ours()
    limits, mine = alternate(limit, ours)
    if off := ground.one("SELECT count(*) FROM (SELECT FROM ledger_entry GROUP BY transaction_id HAVING sum(amount) <> 0) x"):
        raise Broken(f"{off} transactions do not sum to zero")
    ratios = [cell.value * 2 / (limits[n].value + limits[n + 1].value) for n, cell in enumerate(mine)]
    figure = measure.from_ratios("postings", "postings/s", 0.5, [c.value for c in mine], [c.value for c in limits], ratios)
    figure.notes = [f"p50 {mine[0].p50:.1f} ms, p99 {mine[0].p99:.1f} ms; {len(LINES)} entries each, one commit each, "
                    f"{2 * THREADS} connections, 2 processes; limit: pgbench, the same statement"]
    return figure


def external() -> str:
    """A charge that nobody has posted."""
    return f"ch_{uuid.uuid4().hex}"
