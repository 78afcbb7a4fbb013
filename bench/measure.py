"""Rounds, figures, and how they are printed. A ratio is always "the higher, the better"."""

import json
import os
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROUNDS = max(1, int(os.environ.get("BENCH_ROUNDS") or 5))
SECONDS = float(os.environ.get("BENCH_SECONDS") or 2)  # of one measurement
SCALE = min(1.0, float(os.environ.get("BENCH_SCALE") or 0.02))  # of the replay; 1 is all 219,382 pledges
LATEST = Path(__file__).parent / "out" / "latest.json"


class Broken(Exception):
    """Something that no load may break is broken: oversold, or counted twice."""


@dataclass
class Figure:
    """One line of the table: ours and the limit as medians, the ratio as the median of the rounds' own ratios."""

    name: str
    ours: float
    limit: float
    unit: str
    ratio: float
    goal: float | None
    low: float = 0.0
    high: float = 0.0
    rounds: int = 1
    notes: list[str] = field(default_factory=list)


@dataclass
class Cell:
    """One measurement of one side."""

    value: float
    p50: float | None = None  # ms
    p99: float | None = None


Side = Callable[[], Cell]


def alternate(limit: Side, ours: Side, rounds: int = ROUNDS) -> tuple[list[Cell], list[Cell]]:
    """Limit, ours, limit, … , limit: every one of ours stands between two limits."""
    limits, mine = [limit()], []
    for _ in range(rounds):
        mine.append(ours())
        limits.append(limit())
    return limits, mine


def compare(name: str, unit: str, goal: float | None, limit: Side, ours: Side, *, rounds: int = ROUNDS,
            less_is_better: bool = False, notes: Iterable[str] = ()) -> Figure:
    """Both sides in turn; each of our rounds is divided by the mean of the limits before and after it."""
    limits, mine = alternate(limit, ours, rounds)
    ratios = []
    for n, cell in enumerate(mine):
        around = (limits[n].value + limits[n + 1].value) / 2
        best = around / cell.value if less_is_better else cell.value / around
        ratios.append(best)
    figure = from_ratios(name, unit, goal, [c.value for c in mine], [c.value for c in limits], ratios)
    figure.notes = [*_latencies(mine, limits), *notes]
    return figure


def from_ratios(name: str, unit: str, goal: float | None, ours: list[float], limits: list[float],
                ratios: list[float], notes: Iterable[str] = ()) -> Figure:
    return Figure(name, statistics.median(ours), statistics.median(limits), unit, statistics.median(ratios), goal,
                  min(ratios), max(ratios), len(ratios), list(notes))


def _latencies(mine: list[Cell], limits: list[Cell]) -> list[str]:
    def of(cells: list[Cell]) -> str:
        halves = [c.p50 for c in cells if c.p50 is not None]
        worst = [c.p99 for c in cells if c.p99 is not None]
        return f"p50 {statistics.median(halves):.1f} ms, p99 {statistics.median(worst):.1f} ms" if halves else ""

    return [f"ours {of(mine)}; limit {of(limits)}"] if of(mine) else []


def percentile(sorted_values: list[float], share: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))] if sorted_values else 0.0


def say(text: str) -> None:
    print(text, flush=True)


def show(figure: Figure) -> None:
    goal = "–" if figure.goal is None else f"{figure.goal:g}"
    verdict = "" if figure.goal is None else "  ok" if figure.ratio >= figure.goal else "  below"
    say(f"{figure.name:14} {_number(figure.ours):>9} {_number(figure.limit):>9}  {figure.unit:22} "
        f"{figure.ratio:6.2f}  [{figure.low:.2f}–{figure.high:.2f}] n={figure.rounds}  goal {goal}{verdict}")
    for note in figure.notes:
        say(f"{'':15}{note}")


def head() -> None:
    say(f"{'':14} {'ours':>9} {'limit':>9}  {'unit':22} {'ratio':>6}  [spread of the rounds]")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def write(figures: list[Figure]) -> None:
    """All figures of this run; what ran alone replaces only its own lines of the last run."""
    LATEST.parent.mkdir(exist_ok=True)
    known = json.loads(LATEST.read_text()) if LATEST.exists() else []
    mine = {figure.name for figure in figures}
    lines = [line for line in known if line["name"] not in mine] + [
        {"name": f.name, "ours": round(f.ours, 3), "limit": round(f.limit, 3), "unit": f.unit,
         "ratio": round(f.ratio, 3), "goal": f.goal} for f in figures]
    LATEST.write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n")
