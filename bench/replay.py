"""[replay], [export-csv], [export-xlsx], [export-memory]: Exploding Kittens, and its backer list.

Each pledge is placed and confirmed by the services; Stripe is left out by writing the completed card form as a row and
handing it to `follow_card`, which is what the return page does once Stripe has said yes. Real tiers, real numbers; the
limited ones keep their stock at every scale and see more buyers than there are.
"""

import random
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backers.exports import Source, query
from bench.ground import BACKER, Ground, pgbench
from bench.measure import ROUNDS, SCALE, Broken, Cell, Figure, compare, say
from bench.same import place_script
from core import postgres

TIERS = ((2_000, 15_505, None), (3_500, 202_934, None), (10_000, 200, 200), (50_000, 5, 5))  # cents, backers, stock
ALL = 219_382
WITHOUT = ALL - sum(backers for _, backers, _ in TIERS)
TRIED = {200: 300, 5: 60}  # how many try to get a limited one


def kittens(ground: Ground) -> tuple[uuid.UUID, list[uuid.UUID]]:
    project, _, rewards = ground.project([(price, stock) for price, _, stock in TIERS], currency="USD",
                                         title="Exploding Kittens", category="games", goal=1_000_000)
    return project, rewards


def replay(ground: Ground) -> Iterator[Figure]:
    wishes: list[str | None] = []
    project, rewards = kittens(ground)
    for reward, (_, backers, stock) in zip(rewards, TIERS, strict=True):
        wishes += [str(reward)] * (TRIED[stock] if stock else round(backers * SCALE))
    wishes += [None] * round(WITHOUT * SCALE)
    random.Random(7).shuffle(wishes)
    ground.people(max(len(wishes) + 1, 80_000 + 5_000))  # pgbench's clients have 20,000 backers each
    ground.clean()
    crew = ground.crew(2)
    half = len(wishes) // 2
    say(f"{'':15}replaying {len(wishes):,} buyers (BENCH_SCALE {SCALE:g}) …")
    before = limit_rate(ground)
    ground.clean()
    done = crew.do("back", {"first": 2, "wishes": wishes[:half]}, {"first": 2 + half, "wishes": wishes[half:]},
                   project=project, threads=2)
    sold = check(ground, project, rewards, sum(d["backed"] for d in done))
    rate = sum(d["backed"] for d in done) / max(d["seconds"] for d in done)
    ground.clean()
    limit = (before + limit_rate(ground)) / 2
    yield Figure("replay", rate, limit, "pledges/s", rate / limit, None, rate / limit, rate / limit, notes=[
        f"{sum(d['backed'] for d in done):,} placed and confirmed, {sum(d['sold_out'] for d in done)} came too late; limit: "
        "pgbench with the statements of placing alone"])
    yield Figure("replay-sold", sum(sold), 205, "limited rewards sold", sum(sold) / 205, 1.0, 1.0, 1.0,
                 notes=[f"{sold[0]} of 200 and {sold[1]} of 5; numbers 1 to n without a gap, totals equal the sum"])


def limit_rate(ground: Ground) -> float:
    project, _, (reward,) = ground.project([(2_500, None)])
    return pgbench(ground, place_script(project, reward), 4, 2)[0]


def check(ground: Ground, project: uuid.UUID, rewards: list[uuid.UUID], backed: int) -> list[int]:
    """Exactly the stock of the limited tiers, every backer a number of their own, and totals that are the sum."""
    from backing.totals import roll_up

    with ground.app.app_context():
        while roll_up():
            pass
    sold = [ground.one("SELECT count(*) FROM pledge WHERE reward_id = %s AND state = 'pledged'", r) for r in rewards[2:]]
    claimed = [ground.one("SELECT claimed FROM reward WHERE id = %s", r) for r in rewards[2:]]
    if sold != [200, 5] or claimed != [200, 5]:
        raise Broken(f"sold {sold}, claimed {claimed} of the limited tiers")
    row = ground.db.execute("""
        SELECT count(*), count(DISTINCT backer_id), max(number), sum(amount) FROM pledge
         WHERE project_id = %s AND state = 'pledged'""", [project]).fetchone() or (0, 0, 0, 0)
    totals = ground.db.execute("SELECT backers, raised FROM project_total WHERE project_id = %s", [project]).fetchone()
    if set(row[:3]) != {backed} or totals != (row[0], row[3]):
        raise Broken(f"{backed} backed; pledges, backers, last number and sum are {row}, totals {totals}")
    return sold


def fill(ground: Ground, n: int) -> uuid.UUID:
    """A project with n pledges on the real tiers as rows, some brought by others."""
    say(f"{'':15}filling {n:,} rows …")
    project, rewards = kittens(ground)
    ground.people(n + 1)
    db = ground.db
    db.execute("SET session_replication_role = replica")
    db.execute(f"""
        INSERT INTO pledge (project_id, backer_id, reward_id, state, number, amount, currency, token, held_until, pledged_at)
        SELECT %(project)s, {BACKER.format("n + 1")}, t.reward, 'pledged', n, t.amount, 'USD', gen_random_uuid(), now(), now()
          FROM generate_series(1, %(n)s) n CROSS JOIN LATERAL (SELECT
               CASE WHEN n %% 14 = 0 THEN %(low)s WHEN n %% 300 = 1 THEN NULL ELSE %(high)s END::uuid AS reward,
               CASE WHEN n %% 14 = 0 THEN 2000 WHEN n %% 300 = 1 THEN 1000 ELSE 3500 END AS amount) t""",
               {"project": project, "n": n, "low": rewards[0], "high": rewards[1]})
    # Every tenth backer brought the four after them.
    db.execute("""
        INSERT INTO share_link (code, project_id, person_id)
        SELECT md5(project_id::text || number), project_id, backer_id FROM pledge WHERE project_id = %s AND number %% 10 = 0""",
               [project])
    db.execute("ANALYZE pledge, share_link")  # else the join below is planned for empty tables
    db.execute("""
        INSERT INTO recruit (pledge_id, project_id, link_id, recruiter_id, backer_id)
        SELECT p.id, p.project_id, l.id, l.person_id, p.backer_id FROM pledge p
          JOIN pledge sender ON sender.project_id = p.project_id AND sender.number = p.number - p.number %% 10
          JOIN share_link l ON l.project_id = p.project_id AND l.person_id = sender.backer_id
         WHERE p.project_id = %s AND p.number %% 10 BETWEEN 1 AND 4""", [project])
    db.execute("SET session_replication_role = origin")
    db.execute("VACUUM ANALYZE pledge, person, recruit, share_link")
    return project


def exports(ground: Ground, names: list[str]) -> Iterator[Figure]:
    ground.clean()
    full = fill(ground, ALL)
    crew = ground.crew(1)

    def ours(kind: str) -> Cell:
        path = ground.folder / f"list.{kind}"
        took = crew.do("export", project=full, kind=kind, to=path)[0]["seconds"]
        return Cell(ALL / took)

    ours("csv")
    for kind, goal in (("csv", 0.6), ("xlsx", 0.25)):
        if f"export-{kind}" in names:
            yield compare(f"export-{kind}", "rows/s", goal, lambda: raw_copy(ground, full), lambda kind=kind: ours(kind),  # type: ignore[misc]
                          notes=[f"{ALL:,} rows; limit: psql COPY of the same query, nothing made safe"])
    check_csv(ground)
    if "export-memory" in names:
        yield memory(ground, full)


def raw_copy(ground: Ground, project: uuid.UUID) -> Cell:
    """COPY of the same query into a file by psql; the server's own time zone and planner settings as ours has them."""
    statement = query(Source(project, "USD", "Europe/Amsterdam"), defused=False).as_string(ground.db)
    path = ground.folder / "raw.csv"
    socket_folder = re.search(r"host=([^&]+)", ground.url)
    assert socket_folder is not None
    start = time.perf_counter()
    subprocess.run([str(postgres.BIN / "psql"), "-X", "-q", "-h", socket_folder[1], "-U", "postgres", "achterban",
                    "-c", "SET work_mem = '32MB'; SET jit = off; SET timezone = 'UTC'",
                    "-c", f"COPY ({statement}) TO STDOUT WITH (FORMAT csv, HEADER)"],
                   stdout=path.open("wb"), check=True)
    return Cell(ALL / (time.perf_counter() - start))


def check_csv(ground: Ground) -> None:
    path = ground.folder / "list.csv"
    with path.open("rb") as file:
        lines = sum(1 for _ in file)
    if lines != ALL + 1:
        raise Broken(f"the list has {lines:,} lines, not {ALL + 1:,}")


def memory(ground: Ground, full: uuid.UUID) -> Figure:
    """The most that an export takes over an idle process: the worst of both formats, for 20,000 and for all."""
    small = fill(ground, 20_000)
    peaks: dict[str, list[float]] = {}
    for _ in range(min(ROUNDS, 3)):
        for kind in ("csv", "xlsx"):
            for name, project in (("20,000", small), (f"{ALL:,}", full)):
                crew = ground.crew(1)  # a fresh process each time, so that nothing is left of the one before
                done: dict[str, Any] = crew.do("export", project=project, kind=kind, to=ground.folder / f"memory.{kind}")[0]
                peaks.setdefault(f"{kind} {name}", []).append(done["mb"])
                crew.dismiss()
                ground.crews.remove(crew)
    worst = max(max(values) for values in peaks.values())
    least = min(max(values) for values in peaks.values())
    Path(ground.folder / "memory.csv").unlink(missing_ok=True)
    return Figure("export-memory", worst, 50, "MB over idle", 50 / max(worst, 0.1), 1.0, 50 / max(worst, 0.1),
                  50 / max(least, 0.1), min(ROUNDS, 3),
                  notes=["; ".join(f"{name}: {max(values):.1f} MB" for name, values in peaks.items())])
