"""What ambassadors brought: recruits whose money is there, and proofs that were accepted. Never visits, never clicks."""

import csv
import io
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from core import money
from core.db import fetch_all
from core.sheets import defused
from sharing.models_rounds import AmbassadorRound
from sharing.round_words import region_words
from sharing.states import BACK


@dataclass(frozen=True)
class Score:
    """One ambassador's results. Money is in minor units; `pending` pledges stand and are not collected yet."""

    application_id: UUID
    person_id: UUID
    name: str
    is_named: bool
    region: str
    channel: str
    state: str
    recruits: int
    amount: int
    pending: int
    proofs: int
    proof_points: int
    points: int
    place: int

    @property
    def first_name(self) -> str:
        return self.name.split()[0] if self.name.split() else self.name


# One pass over the project's recruits in the round's days, joined to its ambassadors: never one look-up per ambassador.
_SCORES = sa.text(f"""
    WITH those AS (
        SELECT a.id, a.person_id, n.name, a.is_named, a.region, a.channel, a.state, a.applied_at
          FROM application a JOIN person n ON n.id = a.person_id
         WHERE a.round_id = :round AND (a.state = 'accepted' OR a.state = 'left' AND :all)),
    brought AS (
        SELECT t.id, count(*) FILTER (WHERE p.state = 'collected' AND NOT x.is_disputed) AS recruits,
               coalesce(sum(p.amount - b.back) FILTER (WHERE p.state = 'collected' AND NOT x.is_disputed), 0)::bigint AS amount,
               count(*) FILTER (WHERE p.state IN ('pledged', 'collecting', 'errored')) AS pending
          FROM those t JOIN share_link l ON l.project_id = :project AND l.person_id = t.person_id
          JOIN recruit r ON r.link_id = l.id AND r.struck_at IS NULL
          JOIN pledge p ON p.id = r.pledge_id
         CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM dispute d WHERE d.payment_id = p.payment_id AND d.is_withdrawn)
                                    AS is_disputed) x
         CROSS JOIN {BACK}
         WHERE p.pledged_at >= :runs_from AND p.pledged_at < :runs_until GROUP BY t.id),
    proved AS (
        SELECT application_id AS id, count(*) AS proofs, sum(points)::bigint AS points
          FROM mission_proof WHERE round_id = :round AND state = 'accepted' GROUP BY 1)
    SELECT s.*, rank() OVER (ORDER BY s.points DESC) AS place FROM (
        SELECT t.id AS application_id, t.person_id, t.name, t.is_named, t.region, t.channel, t.state, t.applied_at,
               coalesce(b.recruits, 0) AS recruits, coalesce(b.amount, 0) AS amount, coalesce(b.pending, 0) AS pending,
               coalesce(v.proofs, 0) AS proofs, coalesce(v.points, 0) AS proof_points,
               coalesce(b.recruits, 0) * :each + coalesce(v.points, 0) AS points
          FROM those t LEFT JOIN brought b ON b.id = t.id LEFT JOIN proved v ON v.id = t.id) s
     ORDER BY s.points DESC, s.applied_at, s.application_id""")  # noqa: S608


def scores(found: AmbassadorRound, *, with_left: bool = False) -> list[Score]:
    """Best first. points = collected recruits of the round × the round's weight + points of accepted proofs.

    A recruit is of the round when its pledge was made between the round's beginning and end; it counts while its money
    is there, so it may begin to count after the end and ceases with a refund, and while a bank holds it. Struck recruits count for nobody. Equals
    share a place.
    """
    rows = fetch_all(_SCORES, round=found.id, project=found.project_id, runs_from=found.runs_from,
                     runs_until=found.runs_until, each=found.points_each, all=with_left)
    return [Score(row.application_id, row.person_id, row.name, row.is_named, row.region, row.channel, row.state,
                  row.recruits, row.amount, row.pending, row.proofs, row.proof_points, row.points, row.place)
            for row in rows]


def score_of_one(all_: list[Score], application_id: UUID) -> Score | None:
    return next((one for one in all_ if one.application_id == application_id), None)


@dataclass(frozen=True)
class Report:
    """The closing report of a round: sums over its ambassadors, those who left included."""

    ambassadors: int
    left: int
    recruits: int
    amount: int
    pending: int
    proofs: int
    points: int
    active: int  # with at least one point


def report_of(all_: list[Score]) -> Report:
    return Report(sum(one.state == "accepted" for one in all_), sum(one.state == "left" for one in all_),
                  sum(one.recruits for one in all_), sum(one.amount for one in all_), sum(one.pending for one in all_),
                  sum(one.proofs for one in all_), sum(one.points for one in all_), sum(one.points > 0 for one in all_))


def pieces(found: AmbassadorRound) -> Generator[bytes, None, int]:
    """One row an ambassador, for the organiser: UTF-8 with its mark, texts defused, money as decimals; returns how many."""
    out = io.StringIO(newline="")
    sheet = csv.writer(out)
    sheet.writerow([_("Place"), _("Name"), _("Region"), _("Channel"), _("State"), _("Collected recruits"),
                    _("Collected amount"), _("Currency"), _("Recruits not collected yet"), _("Accepted proofs"),
                    _("Points from proofs"), _("Points")])
    currency = found.project.currency
    all_ = scores(found, with_left=True)
    for one in all_:
        row: list[Any] = [one.place, defused(one.name), defused(region_words(found, one.region)), defused(one.channel), one.state,
                          one.recruits, money.to_decimal(one.amount, currency), currency, one.pending, one.proofs,
                          one.proof_points, one.points]
        sheet.writerow(row)
    yield b"\xef\xbb\xbf" + out.getvalue().encode()
    return len(all_)
