"""What is shown of disputes and warnings: all of it to staff, neutral lines to everybody else (S-37, S-70)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from core import money
from core.db import db
from core.i18n import locale_name, show_moment
from payments.disputes import ANSWERABLE, CLOSED, INQUIRIES, LOSSES
from payments.hooks import subjects_asked
from payments.models import Dispute, DisputeAnswer, DisputeMove, DisputeStatus

D = DisputeStatus
PER_PAGE = 50


# For staff -------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Case:
    """One line of the list."""

    kind: str  # dispute | warning
    id: UUID
    payment_id: UUID
    subject_id: UUID
    title: str
    slug: str
    zone: str
    amount: int
    left: int  # what can still be refunded of the payment
    currency: str
    reason: str
    status: str
    due_at: datetime | None
    at: datetime
    is_waiting: bool  # for somebody of staff
    is_late: bool
    is_sent: bool  # an answer is on its way
    subject: str = ""


_CASES = """
    WITH known AS (
        SELECT 'dispute' AS kind, d.id, d.payment_id, d.amount, d.currency, d.reason, CAST(d.status AS text) AS status,
               d.evidence_due_at AS due_at, d.opened_at AS at,
               d.status IN ('warning_needs_response', 'needs_response', 'appeal_needs_response')
                   AND coalesce(d.evidence_due_at > clock_now(), true) AS can_wait, false AS is_late,
               EXISTS (SELECT 1 FROM dispute_answer a
                        WHERE a.dispute_id = d.id AND a.sent_at IS NULL AND a.refused_at IS NULL) AS is_sent
          FROM dispute d
        UNION ALL
        SELECT 'warning', w.id, w.payment_id, p.amount, p.currency, w.fraud_type,
               coalesce(w.decision, CASE WHEN w.is_actionable THEN 'undecided' ELSE 'overtaken' END),
               w.decide_until, w.created_at, w.decision IS NULL AND w.is_actionable,
               w.decision IS NULL AND w.is_actionable AND w.decide_until < clock_now(), false
          FROM fraud_warning w JOIN payment p ON p.id = w.payment_id),
    cases AS (SELECT known.*, can_wait AND NOT is_sent AS is_waiting FROM known)
    """
_COUNTS = sa.text(_CASES + """
    SELECT count(*) AS whole, count(*) FILTER (WHERE is_waiting) AS waiting,
           count(*) FILTER (WHERE kind = 'dispute') AS disputes, count(*) FILTER (WHERE kind = 'warning') AS warnings
      FROM cases""")  # noqa: S608 -- constants of ours
_SHOWN = {"": "true", "waiting": "is_waiting", "disputes": "kind = 'dispute'", "warnings": "kind = 'warning'"}


def cases(show: str = "", page: int = 1) -> list[Case]:
    """What waits for staff first, by its deadline; then the newest."""
    rows = db.session.execute(sa.text(_CASES + f"""
        SELECT c.*, p.subject_id, p.amount - p.refunded AS left, j.title, j.slug, j.zone FROM cases c JOIN payment p ON p.id = c.payment_id
          JOIN project j ON j.id = p.project_id WHERE {_SHOWN[show]}
         ORDER BY is_waiting DESC, CASE WHEN is_waiting THEN due_at END, at DESC, c.id DESC
         LIMIT :n OFFSET :skip"""), {"n": PER_PAGE, "skip": (page - 1) * PER_PAGE}).all()  # noqa: S608 -- constants of ours
    names = name_subjects([row.subject_id for row in rows])
    return [Case(row.kind, row.id, row.payment_id, row.subject_id, row.title, row.slug, row.zone, row.amount, row.left,
                 row.currency, row.reason, row.status, row.due_at, row.at, row.is_waiting, row.is_late, row.is_sent,
                 names[row.subject_id])
            for row in rows]


def counts() -> dict[str, int]:
    """How many lines each choice of the list has."""
    row = db.session.execute(_COUNTS).one()
    return {"": row.whole, "waiting": row.waiting, "disputes": row.disputes, "warnings": row.warnings}


def name_subjects(ids: list[UUID]) -> dict[UUID, str]:
    """What the subjects of payments are called; a room above knows."""
    names = dict.fromkeys(ids, "")
    if names:
        subjects_asked.send(names)
    return names


def reason_words(reason: str) -> str:
    """Why the bank asks, in plain words; Stripe's own word where we have none."""
    return {
        "fraudulent": _("The cardholder says they did not pay this"),
        "unrecognized": _("The cardholder does not recognise it"),
        "product_not_received": _("The reward did not come"),
        "product_unacceptable": _("The reward is not what was promised"),
        "duplicate": _("Charged twice"),
        "credit_not_processed": _("A promised refund did not come"),
        "subscription_canceled": _("They say they had cancelled"),
        "general": _("No reason given"),
        "noncompliant": _("Against a rule of the card network"),
        "bank_cannot_process": _("The bank could not book it"),
        "debit_not_authorized": _("The bank account was debited without permission"),
        "incorrect_account_details": _("Wrong account details"),
        "insufficient_funds": _("Too little money in the account"),
        "made_with_stolen_card": _("The card may be stolen"),
        "made_with_lost_card": _("The card may be lost"),
        "made_with_counterfeit_card": _("The card may be forged"),
        "card_never_received": _("The card may never have reached its owner"),
        "fraudulent_card_application": _("The card may have been asked for in another's name"),
        "unauthorized_use_of_card": _("Somebody else may have used the card"),
        "misc": _("The network gives no reason"),
    }.get(reason, reason.replace("_", " ") or _("No reason given"))


def status_words(status: str) -> tuple[str, str, str]:
    """A state as word, sign and tone."""
    return {
        "warning_needs_response": (_("The bank asks"), "info-circle", "held"),
        "warning_under_review": (_("With the bank"), "hourglass-split", "collecting"),
        "warning_closed": (_("Question closed"), "check-lg", "outline"),
        "needs_response": (_("Answer needed"), "exclamation-triangle-fill", "bad"),
        "under_review": (_("With the bank"), "hourglass-split", "collecting"),
        "won": (_("Won"), "check-lg", "good"),
        "lost": (_("Lost"), "x-lg", "dim"),
        "prevented": (_("Prevented"), "slash-circle", "outline"),
        "appeal_needs_response": (_("Appeal: answer needed"), "exclamation-triangle-fill", "bad"),
        "appeal_under_review": (_("Appeal with the bank"), "hourglass-split", "collecting"),
        "undecided": (_("To decide"), "exclamation-triangle-fill", "bad"),
        "refund": (_("Refunded"), "arrow-counterclockwise", "outline"),
        "keep": (_("Kept"), "check-lg", "good"),
        "overtaken": (_("Overtaken"), "slash-circle", "dim"),
    }[status]


def next_words(status: str, *, is_sent: bool = False, is_late: bool = False) -> str:
    """What comes next, in one sentence."""
    if status == "undecided":
        return _("The time to decide is over. Decide now.") if is_late else _("Refund it, or keep it and be sure.")
    if is_sent and status in ANSWERABLE:
        return _("The answer is on its way to the bank.")
    return {
        "warning_needs_response": _("Answer, or refund it: either may spare us a dispute."),
        "warning_under_review": _("The bank reads the answer. No money was taken."),
        "warning_closed": _("Nothing more. No money was taken."),
        "needs_response": _("Send evidence, or accept the loss."),
        "under_review": _("The bank decides, in two to three months."),
        "won": _("Nothing more. The money came back."),
        "lost": _("Nothing more. The money went to the cardholder."),
        "prevented": _("Nothing more. It ended before it became a dispute."),
        "appeal_needs_response": _("Answer the appeal, or accept the loss."),
        "appeal_under_review": _("The bank decides on the appeal."),
        "refund": _("The money goes back; a dispute may still follow, seldom."),
        "keep": _("Nothing, unless the bank opens a dispute."),
        "overtaken": _("Nothing: a dispute or a refund came first."),
    }[status]


def moves_of(dispute_id: UUID) -> list[Any]:
    """The states that a dispute went through, oldest first."""
    return list(db.session.scalars(sa.select(DisputeMove).where(DisputeMove.dispute_id == dispute_id)
                                   .order_by(DisputeMove.id)))


def answers_of(dispute_id: UUID) -> list[DisputeAnswer]:
    """What the bank was told, oldest first."""
    return list(db.session.scalars(sa.select(DisputeAnswer).where(DisputeAnswer.dispute_id == dispute_id)
                                   .order_by(DisputeAnswer.number)))


def steps_of(dispute: Dispute, zone: str) -> list[dict[str, Any]]:
    """The same, with its money, for the page: newest last."""
    booked = db.session.execute(sa.text("""
        SELECT t.posted_at AS at, t.part, e.amount FROM ledger_transaction t
          JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'disputes_held'
          JOIN payment p ON p.subject_id = t.subject_id AND p.id = :payment
         WHERE t.kind = 'dispute' AND t.part IN ('withdrawn', 'reinstated') ORDER BY t.posted_at"""),
        {"payment": dispute.payment_id}).all()
    steps = [(move.at, status_words(move.to_status)[0], "") for move in moves_of(dispute.id)]
    if len(disputes_of_payment(dispute.payment_id)) == 1:  # with several, the books do not say which one
        shown = {"withdrawn": _("Taken by the bank"), "reinstated": _("Given back by the bank")}
        steps += [(row.at, shown[row.part], money.show(abs(row.amount), dispute.currency, locale_name())) for row in booked]
    steps += [(answer.sent_at, _("Our answer went to the bank"), "") for answer in answers_of(dispute.id) if answer.sent_at]
    steps.sort(key=lambda step: step[0])
    return [{"when": show_moment(at, zone, name_zone=False), "what": what, "text": text, "done": n < len(steps),
             "now": n == len(steps) and dispute.status not in CLOSED}
            for n, (at, what, text) in enumerate(steps, 1)]


def disputes_of_payment(payment_id: UUID) -> list[Dispute]:
    return list(db.session.scalars(sa.select(Dispute).where(Dispute.payment_id == payment_id).order_by(Dispute.id)))


# For everybody else ----------------------------------------------------------------------------------

@dataclass(frozen=True)
class Line:
    """One neutral line of a creator's or backer's page. `amount` is what it holds back or took; 0 says that it moved
    nothing."""

    payment_id: UUID
    subject_id: UUID
    at: datetime
    amount: int
    currency: str
    text: str
    is_waiting: bool  # still undecided
    of_bank: bool  # the backer's own bank did it, so the backer may read it as well


_LINES = sa.text("""
    SELECT d.payment_id, p.subject_id, d.opened_at AS at, coalesce(nullif(d.held, 0), d.amount) AS amount, d.currency,
           CAST(d.status AS text) AS status
      FROM dispute d JOIN payment p ON p.id = d.payment_id
     WHERE d.project_id = :project OR p.subject_id = ANY(CAST(:subjects AS uuid[]))
    UNION ALL
    SELECT w.payment_id, p.subject_id, w.created_at, p.amount - p.refunded, p.currency, 'undecided'
      FROM fraud_warning w JOIN payment p ON p.id = w.payment_id
     WHERE (w.project_id = :project OR p.subject_id = ANY(CAST(:subjects AS uuid[])))
       AND w.decision IS NULL AND w.is_actionable
    ORDER BY at""")


def lines_of_project(project_id: UUID) -> list[Line]:
    """For the creator's money page: what banks look at, what waits for it and what it took."""
    return _lines(project_id, [])


def lines_of_subjects(subject_ids: list[UUID]) -> dict[UUID, list[Line]]:
    """For lists of pledges and a pledge's own history."""
    found: dict[UUID, list[Line]] = {}
    for line in _lines(None, subject_ids) if subject_ids else []:
        found.setdefault(line.subject_id, []).append(line)
    return found


def _lines(project_id: UUID | None, subject_ids: list[UUID]) -> list[Line]:
    rows = db.session.execute(_LINES, {"project": project_id, "subjects": subject_ids})
    return [Line(row.payment_id, row.subject_id, row.at, _weight(row.status, row.amount), row.currency,
                 neutral_words(row.status, row.amount, row.currency), row.status not in CLOSED, row.status != "undecided")
            for row in rows]


def _weight(status: str, amount: int) -> int:
    return 0 if status in INQUIRIES or status in ("won", "undecided") else int(amount)


def neutral_words(status: str, amount: int, currency: str) -> str:
    """No codes and no fears: what happened to the money, and what not to do yet."""
    shown = money.show(amount, currency, locale_name())
    if status == "undecided":
        return _("This charge is being checked. Please send nothing to this backer until that is done.")
    if status in INQUIRIES:
        return _("A bank asked about this charge. No money moved.")
    if status == D.WON:
        return _("A bank looked at this charge and left it as it was.")
    if status in LOSSES:
        return _("A bank gave %(amount)s of this charge back to the cardholder.", amount=shown)
    return _("A bank is looking at this charge. %(amount)s waits until it has decided.", amount=shown)


def dispute_of(dispute_id: UUID) -> Dispute | None:
    return db.session.get(Dispute, dispute_id)
