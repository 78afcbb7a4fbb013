"""Steps as people read them: the creator's list, a sharer's way along it, who is granted what, and what must hold."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from babel.dates import format_date
from babel.numbers import format_decimal
from flask import current_app
from flask_babel import gettext as _
from flask_babel import ngettext

from backing.models import STANDING
from core.db import fetch_all
from core.i18n import locale_name
from core.media import picture_url
from payments.checks import Check, counted
from sharing.models_milestones import GrantState

S = GrantState
_STANDING = ", ".join(f"'{state}'" for state in STANDING)


def _n(number: int) -> str:
    return format_decimal(number, locale=locale_name())


def month_text(day: date | None) -> str:
    return format_date(day, "MMMM y", locale=locale_name()) if day else ""


@dataclass(frozen=True)
class Step:
    """A step of the creator's list, and how many reached it."""

    id: UUID
    reward_id: UUID
    friends: int
    title: str
    description: str
    quantity: int | None
    claimed: int
    delivery_on: date | None
    picture_key: str | None
    picture_alt: str
    closed_at: datetime | None
    waiting: int
    pending: int
    earned: int
    reached: int  # links that ever did, whatever became of it

    @property
    def left(self) -> int | None:
        return None if self.quantity is None else max(0, self.quantity - self.claimed)

    @property
    def lines(self) -> list[str]:
        return self.description.splitlines()

    @property
    def picture(self) -> str | None:
        return picture_url(self.picture_key, 400)

    @property
    def delivery(self) -> str:
        return month_text(self.delivery_on)

    @property
    def friends_text(self) -> str:
        return ngettext("One friend", "%(n)s friends", self.friends, n=_n(self.friends))

    @property
    def stock_text(self) -> str:
        """`2 of 5 left`, or that there is no limit."""
        if self.quantity is None or self.left is None:
            return _("no limit")
        return _("%(left)s of %(all)s left", left=_n(self.left), all=_n(self.quantity))

    @property
    def given_text(self) -> str:
        """Who has it so far: earned, kept, in line."""
        said = []
        if self.earned:
            said.append(ngettext("earned by one", "earned by %(n)s", self.earned, n=_n(self.earned)))
        if self.pending:
            said.append(ngettext("kept for one", "kept for %(n)s", self.pending, n=_n(self.pending)))
        if self.waiting:
            # While there are any, only their own pledge is missing.
            said.append(ngettext("one waits", "%(n)s wait", self.waiting, n=_n(self.waiting)) if self.left == 0 else
                        ngettext("one has to pledge first", "%(n)s have to pledge first", self.waiting, n=_n(self.waiting)))
        return ", ".join(said) or _("reached by nobody yet")


_STEPS = sa.text("""
    SELECT m.id, m.reward_id, m.friends, r.title, r.description, r.quantity, r.claimed, r.delivery_on,
           p.key AS picture_key, r.picture_alt, m.closed_at, g.waiting, g.pending, g.earned, g.reached
      FROM milestone m JOIN reward r ON r.id = m.reward_id LEFT JOIN picture p ON p.id = r.picture_id
     CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'pending') AS pending,
                  count(*) FILTER (WHERE state = 'earned') AS earned, count(*) AS reached
             FROM milestone_grant WHERE milestone_id = m.id) g
     WHERE m.project_id = :project ORDER BY m.friends""")


def steps_of(project_id: UUID) -> list[Step]:
    """A project's steps, easiest first: one statement."""
    return [Step(**row._mapping) for row in fetch_all(_STEPS, project=project_id)]


@dataclass(frozen=True)
class Stage:
    """One step as one sharer meets it."""

    friends: int
    title: str
    brought: int  # friends whose pledges stand
    is_backer: bool
    quantity: int | None
    claimed: int
    state: GrantState | None
    why: str | None
    place: int  # in the line, when waiting in it

    @property
    def at(self) -> int:
        return self.friends

    @property
    def what(self) -> str:
        return self.title

    @property
    def to_go(self) -> int:
        return max(0, self.friends - self.brought)

    @property
    def is_gone(self) -> bool:
        return self.quantity is not None and self.claimed >= self.quantity

    @property
    def reached(self) -> bool:
        return self.to_go == 0

    @property
    def text(self) -> str:
        """Where it stands, in a sentence; nothing is called theirs before it is."""
        if self.state is S.EARNED:
            return _("Yours.")
        if self.state is S.PENDING:
            days = current_app.config["MILESTONE_DAYS"]
            return ngettext("Kept for you until your friends' money has come and stayed for a day.",
                            "Kept for you until your friends' money has come and stayed for %(num)s days.", days) if days else \
                _("Kept for you until your friends' money is collected.")
        if self.to_go:
            said = ngettext("One more friend", "%(n)s more friends", self.to_go, n=_n(self.to_go))
            if self.state is S.TAKEN_BACK:
                return _("Taken back: %(why)s.", why=why_text(self.why)) + f" {said}."
            if self.is_gone:
                return _("All are given away so far.")
            return said if self.left is None else _("%(said)s, %(left)s left", said=said, left=_n(self.left))
        if not self.is_backer:
            return _("Reached. Pledge yourself, and it is yours while there are any.")
        if self.place:
            return _("Reached, and all are given away. You are number %(n)s in line.", n=_n(self.place))
        return _("Reached.")

    @property
    def left(self) -> int | None:
        return None if self.quantity is None else max(0, self.quantity - self.claimed)


@dataclass(frozen=True)
class Way:
    """All steps before one sharer, and the next one."""

    stages: list[Stage]

    def __bool__(self) -> bool:
        return bool(self.stages)

    @property
    def is_backer(self) -> bool:
        return any(stage.is_backer for stage in self.stages)

    @property
    def next(self) -> Stage | None:
        """The easiest step that is not reached and not given away."""
        return next((stage for stage in self.stages if stage.to_go and not stage.is_gone), None)

    @property
    def headline(self) -> str:
        """`Two more friends, and “Signed photo” is yours`: the sharing panel opens with it."""
        if self.next is None:
            return ""
        return ngettext("One more friend, and “%(title)s” is for you", "%(n)s more friends, and “%(title)s” is for you",
                        self.next.to_go, n=_n(self.next.to_go), title=self.next.title)

    @property
    def got(self) -> list[Stage]:
        """What is earned or kept for this person."""
        return [stage for stage in self.stages if stage.state in (S.EARNED, S.PENDING)]


_WAY = sa.text(f"""
    SELECT m.friends, r.title, r.quantity, r.claimed, g.state, g.why,
           CASE WHEN g.state = 'waiting' AND own.is_backer THEN (
                SELECT count(*) + 1 FROM milestone_grant o JOIN share_link k ON k.id = o.link_id
                 WHERE o.milestone_id = m.id AND o.state = 'waiting' AND (o.reached_at, k.n) < (g.reached_at, l.n)
                   AND EXISTS (SELECT 1 FROM pledge b WHERE b.project_id = k.project_id AND b.backer_id = k.person_id
                                  AND b.state IN ({_STANDING}))) ELSE 0 END AS place,
           coalesce(own.is_backer, false) AS is_backer,
           coalesce(t.recruits, 0) AS brought
      FROM milestone m JOIN reward r ON r.id = m.reward_id
      LEFT JOIN share_link l ON l.project_id = m.project_id AND l.person_id = :person
      LEFT JOIN milestone_grant g ON g.milestone_id = m.id AND g.link_id = l.id
      LEFT JOIN link_tally t ON t.link_id = l.id
      LEFT JOIN LATERAL (
           SELECT true AS is_backer FROM pledge b WHERE b.project_id = m.project_id AND b.backer_id = :person
              AND b.state IN ({_STANDING})) own ON true
     WHERE m.project_id = :project AND (:all_steps OR m.closed_at IS NULL OR g.state IN ('waiting', 'pending', 'earned'))
     ORDER BY m.friends""")  # noqa: S608 -- states of our own


def way_of(project_id: UUID, person_id: UUID | None, *, all_steps: bool = False) -> Way:
    """The steps of a project as this person meets them, without those that closed before; one statement."""
    return Way([Stage(state=S(row.state) if row.state else None, **{key: value for key, value in row._mapping.items()
                                                                  if key != "state"})
                for row in fetch_all(_WAY, project=project_id, person=person_id, all_steps=all_steps)])


def preview_of(steps: list[Step]) -> Way:
    """The same as somebody sees it who has a link and no friend yet."""
    return Way([Stage(step.friends, step.title, 0, True, step.quantity, step.claimed, None, None, 0)
                for step in steps if not step.closed_at])


def why_text(why: str | None) -> str:
    """Why something was let go, for the middle of a sentence."""
    words = {"own": _("your own pledge does not stand any more"), "dispute": _("a bank took a friend's payment back"),
             "refund": _("a friend's pledge was refunded"), "struck": _("a friend's pledge could not be counted"),
             "left": _("a friend's pledge does not stand any more"), "project": _("the project was stopped")}
    return words.get(why or "left", words["left"])


_TITLES = sa.text("""
    SELECT l.person_id, r.title, g.state FROM milestone_grant g
      JOIN milestone m ON m.id = g.milestone_id JOIN reward r ON r.id = m.reward_id JOIN share_link l ON l.id = g.link_id
     WHERE g.project_id = :project AND l.person_id = ANY(:people) AND g.state IN ('earned', 'pending') ORDER BY m.friends""")


def titles_of(project_id: UUID, people: list[UUID]) -> dict[UUID, list[tuple[str, bool]]]:
    """What these people get besides their rewards: title, and whether it is earned already."""
    found: dict[UUID, list[tuple[str, bool]]] = {}
    if people:
        for row in fetch_all(_TITLES, project=project_id, people=people):
            found.setdefault(row.person_id, []).append((row.title, row.state == S.EARNED))
    return found


# For `flask sharing check` and the nightly run: rows that break them, project first.
CHECKS = (
    Check("milestones: what is claimed of a milestone's reward is what is kept or earned", """
        SELECT r.project_id, r.id FROM reward r LEFT JOIN milestone m ON m.reward_id = r.id
          LEFT JOIN milestone_grant g ON g.milestone_id = m.id AND g.state IN ('pending', 'earned')
         WHERE r.kind = 'milestone' GROUP BY r.id HAVING r.claimed <> count(g.id)""",
          counted("milestones", "milestone")),
    Check("milestones: every grant's state is where its history ends", """
        SELECT g.project_id, g.id FROM milestone_grant g LEFT JOIN LATERAL (
               SELECT to_state FROM milestone_grant_move v WHERE v.grant_id = g.id ORDER BY v.id DESC LIMIT 1) last ON true
         WHERE last.to_state IS DISTINCT FROM g.state""",
          counted("given milestones", "milestone_grant")),
    Check("milestones: nothing is kept or earned without so many friends who count, unless it is about to be looked at", f"""
        SELECT g.project_id, g.id FROM milestone_grant g JOIN milestone m ON m.id = g.milestone_id
         WHERE g.state IN ('pending', 'earned') AND m.friends > (
               SELECT count(*) FROM recruit r JOIN pledge p ON p.id = r.pledge_id
                WHERE r.link_id = g.link_id AND r.struck_at IS NULL
                  AND (p.state = 'collected' OR g.state = 'pending' AND p.state IN ({_STANDING})))
           AND NOT EXISTS (SELECT 1 FROM milestone_due d WHERE d.link_id = g.link_id)
           AND NOT EXISTS (SELECT 1 FROM share_due d JOIN recruit r USING (pledge_id) WHERE r.link_id = g.link_id)""",  # noqa: S608
          counted("given milestones", "milestone_grant WHERE state IN ('pending', 'earned')")),
    Check("milestones: nobody who may have one waits while one is left", f"""
        SELECT g.project_id, g.id FROM milestone_grant g JOIN milestone m ON m.id = g.milestone_id
          JOIN reward r ON r.id = m.reward_id JOIN share_link l ON l.id = g.link_id
         WHERE g.state = 'waiting' AND (r.quantity IS NULL OR r.claimed < r.quantity)
           AND EXISTS (SELECT 1 FROM pledge b WHERE b.project_id = g.project_id AND b.backer_id = l.person_id
                          AND b.state IN ({_STANDING})
                          AND NOT EXISTS (SELECT 1 FROM dispute d WHERE d.payment_id = b.payment_id AND d.is_withdrawn))
           AND NOT EXISTS (SELECT 1 FROM milestone_due)""",  # noqa: S608
          counted("waiting", "milestone_grant WHERE state = 'waiting'")),
)


def check() -> list[str]:
    """What does not hold, a sentence each; nothing when all is well."""
    broken = []
    for law in CHECKS:
        if rows := fetch_all(sa.text(law.sql)):
            broken.append(f"{law.name}: {', '.join(str([*row][1]) for row in rows[:5])}" + (" …" if len(rows) > 5 else ""))
    return broken
