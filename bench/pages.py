"""[page-warm] and [page-cold]: a project's page for visitors without a session."""

import http.client
import re
from collections.abc import Iterator

from bench.ground import HOST, Ground, backer_id
from bench.load import Job, rate
from bench.measure import SECONDS, Figure, compare, say

CLIENTS = 8
STORY = "\n\n".join(f"## Part {n}\n\n" + "We play on *night trains*, for people who sleep and people who do not. " * 9
                    for n in range(1, 7))


def make_page(ground: Ground) -> tuple[str, bytes, int]:
    """A project with a dozen rewards and its news; its slug, the page's bytes, and the site's port."""
    project, slug, _ = ground.project([(1000 + 500 * n, 50 if n % 3 == 0 else None) for n in range(12)], story=STORY)
    for n in range(1, 11):
        ground.db.execute("INSERT INTO project_update (project_id, number, title, body, author_id) VALUES (%s, %s, %s, %s, %s)",
                          [project, n, f"Night {n}", "We were in Basel and nobody slept. " * 12, backer_id(0)])
    for n in range(6):
        ground.db.execute("INSERT INTO project_faq (project_id, position, question, answer) VALUES (%s, %s, %s, %s)",
                          [project, n, f"Question {n}?", "Yes, on every train. " * 6])
    ground.db.execute("INSERT INTO page_version (topic) VALUES (%s) ON CONFLICT DO NOTHING", [f"project:{slug}"])
    ground.db.execute("VACUUM ANALYZE")
    port = ground.serve("bench.served:ours()")
    return slug, fetch(port, f"/projects/{slug}"), port


def fetch(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers={"Host": HOST})
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{path} answers {answer.status}")
    return answer.read()


def get(path: str) -> bytes:
    return (f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/html\r\nAccept-Language: en\r\n"
            "User-Agent: bench\r\n\r\n").encode()


def pages(ground: Ground, names: list[str]) -> Iterator[Figure]:
    slug, body, warm = make_page(ground)
    (ground.folder / "page.html").write_bytes(body)
    bare = ground.serve("bench.bare:bare()", BENCH_PAGE=str(ground.folder / "page.html"))

    def job(port: int, path: str, seconds: float = SECONDS) -> Job:
        return Job(port, [get(path)], CLIENTS, seconds)

    size = f"{len(body) / 1024:.0f} KB, {CLIENTS} clients"
    if "page-warm" in names:
        ours, limit = job(warm, f"/projects/{slug}"), job(bare, f"/ready/{slug}")
        warm_up(ours, limit)
        yield compare("page-warm", "requests/s", 1.0, lambda: rate(limit), lambda: rate(ours),
                      notes=[f"{size}; limit: bare Flask, ready bytes after one SELECT"])
    if "page-cold" in names:
        cold = ground.serve("bench.served:ours()", BENCH_COLD="1")
        same_page(fetch(cold, f"/projects/{slug}"), fetch(bare, f"/page/{slug}"))
        ours, limit = job(cold, f"/projects/{slug}"), job(bare, f"/page/{slug}")
        warm_up(ours, limit)
        yield compare("page-cold", "requests/s", 0.8, lambda: rate(limit), lambda: rate(ours),
                      notes=[f"{size}; limit: bare Flask + Jinja, five ORM SELECTs"])


def same_page(ours: bytes, limit: bytes) -> None:
    """The limit's page is as long as ours and shows the same rows: rewards, news and questions."""
    rows = [re.compile(rb"<article(?: class=\"(?:tier|update-item)\"| id=|><h3>)"), re.compile(rb"<details(?: class=\"faq\")?><summary>")]
    counts = [[len(row.findall(page)) for row in rows] for page in (ours, limit)]
    if len(ours) != len(limit) or counts[0] != counts[1]:
        raise RuntimeError(f"two different pages: {len(ours)} and {len(limit)} bytes, {counts} rows")


def warm_up(*jobs: Job) -> None:
    """Fill caches and prepare statements in every worker before anything counts."""
    for job in jobs:
        rate(Job(job.port, job.requests, job.clients, 1.5, job.repeat, job.expect))
    say(f"{'':15}(warm)")
