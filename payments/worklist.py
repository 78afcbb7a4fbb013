"""The worklist of staff: every place where Stripe and our books differ, each settled by one act that is written down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask_babel import gettext as _

from core.audit import note
from core.db import db, transaction
from core.errors import BadInput, NotFound, Refusal, Unavailable
from core.jobs import defer, task
from payments import comparing, gateway_lists, ledger, reconciling, refund_news, refunds, safety
from payments.gateway import GatewayError, Silence
from payments.gateway_refunds import read_charge, read_refund
from payments.healing import heal
from payments.ledger import Account
from payments.models import Mismatch, Payment
from payments.theirs import their_side

log = structlog.get_logger()
PER_PAGE = 50
# What can be done about a kind, beside explaining it: refund | adopt | book | again.
ACTIONS = {
    "duplicate_charge": "refund", "unknown_charge": "book", "unknown_refund": "adopt", "stranger_refunded": "book", "unknown_transfer": "book",
    "unknown_movement": "book", "fee": "book", "amount": "again", "status": "again", "refunded": "again",
    "reversed": "again", "missing_there": "again", "unknown_dispute": "again", "unknown_warning": "again",
    "stray_intent": "again", "balance": "again", "refund_failed": "", "refund_twice": "",
}


def action_of(kind: str, ours: dict[str, Any]) -> str:
    """The one act of a line. A refund that failed is asked for anew on its pledge, but that of a second charge only here."""
    return "refund" if kind == "refund_failed" and ours.get("duplicate") else ACTIONS.get(kind, "")


@dataclass(frozen=True)
class Item:
    """One line as the page shows it."""

    id: UUID
    kind: str
    stripe_id: str
    payment_id: UUID | None
    project_id: UUID | None
    ours: dict[str, Any]
    theirs: dict[str, Any]
    found_at: Any
    seen_at: Any
    settled_at: Any
    how: str
    by: str | None
    slug: str | None
    title: str | None
    subject_id: UUID | None

    @property
    def action(self) -> str:
        return action_of(self.kind, self.ours)


_ITEMS = """
    SELECT m.id, m.kind, m.stripe_id, m.payment_id, m.project_id, m.ours, m.theirs, m.found_at, m.seen_at, m.settled_at, m.how,
           w.name AS by, j.slug, j.title, p.subject_id
      FROM mismatch m LEFT JOIN payment p ON p.id = m.payment_id LEFT JOIN project j ON j.id = m.project_id
      LEFT JOIN person w ON w.id = m.settled_by_id"""
_OPEN = sa.text(_ITEMS + " WHERE m.settled_at IS NULL ORDER BY m.found_at, m.id LIMIT :n OFFSET :skip")
_SETTLED = sa.text(_ITEMS + " WHERE m.settled_at IS NOT NULL ORDER BY m.settled_at DESC, m.id LIMIT :n")


def open_items(page: int = 1) -> list[Item]:
    """What waits, oldest first."""
    return [Item(*row) for row in db.session.execute(_OPEN, {"n": PER_PAGE, "skip": (page - 1) * PER_PAGE})]


def settled_items(n: int = 20) -> list[Item]:
    return [Item(*row) for row in db.session.execute(_SETTLED, {"n": n})]


def count_open() -> int:
    return int(db.session.scalar(sa.text("SELECT count(*) FROM mismatch WHERE settled_at IS NULL")) or 0)


# -- acts -----------------------------------------------------------------------------------------------------------

def explain(mismatch_id: UUID, reason: str, by_id: UUID | None = None) -> None:
    """A person knows why: it is settled, and comes back only when one of the two sides says something else."""
    reason = " ".join(reason.split())
    if not 3 <= len(reason) <= 300:
        raise BadInput(_("Say in a few words why this is as it should be."), "reason")
    _settle(mismatch_id, f"explained: {reason}", by_id)


def act(mismatch_id: UUID, action: str, by_id: UUID | None = None) -> str:
    """Do what this kind allows; returns how it was settled, or an empty text when it still differs."""
    line = _open_line(mismatch_id)
    if not action or action_of(line.kind, line.ours) != action:
        raise Refusal(_("This cannot be done here."))
    try:
        how = _ACTS[action](line, by_id)
    except Silence as error:
        raise Unavailable(_("Stripe does not answer just now. Nothing was changed; try again in a minute.")) from error
    except GatewayError as error:
        raise Refusal(_("Stripe refused: %(code)s.", code=error.code or error.status)) from error
    if how:
        _settle(mismatch_id, how, by_id, action)
    return how


@dataclass(frozen=True)
class _Open:
    id: UUID
    kind: str
    stripe_id: str
    payment_id: UUID | None
    project_id: UUID | None
    ours: dict[str, Any]
    theirs: dict[str, Any]


def _open_line(mismatch_id: UUID) -> _Open:
    line = db.session.get(Mismatch, mismatch_id, populate_existing=True)
    if line is None:
        raise NotFound(_("There is no such line."))
    if line.settled_at is not None:
        raise Refusal(_("Somebody has settled this already."))
    known = _Open(line.id, line.kind, line.stripe_id, line.payment_id, line.project_id, line.ours, line.theirs)
    db.session.rollback()
    return known


def _settle(mismatch_id: UUID, how: str, by_id: UUID | None, action: str = "explain") -> None:
    with transaction() as session:
        row = session.execute(sa.text("""
            UPDATE mismatch SET settled_at = clock_now(), settled_by_id = :by, how = :how
             WHERE id = :id AND settled_at IS NULL RETURNING kind, stripe_id, project_id"""),
            {"id": mismatch_id, "by": by_id, "how": how}).first()
        if row is None:
            raise Refusal(_("Somebody has settled this already."))
        note(f"payments:{action}_mismatch", "mismatch", mismatch_id, by_id=by_id, project_id=row.project_id, kind=row.kind,
             stripe=row.stripe_id, how=how)


def _refund(line: _Open, by_id: UUID | None) -> str:
    """Send the second charge back; the payment and its pledge stay as they are."""
    if line.payment_id is None:
        raise Refusal(_("We know no payment that this could be a second charge of."))
    charge, amount = (line.ours["duplicate"], line.ours["amount"]) if "duplicate" in line.ours \
        else (line.stripe_id, line.theirs["amount"])
    refunds.refund_duplicate(line.payment_id, charge, int(amount), by_id)
    return "refunded"


def _adopt(line: _Open, by_id: UUID | None) -> str:
    """A refund that was made at Stripe, past us: written into our books as if we had asked for it."""
    news = read_refund(line.stripe_id)
    if line.payment_id is None or news.status in ("failed", "canceled"):
        raise Refusal(_("We know no payment that this refund could be of."))
    with transaction():
        # Asked for and answered in one transaction: the job that would send it finds nothing to do.
        refund = refunds.ask_refund(line.payment_id, news.amount, "other", by_id=by_id)
        refund_news.record_refund(refund.id, news)
    return "adopted"


def _book(line: _Open, by_id: UUID | None) -> str:
    """Take Stripe's word for it: our books get what they lack, under its id."""
    with_charge = read_charge(line.stripe_id) if line.kind == "unknown_charge" else None
    theirs, currency = line.theirs, str(line.theirs["currency"])
    with transaction():
        if with_charge is not None:
            fee = with_charge.fee or 0
            lines = [(Account.STRIPE_PENDING, with_charge.amount - fee, "charge that nobody asked for"),
                     (Account.STRIPE_FEES, fee, "its processing fee"),
                     (Account.BACKER_RECEIVABLE, -with_charge.amount, "charge that nobody asked for")]
        elif line.kind == "unknown_transfer":
            # Owed by the creator until what they are paid next is less by it: it belongs to no single payment.
            lines = [(Account.CREATOR_DEBT, int(theirs["amount"]), "transfer that nobody asked for"),
                     (Account.STRIPE_AVAILABLE, -int(theirs["amount"]), "transfer that nobody asked for")]
        elif line.kind == "stranger_refunded":
            lines = [(Account.BACKER_RECEIVABLE, int(theirs["amount"]), "charge that nobody asked for went back"),
                     (Account.STRIPE_AVAILABLE, -int(theirs["amount"]), "charge that nobody asked for went back")]
        elif line.kind == "fee":
            more = int(theirs["fee"]) - int(line.ours["fee"])
            lines = [(Account.CREATOR_PAYABLE, more, "processing fee"), (Account.STRIPE_PENDING, -more, "processing fee")]
        else:
            lines = [(Account.STRIPE_AVAILABLE, int(theirs["net"]), str(theirs["type"])),
                     (Account.STRIPE_FEES, -int(theirs["net"]), str(theirs["type"]))]
        subject_id = db.session.scalar(sa.select(Payment.subject_id).where(Payment.id == line.payment_id))
        ledger.post("fee" if line.kind == "fee" else "adjustment", line.stripe_id, currency, lines,
                    project_id=line.project_id, subject_id=subject_id, part="corrected" if line.kind == "fee" else "")
    return "booked"


def _again(line: _Open, by_id: UUID | None) -> str:
    """Ask Stripe about this one object, let the door try, and see whether the two sides agree now."""
    if line.kind == "balance":
        return "" if any(one.stripe_id == line.stripe_id for one in reconciling.unequal()[0]) else "healed"
    if line.kind == "missing_there":
        names = {"pi_": gateway_lists.Intent, "ch_": gateway_lists.Charge, "re_": gateway_lists.Refund,
                 "tr_": gateway_lists.Transfer, "du_": gateway_lists.Dispute}
        kind: Any = names.get(line.stripe_id[:3])
        return "healed" if kind is not None and gateway_lists.one(kind, line.stripe_id) is not None else ""
    with their_side() as theirs:
        theirs.make()
        for topic in comparing.TOPICS:
            if not line.stripe_id.startswith(_PREFIXES[topic.table]):
                continue
            theirs.refresh(topic.table, [line.stripe_id])
            heal(theirs, reconciling.differences(theirs.ask(topic.sql, ids=[line.stripe_id])))
            if theirs.ask(topic.sql, ids=[line.stripe_id]):
                return ""
    return "healed"


_PREFIXES: dict[str, str | tuple[str, ...]] = {"intents": "pi_", "charges": ("ch_", "py_"), "refunds": ("re_", "pyr_"), "transfers": "tr_",
             "disputes": ("du_", "dp_"), "warnings": "issfr_", "movements": "txn_"}
_ACTS: dict[str, Callable[[_Open, UUID | None], str]] = {
    "refund": _refund, "adopt": _adopt, "book": _book, "again": _again}


# -- a reconciliation on demand -------------------------------------------------------------------------------------

def ask_reconciliation(by_id: UUID | None = None) -> None:
    """Let a worker compare: in money-safe mode all that may have been forgotten, else everything of the last day."""
    with transaction():
        defer("payments:reconcile_now", full=safety.look().is_safe_mode)
        note("payments:ask_reconciliation", "reconciliation", "now", by_id=by_id)


@task("payments:reconcile_now", queue="money", retry=3)
def reconcile_now(full: bool) -> None:
    mode = safety.look()
    since = mode.look_from if full else db.session.scalar(sa.text("SELECT clock_now() - interval '1 day'"))
    db.session.rollback()
    reconciling.reconcile(since=since)


__all__ = ["ACTIONS", "Item", "act", "ask_reconciliation", "count_open", "explain", "open_items",
           "settled_items"]
