"""[tree-attribution]: what it costs a pledge that it came by a link."""

import time
import uuid
from typing import Any

from bench.ground import Crew, Ground, backer_id
from bench.measure import ROUNDS, Broken, Figure, from_ratios

PAIRS = 300  # pledges with a link beside pledges without, in one round


def attribution(ground: Ground, project: uuid.UUID, reward: uuid.UUID, size: int) -> Figure:
    """A pledge that came by a link beside one that did not, one after the other in one process."""
    first, each = size + 2, 2 * PAIRS
    rounds = min(ROUNDS, 3)
    ground.people(first + each * (rounds + 1))
    codes = [row[0] for row in ground.db.execute("""
        SELECT code FROM share_link WHERE project_id = %s AND person_id IS NOT NULL ORDER BY md5(n::text) LIMIT %s""",
                                                 [project, PAIRS])]
    crew = Crew(1, ground.env(), "bench.attribution")
    ground.crews.append(crew)
    done = [crew.do("credit", project=project, reward=reward, first=first + each * n, codes=codes)[0]
            for n in range(rounds + 1)][1:]  # the first warms up
    credited = ground.one("SELECT count(*) FROM recruit r JOIN pledge p ON p.id = r.pledge_id WHERE r.project_id = %s AND p.number > %s",
                          project, size)
    if credited != len(codes) * (rounds + 1):
        raise Broken(f"{credited} credited of {len(codes) * (rounds + 1)} that came by a link")
    figure = from_ratios("tree-attribution", "ms per pledge", 0.91, [d["with"] for d in done], [d["without"] for d in done],
                         [d["without"] / d["with"] for d in done])
    parts = " and ".join(f"{what} {sum(d[key + '_with'] for d in done) / rounds:.2f} against {sum(d[key + '_without'] for d in done) / rounds:.2f} ms"
                         for what, key in (("placing", "place"), ("confirming", "confirm")))
    figure.notes = [f"{len(codes)} pairs a round on {size:,} backers; limit: the same pledge by nobody's link; {parts}",
                    f"credit adds {100 * (1 / figure.ratio - 1):.1f} % to a pledge"]
    return figure


def credit(app: Any, *, project: str, reward: str, first: int, codes: list[str], **_: Any) -> dict[str, float]:
    """An order of the crew: two pledges for each code, one by it; the means of the middle, in ms."""
    from backing.confirming import follow_card
    from backing.placing import Choice, place_pledge
    from core.db import db, transaction
    from payments.models import CardSetup

    took: dict[str, list[float]] = {f"{part}_{way}": [] for part in ("place", "confirm") for way in ("with", "without")}

    def pledge(person: uuid.UUID, ref: str | None) -> None:
        way = "with" if ref else "without"
        began = time.perf_counter()
        placed = place_pledge(Choice(uuid.UUID(project), person, uuid.UUID(reward), 0, uuid.uuid4(), ref))
        there = time.perf_counter()
        with transaction() as session:
            setup = CardSetup(project_id=uuid.UUID(project), subject_id=placed.pledge_id, person_id=person, currency="EUR",
                              state="complete", session_id=f"cs_{uuid.uuid4().hex}", payment_method_id="pm_bench",
                              card_last4="4242")
            session.add(setup)
            session.flush()
            follow_card(setup)
        done = time.perf_counter()
        db.session.remove()
        took[f"place_{way}"].append((there - began) * 1000)
        took[f"confirm_{way}"].append((done - there) * 1000)

    with app.app_context():
        for n, code in enumerate(codes):
            for m, ref in enumerate((code, None) if n % 2 else (None, code)):
                pledge(backer_id(first + 2 * n + m), ref)
    means = {key: middle(values) for key, values in took.items()}
    return means | {way: means[f"place_{way}"] + means[f"confirm_{way}"] for way in ("with", "without")}


def middle(values: list[float]) -> float:
    """The mean without the tenth at either end."""
    cut = sorted(values)[len(values) // 10: -len(values) // 10 or None]
    return sum(cut) / max(1, len(cut))


if __name__ == "__main__":
    from bench import worker

    worker.ORDERS["credit"] = credit
    worker.main()
