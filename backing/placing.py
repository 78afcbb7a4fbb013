"""Placing a pledge: one read that its sentences are made from, and one function of the database that does it or nothing.

Nothing shared is written for an unlimited reward. A limited one's stock is a guarded UPDATE last before COMMIT, with not
even a round trip in between, since its row is a queue that every buyer of this reward stands in (C-04, measured in
performance.md A2 and A3).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext as _
from sqlalchemy.exc import DBAPIError, IntegrityError

from backing.consenting import Consent
from backing.models import PledgeState
from backing.queries import Seen
from core import money
from core.db import ask, db, transaction
from core.errors import BadInput, Refusal
from core.i18n import show_money
from payments.cards import Form
from projects.closing import CLOSING_LOCK, PLEDGING_LOCK

# One lock for whoever adds to a project's sum (shared) and whoever decides or lowers it (exclusive); in memory, so that
# a thousand pledges do not write to the project's row to say that they are there (C-15).
SHARE_PROJECT, OWN_PROJECT = PLEDGING_LOCK, CLOSING_LOCK


class SoldOut(Refusal):
    """The last one went to somebody else."""


class AlreadyBacking(Refusal):
    """One active pledge per backer and project; this is the one."""

    def __init__(self, sentence: str, pledge_id: UUID, state: PledgeState):
        super().__init__(sentence)
        self.pledge_id, self.state = pledge_id, state


@dataclass(frozen=True)
class Choice:
    """What a backer wants: a reward or none, and a bonus in minor units; `token` makes a form count once."""

    project_id: UUID
    backer_id: UUID
    reward_id: UUID | None
    bonus: int
    token: UUID
    ref: str | None = None
    source: str = "direct"
    locale: str = "en"
    seen_price: int | None = None  # the reward's price when the form was made
    consent: Consent | None = None  # written down with the pledge; None where nobody sits at a form


@dataclass(frozen=True)
class Placed:
    pledge_id: UUID
    held_until: datetime
    amount: int
    is_new: bool
    form: Form | None = None  # where the card is typed, made with the pledge


_LOOK = sa.text("""
    SELECT p.state, p.deadline > clock_now() AS is_open, p.currency, p.creator_id,
           r.id AS reward_id, r.title, r.price,
           (SELECT count(*) FROM pledge h WHERE h.backer_id = :backer AND h.state = 'held'
               AND h.project_id <> :project) AS holds
      FROM project p LEFT JOIN reward r ON r.id = :reward AND r.project_id = p.id AND r.kind = 'pledge'
     WHERE p.id = :project""")

# One function of the database (0021_placing): a project's lock, what was looked at once more, the pledge with its lines,
# its move and its card form, and the stock. What was agreed to is written in the same breath (S-23).
_PLACE = sa.text("""
    WITH made AS MATERIALIZED (
        SELECT outcome, pledge_id, held_until, form_id, form_url, form_at, customer_id FROM place_pledge(
               :project, :backer, :reward, :price, :bonus, :currency, :token, :ref, :source, :locale, :minutes,
               :most_holds, :is_replacing)),
    given AS (
        INSERT INTO consent (pledge_id, project_id, text_version, locale, project, amount, currency, charge_from, network,
                             browser)
        SELECT m.pledge_id, j.id, CAST(:version AS text), :locale, j.title, CAST(:price AS bigint) + CAST(:bonus AS bigint),
               :currency, j.deadline, :network, :browser
          FROM made m JOIN project j ON j.id = :project
         WHERE m.outcome = 'placed' AND CAST(:version AS text) IS NOT NULL)
    SELECT * FROM made""")

_CLAIM = sa.text("UPDATE reward SET claimed = claimed + 1 WHERE id = :reward AND claimed < quantity RETURNING claimed")
_RELEASE = sa.text("UPDATE reward SET claimed = claimed - 1 WHERE id = :reward AND quantity IS NOT NULL")
PATIENCE = 5  # times that a choice is judged anew, because what it was judged by changed in between


def place_pledge(choice: Choice, seen: Seen | None = None) -> Placed:
    """Hold a pledge and its reward for some minutes while the card is typed; all of it or nothing.

    `seen` is what the caller has just read of project and reward. Raises SoldOut, AlreadyBacking, BadInput or Refusal,
    each with its sentence. The same form twice is the same pledge.
    """
    replacing = reclaimed = False
    for _attempt in range(PATIENCE):
        seen = seen or _look(choice)
        price = check_choice(seen, choice)
        assert seen is not None
        try:
            made = _place(choice, seen, price, replacing)
        except IntegrityError as error:
            if "uq_pledge_active" not in str(error.orig):
                raise
            if replacing:
                raise _already(choice) from None
            replacing = True
            continue
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.errors.NoDataFound):
                raise
            # Holds that ended but were not swept yet: their stock is free (C-08).
            if reclaimed or not _reclaim(choice.reward_id):
                raise SoldOut(_("“%(title)s” has just gone to somebody else. Choose another reward; what you typed is "
                                "still here.", title=seen.title), "reward") from None
            reclaimed = True
            continue
        if made.outcome == "placed":
            return Placed(made.pledge_id, made.held_until, price + choice.bonus, True,
                          Form(made.form_id, made.form_url, made.form_at, made.customer_id))
        if made.outcome == "repeated":
            return _same_form(choice)
        seen = None
    raise Refusal(_("Something changed in the meantime. Send the form again."))


def _look(choice: Choice) -> Seen | None:
    rows = ask(_LOOK, project=choice.project_id, reward=choice.reward_id, backer=choice.backer_id)
    return Seen(*rows[0]) if rows else None


def _place(choice: Choice, seen: Seen, price: int, replacing: bool) -> Any:
    [made] = ask(_PLACE, project=choice.project_id, backer=choice.backer_id, reward=choice.reward_id, price=price,
                 bonus=choice.bonus, currency=seen.currency, token=choice.token, ref=choice.ref, source=choice.source,
                 locale=choice.locale, minutes=current_app.config["HOLD_MINUTES"],
                 most_holds=current_app.config["MAX_HOLDS"], is_replacing=replacing,
                 version=choice.consent and choice.consent.version, network=choice.consent and choice.consent.network,
                 browser=choice.consent and choice.consent.browser)
    return made


def check_choice(seen: Seen | None, choice: Choice) -> int:
    """The reward's price (0 for none) if this choice may be made now; the refusal's sentence otherwise."""
    if seen is None or seen.state != "live":
        raise Refusal(_("This project does not take pledges now. Nothing was charged."))
    if not seen.is_open:
        raise Refusal(_("The deadline has passed. Nothing was charged."))
    if seen.creator_id == choice.backer_id:
        raise Refusal(_("This is your own project; you cannot pledge to it."))
    if choice.reward_id and seen.reward_id is None:
        raise BadInput(_("This reward is no longer offered. Choose another one."), "reward")
    if seen.holds >= current_app.config["MAX_HOLDS"]:
        raise Refusal(_("You are holding rewards in other projects. Finish or cancel those pledges first."))
    price = int(seen.price or 0)
    if choice.seen_price is not None and choice.reward_id and choice.seen_price != price:
        raise BadInput(_("The price of this reward has changed. Look at it again before you go on."), "reward")
    check_amount(price, choice.bonus, seen.currency)
    return price


def check_amount(price: int, bonus: int, currency: str) -> None:
    """Within what Stripe takes for this currency."""
    if bonus < 0:
        raise BadInput(_("Write the amount as a number, like 10 or 12.50."), "bonus")
    smallest, largest = money.SMALLEST[currency], money.LARGEST
    if price + bonus < smallest:
        raise BadInput(_("A pledge is at least %(amount)s.", amount=show_money(smallest, currency)), "bonus")
    if price + bonus > largest:
        raise BadInput(_("A pledge is at most %(amount)s.", amount=show_money(largest, currency)), "bonus")


def _same_form(choice: Choice) -> Placed:
    """This form was sent before: a double click, the back button, another tab (C-14)."""
    row = db.session.execute(sa.text("""
        SELECT id, project_id, state, amount, held_until FROM pledge WHERE backer_id = :backer AND token = :token"""),
        {"backer": choice.backer_id, "token": choice.token}).first()
    if row is None or row.project_id != choice.project_id:
        raise Refusal(_("This form was used before. Open the project again."))
    if row.state not in ("held", "pledged"):
        raise Refusal(_("This pledge has ended. Open the project again to make a new one. Nothing was charged."))
    return Placed(row.id, row.held_until, row.amount, False)


def _already(choice: Choice) -> Refusal:
    row = db.session.execute(sa.text("""
        SELECT id, state FROM pledge WHERE project_id = :project AND backer_id = :backer
           AND state IN ('held', 'pledged', 'collecting', 'collected', 'errored')"""),
        {"project": choice.project_id, "backer": choice.backer_id}).first()
    if row is None:
        return Refusal(_("Something changed in the meantime. Send the form again."))
    return AlreadyBacking(_("You already stand behind this project. Change that pledge instead of making a second "
                            "one."), row.id, PledgeState(row.state))


def _reclaim(reward_id: UUID | None) -> int:
    """Free the stock of holds on this reward whose time is over, without waiting for the sweep."""
    with transaction() as session:
        rows = session.execute(sa.text("""
            WITH over AS (
                SELECT id FROM pledge WHERE reward_id = :reward AND state = 'held' AND held_until <= clock_now()
                 ORDER BY id LIMIT 50 FOR UPDATE SKIP LOCKED)
            UPDATE pledge p SET state = 'expired' FROM over WHERE p.id = over.id RETURNING p.id, p.project_id"""),
            {"reward": reward_id}).all()
        for row in rows:
            add_move(row.id, row.project_id, "held", "expired", None, "the hold ended")
        if rows:
            session.execute(sa.text("UPDATE reward SET claimed = claimed - :n WHERE id = :reward "
                                    "AND quantity IS NOT NULL"), {"n": len(rows), "reward": reward_id})
    return len(rows)


_MOVE = sa.text("""
    INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state, by_id, why)
    VALUES (:pledge, :project, :was, :now, :by, :why)""")


def add_move(pledge_id: UUID, project_id: UUID, was: str, now: str, by: UUID | None = None, why: str = "") -> None:
    """The history row of a move made by SQL."""
    db.session.execute(_MOVE, {"pledge": pledge_id, "project": project_id, "was": was, "now": now, "by": by,
                               "why": why})


def claim(reward_id: UUID) -> bool:
    """Take one of a limited reward; call it last before the commit. Unlimited ones are always there."""
    if not db.session.scalar(sa.text("SELECT quantity IS NOT NULL FROM reward WHERE id = :r"), {"r": reward_id}):
        return True
    return db.session.execute(_CLAIM, {"reward": reward_id}).first() is not None


def release(reward_id: UUID | None) -> None:
    """Put one back on the shelf."""
    if reward_id:
        db.session.execute(_RELEASE, {"reward": reward_id})
