"""[pledge-http], [place], [limited], [flat]: one pledge, over HTTP and without."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from urllib.parse import urlencode

from bench import measure
from bench.ground import BACKER, CSRF, HOST, ROOT, Crew, Ground, pgbench
from bench.load import Job, fire
from bench.measure import ROUNDS, SECONDS, Broken, Cell, Figure, alternate, compare
from bench.same import place_script, pledge_function
from sandbox.testing import free_port

CLIENTS = 4
CROWD = 100_000  # what the 100,000th pledge comes after


def forms(ground: Ground, slug: str, reward: uuid.UUID, n: int) -> list[bytes]:
    """The form as sent by n signed-in people, each once."""
    with ground.app.test_request_context(base_url=f"https://{HOST}"):
        from itsdangerous import URLSafeTimedSerializer

        token = URLSafeTimedSerializer(ground.app.secret_key, salt="wtf-csrf-token").dumps(CSRF)
    requests = []
    for m in range(1, n + 1):
        body = urlencode({"csrf_token": token, "reward": f"{reward}:2500", "bonus": "0", "other": "",
                          "token": str(uuid.uuid4())}).encode()
        requests.append((
            f"POST /projects/{slug}/pledge HTTP/1.1\r\nHost: {HOST}\r\nCookie: __Host-session=sid-{m}\r\n"
            f"Origin: https://{HOST}\r\nReferer: https://{HOST}/projects/{slug}\r\nAccept-Language: en\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
    return requests


def start_canned(ground: Ground) -> str:
    port = free_port()
    ground.processes.append(subprocess.Popen([sys.executable, "-m", "bench.canned", str(port)], cwd=ROOT))
    ground.await_port(port)
    return f"http://127.0.0.1:{port}"


def pledge_http(ground: Ground) -> Figure:
    most = int(2_000 * max(SECONDS, 1.5))
    ground.sign_in(most)
    _, slug, (reward,) = ground.project([(2_500, 1_000_000)])
    requests = forms(ground, slug, reward, most)
    ground.db.execute(pledge_function())  # after the site was made, which is when its statements are whole
    ours = ground.serve("bench.served:ours()", BENCH_WITHOUT_STRIPE="1")
    whole = ground.serve("bench.served:ours()", STRIPE_API_BASE=start_canned(ground))
    bare = ground.serve("bench.bare:bare()")

    def send(port: int, seconds: float) -> Cell:
        ground.clean()
        result = fire(Job(port, requests, CLIENTS, seconds, repeat=False, expect=303))
        check_counts(ground, reward, result["done"])
        return Cell(result["done"] / result["seconds"], result["p50"], result["p99"])

    for port in (ours, whole, bare):
        send(port, 1.5)
    figure = compare("pledge-http", "pledges/s", 0.5, lambda: send(bare, SECONDS), lambda: send(ours, SECONDS))
    figure.notes += [f"{CLIENTS} clients, one limited reward; limit: bare Flask, the same SQL as one function",
                     "Stripe's form is left out; with it, as its library asks a server of ours that answers at once: "
                     f"{send(whole, SECONDS).value:,.0f} pledges/s"]
    return figure


def check_counts(ground: Ground, reward: uuid.UUID, expected: int) -> None:
    """What was answered is what is there, and the stock says the same."""
    pledges = ground.one("SELECT count(*) FROM pledge WHERE reward_id = %s AND state IN ('held', 'pledged')", reward)
    claimed, quantity = ground.db.execute("SELECT claimed, quantity FROM reward WHERE id = %s", [reward]).fetchone() or (0, 0)
    if pledges != expected or (quantity is not None and claimed != pledges):
        raise Broken(f"{expected} answered, {pledges} pledges, {claimed} claimed of {quantity}")


def placing(ground: Ground, names: list[str]) -> Iterator[Figure]:
    ground.people(CROWD + 5_000)
    crew = ground.crew(2)
    project, _, (limited, unlimited) = ground.project([(2_500, 1_000_000), (2_500, None)])

    def ours(reward: uuid.UUID, seconds: float = SECONDS) -> Cell:
        ground.clean()
        done = crew.do("place", {"first": 1}, {"first": 40_001}, project=project, reward=reward, seconds=seconds, threads=2)
        count = sum(d["count"] for d in done)
        check_counts(ground, reward, count)
        return Cell(count / max(d["seconds"] for d in done), done[0]["p50"], done[0]["p99"])

    def bench(reward: uuid.UUID) -> Cell:
        ground.clean()
        rate, latency = pgbench(ground, place_script(project, reward), 4, SECONDS)
        return Cell(rate, latency, None)

    ours(unlimited, 1.0)
    ours(limited, 1.0)
    if "place" in names:
        limits, mine = alternate(lambda: bench(limited), lambda: ours(limited))
        ratios = [cell.value * 2 / (limits[n].value + limits[n + 1].value) for n, cell in enumerate(mine)]
        figure = measure.from_ratios("place", "pledges/s", 0.2, [c.value for c in mine], [c.value for c in limits], ratios)
        figure.notes = [f"p50 {mine[0].p50:.1f} ms, p99 {mine[0].p99:.1f} ms; 4 connections, 2 processes, one limited reward; "
                        "limit: pgbench, the same statements"]
        yield figure
    if "limited" in names:
        yield compare("limited", "pledges/s", 0.6, lambda: ours(unlimited), lambda: ours(limited),
                      notes=["place_pledge on a limited reward; limit: on an unlimited one"])
    if "flat" in names:
        yield flat(ground, crew, project, limited)


def flat(ground: Ground, crew: Crew, project: uuid.UUID, reward: uuid.UUID, n: int = 400) -> Figure:
    """The cost of a pledge on an empty project, and on the same project after a hundred thousand."""

    firsts, lasts = [], []

    def cost() -> float:
        done = crew.do("place", {"first": CROWD + 1, "most": n}, {"first": CROWD + 1, "most": 0}, project=project, reward=reward,
                       seconds=60, threads=1)
        return float(done[0]["middle"])

    for _ in range(ROUNDS):
        ground.clean()
        cost()  # what an emptied table costs once
        ground.clean()
        firsts.append(cost())
        ground.clean()
        crowd(ground, project, reward, CROWD - n)
        lasts.append(cost())
    ratios = [first / last for first, last in zip(firsts, lasts, strict=True)]
    figure = measure.from_ratios("flat", "ms per pledge", 0.91, lasts, firsts, ratios)
    figure.notes = [f"the last {n} of {CROWD:,} pledges on one limited reward; limit: the first {n}"]
    return figure


def crowd(ground: Ground, project: uuid.UUID, reward: uuid.UUID, n: int, state: str = "held") -> None:
    """n pledges as rows, past all services, with their lines and moves."""
    db = ground.db
    db.execute("SET session_replication_role = replica")
    db.execute(f"""
        INSERT INTO pledge (project_id, backer_id, reward_id, state, number, amount, currency, token, held_until, pledged_at)
        SELECT %s, {BACKER.format("n")}, %s, %s, CASE WHEN %s <> 'held' THEN n END, 2500, 'EUR', gen_random_uuid(),
               now() + interval '15 minutes', CASE WHEN %s <> 'held' THEN now() END FROM generate_series(1, %s) n""",
               [project, reward, state, state, state, n])
    db.execute("""INSERT INTO pledge_line (pledge_id, project_id, kind, reward_id, title, amount)
                  SELECT id, project_id, 'reward', reward_id, 'Signed CD 0', amount FROM pledge""")
    db.execute("INSERT INTO pledge_move (pledge_id, project_id, to_state) SELECT id, project_id, 'held' FROM pledge")
    db.execute("SET session_replication_role = origin")
    db.execute("UPDATE reward SET claimed = %s WHERE id = %s", [n, reward])
    db.execute("VACUUM ANALYZE pledge, pledge_line, pledge_move")
    db.execute("CHECKPOINT")
