"""[tree-ranking], [tree-page], [tree-read], [tree-report], [tree-redirect], [tree-attribution], [tree-flat]: who brought whom.

A campaign of as many backers as Exploding Kittens had; three in ten were brought by one who was there before, each of
whom was equally likely to do it (a random recursive forest). The limits: for the ranking and the report one statement
that reads all paths; for a backer's page Flask with nothing around it, which makes as long a page of the same rows by
the best statements for them, and for what the page reads these statements alone. The same three pages stand on a
campaign of twenty thousand and on one of a million as well.
"""

import math
import random
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask, redirect
from psycopg.types.json import Jsonb

from bench.attribution import attribution
from bench.ground import BACKER, HOST, Ground, backer_id
from bench.load import Job, fire, rate
from bench.measure import ROUNDS, SCALE, SECONDS, Broken, Cell, Figure, compare, from_ratios, percentile, say
from bench.replay import ALL
from bench.tree_bare import BELOW, read

SMALL, LARGE = 20_000, 1_000_000
RECRUITED = 0.3
PAGES = ("ranking", "page", "root", "report")
AHEAD = 2_000  # backers of the smallest forest among whom the typical one is looked for
CODES, VISITORS = 500, 20_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

# A row of forest f: what it is, and which backer's. As with UUIDv7, neighbours in time are neighbours in the index.
_ROW = "CAST('{f:08x}-0000-7000-800{kind}-' || lpad(to_hex(CAST({n} AS bigint)), 12, '0') AS uuid)"
_AT = "CAST(%(start)s AS timestamptz) + interval '9 days' * ({n} / CAST(%(size)s AS float8))"
_WHOLE = ("SELECT n, count(*) FROM recruit, unnest(path) n WHERE project_id = %(project)s AND tallied_state IN ('pledged', 'collected') "
          "GROUP BY n ORDER BY 2 DESC LIMIT 50")
_RANKED = "SELECT count(*) FROM link_tally WHERE project_id = %(project)s AND is_person AND recruits > 0"


@dataclass(frozen=True)
class Forest:
    """A campaign with its tree. Backer m (from 1) is person m + 1; person 1 made the project."""

    project: uuid.UUID
    slug: str
    reward: uuid.UUID
    size: int
    base: int  # the link of backer m has n = base + m
    root: int = 0  # the backer who brought most in all
    typical: int = 0  # one who brought somebody, in the middle of those


# Planting

def grow(size: int, base: int, share: float = RECRUITED) -> Iterator[tuple[int, int, list[int]]]:
    """Backers who were brought: number, by whom, and the path; a recruiter always comes before."""
    dice = random.Random(11)
    paths: dict[int, list[int]] = {}
    for m in range(2, size + 1):
        if dice.random() < share:
            by = dice.randrange(1, m)
            paths[m] = [*paths.get(by, ()), base + by]
            yield m, by, paths[m]


def plant(ground: Ground, sizes: list[int], share: float = RECRUITED) -> list[Forest]:
    """A forest of each size, as rows. The index of paths is made afterwards: kept up row by row it takes minutes."""
    began = time.monotonic()
    ground.people(max(sizes) + 1)
    db = ground.db
    index = ground.one("SELECT pg_get_indexdef('ix_recruit_path'::regclass)")
    db.execute("DROP INDEX ix_recruit_path")
    db.execute("SET session_replication_role = replica; SET work_mem = '128MB'; SET synchronous_commit = off")
    check(ground, _plant(ground, AHEAD, share))
    forests = [_plant(ground, size, share) for size in sizes]
    db.execute("SET maintenance_work_mem = '512MB'")
    db.execute(index)
    db.execute("RESET maintenance_work_mem; RESET work_mem; RESET synchronous_commit; SET session_replication_role = origin")
    db.execute("VACUUM ANALYZE pledge, share_link, recruit, link_tally, week_tally, day_tally")
    db.execute("CHECKPOINT")
    found = [choose(ground, forest) for forest in forests]
    sizes_, deep = db.execute("SELECT count(*), max(cardinality(path)) FROM recruit").fetchone() or (0, 0)
    say(f"{'':15}planted {', '.join(f'{size:,}' for size in sizes)} backers, {sizes_:,} of them brought, up to {deep} deep, "
        f"in {time.monotonic() - began:.0f} s")
    return found


def _plant(ground: Ground, size: int, share: float) -> Forest:
    db = ground.db
    project, slug, (reward,) = ground.project([(3_500, None)], creator_id=backer_id(1), title="Exploding Kittens")
    base = ground.one("SELECT coalesce(max(n), 0) FROM share_link")
    values = {"project": project, "reward": reward, "size": size, "base": base,
              "start": ground.one("SELECT launched_at FROM project WHERE id = %s", project)}
    pledge, link = (_ROW.format(f=ground.made, kind=kind, n="{n}") for kind in (1, 2))
    at = _AT.format(n="m")
    db.execute("CREATE TEMP TABLE brought (m integer, by integer, path integer[])")
    with db.cursor() as cursor, cursor.copy("COPY brought FROM STDIN") as copy:
        for m, by, path in grow(size, base, share):
            copy.write_row((m, by, path))
    db.execute(f"""
        INSERT INTO pledge (id, project_id, backer_id, reward_id, state, number, amount, currency, token, placed_at, pledged_at)
        SELECT {pledge.format(n="m")}, %(project)s, {BACKER.format("m + 1")}, %(reward)s, 'pledged', m,
               CASE WHEN m %% 14 = 0 THEN 2000 WHEN m %% 300 = 1 THEN 1000 ELSE 3500 END, 'EUR', gen_random_uuid(), {at}, {at}
          FROM generate_series(1, %(size)s) m""", values)
    db.execute(f"""
        INSERT INTO share_link (id, n, code, project_id, person_id, is_named, created_at)
        SELECT {link.format(n="m")}, %(base)s + m, upper(lpad(to_hex(%(base)s + m), 13, '0')), %(project)s, {BACKER.format("m + 1")},
               m %% 2 = 0, {at} FROM generate_series(1, %(size)s) m""", values)
    db.execute("SELECT setval('share_link_n', %s)", [base + size])
    db.execute(f"""
        INSERT INTO recruit (pledge_id, project_id, link_id, recruiter_id, backer_id, at, path, tallied_path, tallied_state,
                             tallied_amount)
        SELECT {pledge.format(n="m")}, %(project)s, {link.format(n="by")}, {BACKER.format("by + 1")}, {BACKER.format("m + 1")},
               {at}, path, path, 'pledged', CASE WHEN m %% 14 = 0 THEN 2000 WHEN m %% 300 = 1 THEN 1000 ELSE 3500 END
          FROM brought ORDER BY m""", values)
    db.execute("DROP TABLE brought")
    db.execute("ANALYZE recruit")
    for table in TALLIES:
        db.execute(table.format(link=link.format(n="u.n - %(base)s")), values)
    db.execute("UPDATE project_total SET backers = %(size)s, raised = (SELECT sum(amount) FROM pledge WHERE project_id = %(project)s) "
               "WHERE project_id = %(project)s", values)
    db.execute("INSERT INTO backer_counter (project_id, last) VALUES (%(project)s, %(size)s)", values)
    tags = [ground.one("INSERT INTO share_link (code, project_id) VALUES (%s, %s) RETURNING id",
                       f"{ground.made:04}TAG{n:06}", project) for n in range(12)]
    for n, tag in enumerate(tags):
        db.execute("INSERT INTO share_tag (link_id, project_id, name, channel, utm) VALUES (%s, %s, %s, %s, %s)",
                   [tag, project, f"Poster {n}", ("Posters", "Newsletter", "Social")[n % 3], Jsonb({})])
    return Forest(project, slug, reward, size, base)


# What the roll-up would have made of it by now.
TALLIES = ("""
    INSERT INTO link_tally (link_id, project_id, n, is_person, recruits, pledged, further_recruits, further_pledged, reached_at)
    SELECT {link}, %(project)s, u.n, true, u.recruits, u.pledged, u.further, coalesce(u.further_pledged, 0), u.reached FROM (
           SELECT n, count(*) FILTER (WHERE step = cardinality(path)) AS recruits,
                  sum(tallied_amount) FILTER (WHERE step = cardinality(path)) AS pledged,
                  count(*) FILTER (WHERE step < cardinality(path)) AS further,
                  sum(tallied_amount) FILTER (WHERE step < cardinality(path)) AS further_pledged,
                  max(at) FILTER (WHERE step = cardinality(path)) AS reached
             FROM recruit, unnest(path) WITH ORDINALITY s (n, step) WHERE project_id = %(project)s GROUP BY n) u""", """
    INSERT INTO week_tally (project_id, week, link_id, recruits, amount, reached_at)
    SELECT project_id, CAST(date_trunc('week', at AT TIME ZONE 'UTC') AS date), link_id, count(*), sum(tallied_amount), max(at)
      FROM recruit WHERE project_id = %(project)s GROUP BY 1, 2, 3""", """
    INSERT INTO day_tally (project_id, day, generation, recruits, pledged)
    SELECT project_id, CAST(at AT TIME ZONE 'UTC' AS date), cardinality(path), count(*), sum(tallied_amount)
      FROM recruit WHERE project_id = %(project)s GROUP BY 1, 2, 3""", """
    INSERT INTO page_version (topic) SELECT 'ranking:' || slug FROM project WHERE id = %(project)s""")


def choose(ground: Ground, forest: Forest) -> Forest:
    """Whose pages are opened: the largest subtree's, and one in the middle of all who brought somebody early on."""
    root = ground.one("SELECT n FROM link_tally WHERE project_id = %s ORDER BY recruits + further_recruits DESC, n LIMIT 1",
                      forest.project)
    known = [row[0] for row in ground.db.execute(
        "SELECT n FROM link_tally WHERE project_id = %s AND n <= %s ORDER BY recruits + further_recruits, n",
        [forest.project, forest.base + min(AHEAD, forest.size)])]
    return Forest(forest.project, forest.slug, forest.reward, forest.size, forest.base, root - forest.base,
                  known[len(known) // 2] - forest.base)


def check(ground: Ground, forest: Forest) -> None:
    """What was planted is what the roll-up would have made: by the house's own checks."""
    from sharing import tallies

    with ground.app.app_context():
        if broken := tallies.check(forest.project):
            raise Broken("; ".join(broken))


# Pages

def requests(forest: Forest, length: int = 0) -> dict[str, bytes]:
    """Each page as it is asked for: the ranking by anybody, the trees by their backers, the report by the organiser.
    `length` tells the bare page how long to be."""
    def of(path: str, person: int = 0) -> bytes:
        cookie = f"Cookie: __Host-session=sid-{person}\r\n" if person else ""
        return (f"GET /projects/{forest.slug}/{path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/html\r\nAccept-Language: en\r\n"
                f"{cookie}X-Bytes: {length}\r\nUser-Agent: {AGENT}\r\n\r\n").encode()

    return {"ranking": of("ranking"), "page": of("tree", forest.typical + 1), "root": of("tree", forest.root + 1),
            "report": of("recruits", 1)}


def page_ms(port: int, request: bytes, seconds: float = SECONDS) -> Cell:
    """One visitor, one request after the other: what the page takes, from the socket to its last byte. p50 in ms."""
    result = fire(Job(port, [request], 1, seconds))
    return Cell(result["p50"], result["p50"], result["p99"])


def query_ms(ground: Ground, sql: str, seconds: float = 0.5, **values: Any) -> Cell:
    """A bare statement, prepared, on a connection of its own that lies ready."""
    with ground.db.cursor() as cursor:
        return time_ms(lambda: cursor.execute(sql, values, prepare=True).fetchall(), seconds)


def time_ms(work: Callable[[], Any], seconds: float = 0.5) -> Cell:
    took: list[float] = []
    end = time.perf_counter() + seconds
    while len(took) < 5 or time.perf_counter() < end:
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return Cell(percentile(took, 0.5), percentile(took, 0.5), percentile(took, 0.99))


def limit_of(ground: Ground, forest: Forest, page: str) -> Callable[[], Cell]:
    if page in ("ranking", "report"):
        return partial(query_ms, ground, _WHOLE, project=forest.project)
    return partial(query_ms, ground, BELOW, n=forest.base + (forest.root if page == "root" else forest.typical))


def statements(ground: Ground, forest: Forest, page: str) -> Cell:
    """What the page reads, without the page: all of its own statements of this room, by its own functions."""
    from core import pages
    from sharing import ranking, reports, tree

    def ranked() -> None:
        ranking.count(forest.project, None, pages.version_of(ranking.topic(forest.slug)))
        ranking.rows(forest.project, None)

    def grown(m: int) -> None:
        own = tree.own_trail(forest.project, backer_id(m + 1))[-1]
        assert own.link_id is not None
        tree.children(own.link_id, is_mine=True)

    def reported() -> None:
        reports.read(forest.project)
        reports.by_channel(forest.project)
        reports.by_tag(forest.project, reports.BEST_TAGS)
        reports.best(forest.project)
        ranking.count(forest.project, None, pages.version_of(ranking.topic(forest.slug)))

    known: dict[str, Callable[[], None]] = {"ranking": ranked, "page": lambda: grown(forest.typical),
                                            "root": lambda: grown(forest.root), "report": reported}
    work = known[page]
    with ground.app.app_context():
        for _ in range(10):
            work()
        return time_ms(work)


def whole_page(ground: Ground, forest: Forest, port: int, page: str, name: str, note: str) -> Figure:
    request = requests(forest)[page]
    page_ms(port, request, 0.5)
    figure = compare(name, "ms", 0.67, limit_of(ground, forest, page), lambda: page_ms(port, request), rounds=min(ROUNDS, 3),
                     less_is_better=True, notes=[note])
    cell = statements(ground, forest, page)
    figure.notes.append(f"its statements alone: p50 {cell.p50:.1f} ms, p99 {cell.p99:.1f} ms")
    return figure


def own_page(ground: Ground, forest: Forest, port: int, bare: int, page: str) -> Iterator[Figure]:
    """A backer's page beside a bare one of as many bytes, and what it reads beside the best statements for that."""
    m = getattr(forest, "root" if page == "root" else "typical")
    below = ground.one("SELECT recruits + further_recruits FROM link_tally WHERE n = %s", forest.base + m)
    of = f"{forest.size:,} backers, {below:,} below this one"
    name = "-root" if page == "root" else ""
    ours = requests(forest)[page]
    length = len(answer(port, ours))
    limit = requests(forest, length)[page]
    if (shown := len(answer(bare, limit))) != length:
        raise Broken(f"two different pages: {length} and {shown} bytes")
    for where, request in ((port, ours), (bare, limit)):
        page_ms(where, request, 0.5)
    figure = compare("tree-page" + name, "ms", 0.67, lambda: page_ms(bare, limit), lambda: page_ms(port, ours),
                     rounds=min(ROUNDS, 3), less_is_better=True,
                     notes=[f"{of}; no page kept, one visitor; limit: bare Flask + Jinja, the same rows, as many bytes ({length / 1024:.0f} KB)"])
    look_up = limit_of(ground, forest, page)()
    figure.notes.append(f"the look-up of those below by index, alone and without a page: {look_up.value:.2f} ms, "
                        f"{look_up.value / figure.ours:.2f} of the page")
    yield figure
    person = backer_id(m + 1)
    yield compare("tree-read" + name, "ms", 0.67, lambda: time_ms(lambda: read(ground.db, forest.project, person)),
                  lambda: statements(ground, forest, page), rounds=min(ROUNDS, 3), less_is_better=True,
                  notes=[f"{of}; what the page reads of the tree; limit: the best statements for it on a connection that lies ready"])


def answer(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as there:
        there.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        got = b"".join(iter(lambda: there.recv(65_536), b""))
    head, _, body = got.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise Broken(head.split(b"\r\n")[0].decode())
    return body


def of_tree(ground: Ground, forest: Forest, port: int, names: list[str]) -> Iterator[Figure]:
    where = f"{forest.size:,} backers; no page kept, one visitor; limit: "
    if "tree-ranking" in names:
        yield whole_page(ground, forest, port, "ranking", "tree-ranking", where + "all paths in one pass, the first 50")
    if {"tree-page", "tree-read"} & set(names):
        bare = ground.serve("bench.tree_bare:bare()")
        for page in ("page", "root"):
            yield from (figure for figure in own_page(ground, forest, port, bare, page) if figure.name.removesuffix("-root") in names)
    if "tree-report" in names:
        yield whole_page(ground, forest, port, "report", "tree-report", where + "all paths in one pass, the first 50")


def flat(ground: Ground, forests: list[Forest], port: int) -> Iterator[Figure]:
    """How the time of a page grows with the campaign: the exponent of time over size, 0 when it does not."""
    small, large = forests[0], forests[-1]
    for page in PAGES:
        first, last = requests(small)[page], requests(large)[page]
        limits = [limit_of(ground, forest, page)().value for forest in (small, large)]
        for request in (first, last):
            page_ms(port, request, 0.5)
        firsts, lasts = [], []
        for _ in range(min(ROUNDS, 3)):
            firsts.append(page_ms(port, first, SECONDS / 2).value)
            lasts.append(page_ms(port, last, SECONDS / 2).value)
        ratios = [a / b for a, b in zip(firsts, lasts, strict=True)]
        figure = from_ratios(f"tree-flat-{page}", f"ms at {large.size:,}", None, lasts, firsts, ratios)
        if page in ("ranking", "report"):
            counts = [query_ms(ground, _RANKED, project=forest.project).value for forest in (small, large)]
            known = f"; how many are ranked is read once for each version of the ranking, in {counts[0]:.1f} and {counts[1]:.1f} ms"
        else:
            known = ""
        figure.notes = [f"limit: at {small.size:,}; time grows with size to the power of "
                        f"{power(figure.limit, figure.ours, small, large):.2f}, that of the bare query "
                        f"({limits[0]:.1f} and {limits[1]:.1f} ms) with {power(limits[0], limits[1], small, large):.2f}{known}"]
        yield figure


def power(before: float, after: float, small: Forest, large: Forest) -> float:
    return math.log(after / before) / math.log(large.size / small.size)


# The short link

def redirecting() -> Flask:
    """The limit: Flask with nothing around it, that sends everybody on."""
    app = Flask(__name__)

    @app.get("/s/<code>")
    def follow(code: str) -> Any:
        return redirect("/projects/night-train", 303)

    return app


def redirects(ground: Ground, forest: Forest) -> Figure:
    """Many visitors of many links, each counted: from networks of their own, as a proxy in front tells them."""
    codes = [row[0] for row in ground.db.execute("SELECT code FROM share_link WHERE project_id = %s AND person_id IS NOT NULL LIMIT %s",
                                                 [forest.project, CODES])]
    asked = [f"GET /s/{codes[n % len(codes)]} HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For: 10.{n // 250 // 250}.{n // 250 % 250}"
             f".{n % 250 + 1}\r\nX-Forwarded-Proto: https\r\nAccept: text/html\r\nUser-Agent: {AGENT}\r\n\r\n".encode()
             for n in range(VISITORS)]
    ours = Job(ground.serve("bench.served:ours()", PROXY_HOPS="1"), asked, 8, SECONDS, expect=303)
    limit = Job(ground.serve("bench.tree:redirecting()"), asked, 8, SECONDS, expect=303)
    for job in (ours, limit):
        rate(Job(job.port, asked, 8, 1.0, expect=303))
    figure = compare("tree-redirect", "requests/s", 0.6, lambda: rate(limit), lambda: rate(ours))
    visits = ground.one("SELECT count(*) FROM share_visit WHERE project_id = %s", forest.project)
    if not visits:
        raise Broken("nobody's visit was counted")
    figure.notes.append(f"{len(codes)} links, 8 clients, {visits:,} visits counted; limit: bare Flask, a redirect and nothing else")
    return figure


# All of it

def tree(ground: Ground, names: list[str]) -> Iterator[Figure]:
    wanted = [ALL] if set(names) != {"tree-flat"} else []
    if "tree-flat" in names:
        wanted = [SMALL, *wanted, LARGE]
    forests = plant(ground, [max(AHEAD, round(size * SCALE)) for size in wanted])
    ground.sign_in(max(max(f.typical, f.root) for f in forests) + 1)
    ground.db.execute("SET jit = off; SET work_mem = '64MB'")  # the limits at their best
    kittens = forests[1 if "tree-flat" in names and wanted != [SMALL, LARGE] else 0]
    if set(names) & {"tree-ranking", "tree-page", "tree-read", "tree-report", "tree-flat"}:
        port = ground.serve("bench.served:ours()", BENCH_COLD="1")
        yield from of_tree(ground, kittens, port, names)
        if "tree-flat" in names:
            yield from flat(ground, forests, port)
    if "tree-redirect" in names:
        yield redirects(ground, kittens)
    if "tree-attribution" in names:
        yield attribution(ground, kittens.project, kittens.reward, kittens.size)
    ground.db.execute("RESET jit; RESET work_mem")
