"""A process of the crew: the site inside, orders as JSON lines on stdin, answers on stdout."""

import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from app import create_app
from bench.ground import backer_id
from bench.measure import percentile
from core.db import db, transaction


def in_threads(app: Any, threads: int, work: Callable[[int], dict[str, float]]) -> dict[str, Any]:
    """Each thread in an app context of its own; what they return is added up, latencies are joined."""
    results: list[dict[str, Any]] = []

    def run(n: int) -> None:
        with app.app_context():
            try:
                results.append(work(n))
            finally:
                db.session.remove()

    crowd = [threading.Thread(target=run, args=(n,)) for n in range(threads)]
    start = time.perf_counter()
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    if len(results) < threads:
        raise RuntimeError("a thread failed")
    return {"results": results, "seconds": time.perf_counter() - start}


def place(app: Any, *, project: str, reward: str | None, first: int, seconds: float, threads: int = 2,
          most: int = 10**9, **_: Any) -> dict[str, Any]:
    """Place pledges of one backer after the other until the time is over."""
    from backing.placing import Choice, place_pledge

    project_id, reward_id = UUID(project), UUID(reward) if reward else None
    latencies: list[float] = []

    def work(n: int) -> dict[str, float]:
        end = time.perf_counter() + seconds
        count = 0
        backer = first + n * 10_000
        mine = []
        while (began := time.perf_counter()) < end and count < most:
            place_pledge(Choice(project_id, backer_id(backer), reward_id, 0 if reward_id else 1000, uuid.uuid4()))
            mine.append((time.perf_counter() - began) * 1000)
            count += 1
            backer += 1
        latencies.extend(mine)
        return {"count": count}

    done = in_threads(app, threads, work)
    latencies.sort()
    return {"count": len(latencies), "seconds": done["seconds"], "p50": percentile(latencies, 0.5),
            "p99": percentile(latencies, 0.99), "mean": sum(latencies) / max(1, len(latencies)),
            "middle": sum(cut := latencies[len(latencies) // 10: -len(latencies) // 10 or None]) / max(1, len(cut))}


def back(app: Any, *, project: str, first: int, wishes: list[str | None], threads: int = 2, **_: Any) -> dict[str, Any]:
    """Whole pledges: placed, a completed card form beside it, confirmed; the wishes of one backer after the other."""
    from backing.confirming import follow_card
    from backing.placing import Choice, SoldOut, place_pledge
    from payments.models import CardSetup

    project_id = UUID(project)

    def work(n: int) -> dict[str, float]:
        backed = sold_out = 0
        for m in range(n, len(wishes), threads):
            wish = wishes[m]
            person = backer_id(first + m)
            try:
                placed = place_pledge(Choice(project_id, person, UUID(wish) if wish else None, 0 if wish else 1000,
                                             uuid.uuid4()))
            except SoldOut:
                sold_out += 1
                continue
            with transaction() as session:
                # What payments.cards would have written by now; Stripe itself is left out.
                setup = CardSetup(project_id=project_id, subject_id=placed.pledge_id, person_id=person, currency="USD",
                                  state="complete", session_id=f"cs_{uuid.uuid4().hex}", payment_method_id="pm_bench",
                                  card_last4="4242")
                session.add(setup)
                session.flush()
                follow_card(setup)
            db.session.remove()  # as between two requests
            backed += 1
        return {"backed": backed, "sold_out": sold_out}

    done = in_threads(app, threads, work)
    return {"backed": sum(r["backed"] for r in done["results"]), "seconds": done["seconds"],
            "sold_out": sum(r["sold_out"] for r in done["results"])}


def post(app: Any, *, project: str, seconds: float, lines: list[list[Any]], threads: int = 2, **_: Any) -> dict[str, Any]:
    """Charges into the ledger, each in a transaction of its own, until the time is over."""
    from bench.postings import external
    from payments import ledger

    project_id = UUID(project)
    wanted = [(ledger.Account(account), amount, "c") for account, amount in lines]
    latencies: list[float] = []

    def work(n: int) -> dict[str, float]:
        end = time.perf_counter() + seconds
        mine = []
        while (began := time.perf_counter()) < end:
            with transaction():
                ledger.post("charge", external(), "EUR", wanted, project_id=project_id, subject_id=uuid.uuid4())
            mine.append((time.perf_counter() - began) * 1000)
        latencies.extend(mine)
        return {"count": len(mine)}

    done = in_threads(app, threads, work)
    latencies.sort()
    return {"count": len(latencies), "seconds": done["seconds"], "p50": percentile(latencies, 0.5),
            "p99": percentile(latencies, 0.99)}


def collect(app: Any, *, project: str, **_: Any) -> dict[str, Any]:
    """Collect a project as the worker's job does."""
    from backing.collecting import run_collection

    with app.app_context():
        start = time.perf_counter()
        tried = run_collection(UUID(project))
        db.session.remove()
    return {"tried": tried, "seconds": time.perf_counter() - start}


def export(app: Any, *, project: str, kind: str, to: str, **_: Any) -> dict[str, Any]:
    """Write a backer list to a file, and say how much memory that took over what was there before."""
    import psutil

    from backers.exports import Source, pieces
    from core.postgres import conninfo

    me = psutil.Process()
    idle = me.memory_info().rss
    peak = idle
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.005):
            peak = max(peak, me.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    with app.app_context(), open(to, "wb") as file:
        for piece in pieces(conninfo(app), Source(UUID(project), "USD", "Europe/Amsterdam"), kind):
            file.write(piece)
    took = time.perf_counter() - start
    over.set()
    watcher.join()
    return {"seconds": took, "mb": (peak - idle) / 2**20, "size": Path(to).stat().st_size}


def reconcile(app: Any, **_: Any) -> dict[str, Any]:
    """Compare everything, as at night, and say how much memory that took over what was there before."""
    import psutil

    from payments import reconciling

    me = psutil.Process()
    idle = peak = me.memory_info().rss
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.02):
            peak = max(peak, me.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with app.app_context():
            start, busy = time.perf_counter(), time.process_time()
            report = reconciling.reconcile(full=True)
            took, busy = time.perf_counter() - start, time.process_time() - busy
            db.session.remove()
    finally:
        over.set()
        watcher.join()
    assert report is not None
    return {"seconds": took, "cpu": busy, "mb": (peak - idle) / 2**20, "left": report.left, "compared": report.lines[0].compared,
            "found": sum(line.found for line in report.lines)}


ORDERS: dict[str, Callable[..., dict[str, Any]]] = {"place": place, "post": post, "back": back, "collect": collect, "export": export,
                                                   "reconcile": reconcile}


def main() -> None:
    app = create_app()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever anybody prints is not an answer
    for answer in ({"ready": True},):
        print(json.dumps(answer), file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(ORDERS[order.pop("do")](app, **order)), file=answers, flush=True)


if __name__ == "__main__":
    main()
