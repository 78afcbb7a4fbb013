"""`python -m bench [NAME]`: all benches, or one. A slow figure never fails; a broken invariant or a crash does."""

import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator

from bench import measure
from bench.collection import collection
from bench.ground import Ground
from bench.measure import Broken, Figure
from bench.pages import pages
from bench.pledges import placing, pledge_http
from bench.postings import postings
from bench.reconciling import reconciliation
from bench.replay import exports, replay
from bench.tree import tree
from bench.webhooks import intake

Bench = Callable[[Ground, list[str]], Iterator[Figure]]
# What is measured together, in this order.
BENCHES: list[tuple[tuple[str, ...], Bench]] = [
    (("page-warm", "page-cold"), pages),
    (("pledge-http",), lambda ground, _names: iter([pledge_http(ground)])),
    (("place", "limited", "flat"), placing),
    (("postings",), lambda ground, _names: iter([postings(ground)])),
    (("replay",), lambda ground, _names: replay(ground)),
    (("export-csv", "export-xlsx", "export-memory"), exports),
    (("collect-free", "collect-paced"), collection),
    (("reconcile",), lambda ground, _names: iter([reconciliation(ground)])),
    (("webhook",), lambda ground, _names: iter([intake(ground)])),
    # Last, since it leaves a million people behind.
    (("tree-ranking", "tree-page", "tree-read", "tree-report", "tree-redirect", "tree-attribution", "tree-flat"), tree),
]


def main(asked: list[str]) -> int:
    known = [name for names, _ in BENCHES for name in names]
    if unknown := [name for name in asked if name not in known]:
        print(f"There is no bench {', '.join(unknown)}; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    start = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left running
    ground = Ground()
    try:
        failed = run(ground, asked, figures)
    finally:
        ground.stop()
    measure.write(figures)
    measure.say(f"{len(figures)} figures in {time.monotonic() - start:.0f} s, in bench/out/latest.json")
    return 1 if failed else 0


def run(ground: Ground, asked: list[str], figures: list[Figure]) -> bool:
    """True when something broke; the other benches go on."""
    failed = False
    measure.head()
    for names, bench in BENCHES:
        wanted = [name for name in names if not asked or name in asked]
        if not wanted:
            continue
        try:
            for figure in bench(ground, wanted):
                measure.show(figure)
                figures.append(figure)
        except Broken as broken:
            failed = True
            print(f"BROKEN  {', '.join(wanted)}: {broken}", file=sys.stderr)
        except Exception:
            failed = True
            traceback.print_exc()
        finally:
            ground.rest()
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
