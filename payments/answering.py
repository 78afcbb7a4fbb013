"""Answering the bank: evidence, once a round, or accepting the loss (S-69). Row, commit, call, outcome by the one door.

An answer's number is part of its key, so that a retry is the same answer; a refusal of Stripe is stored under that key,
and the next answer has the next number.
"""

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask_babel import gettext as _

from core.audit import note
from core.crash import crashpoint
from core.db import ask, db, transaction
from core.errors import BadInput, Refusal
from core.jobs import defer, every, task
from payments.alerts import alert
from payments.disputes import ANSWERABLE, CLOSED, record_dispute
from payments.gateway import GatewayError, Silence
from payments.gateway_disputes import ALL_LIMIT, TEXT_LIMIT, DisputeNews, answer_dispute, close_dispute, read_dispute
from payments.models import Dispute, DisputeAnswer
from payments.safety import require_open

log = structlog.get_logger()
KEY_LIVES = timedelta(hours=20)  # Stripe forgets keys after 24 hours; beyond this we look before we send (S-10)
EVIDENCE, ACCEPTANCE = "evidence", "acceptance"
# The texts that staff see, in the order of the page; all others of Stripe's are files or for subscriptions.
FIELDS = ("product_description", "customer_name", "customer_email_address", "service_date", "access_activity_log",
          "refund_policy_disclosure", "cancellation_policy_disclosure", "refund_refusal_explanation",
          "duplicate_charge_explanation", "shipping_carrier", "shipping_tracking_number", "shipping_date",
          "uncategorized_text")
SHORT = ("customer_name", "customer_email_address", "service_date", "shipping_carrier", "shipping_tracking_number",
         "shipping_date")  # one line each
SOON = timedelta(days=3)  # staff are told this long before evidence is due


def submit_evidence(dispute_id: UUID, texts: dict[str, str], by_id: UUID) -> UUID:
    """Hand these texts to the bank. It takes one answer a round: a second one is refused here, before Stripe does."""
    texts = {name: texts[name].strip() for name in FIELDS if (texts.get(name) or "").strip()}
    if not texts:
        raise BadInput(_("Write at least one text. The bank decides by what it reads."), "uncategorized_text")
    for name, text in texts.items():
        if len(text) > TEXT_LIMIT:
            raise BadInput(_("At most %(n)s characters fit here.", n=TEXT_LIMIT), name)
    if sum(map(len, texts.values())) > ALL_LIMIT:
        raise BadInput(_("All texts together may have %(n)s characters.", n=ALL_LIMIT), "uncategorized_text")
    return _ask(dispute_id, EVIDENCE, texts, by_id)


def accept_dispute(dispute_id: UUID, by_id: UUID | None = None) -> UUID:
    """Give the money up. There is no way back: Stripe closes the dispute as lost."""
    return _ask(dispute_id, ACCEPTANCE, {}, by_id)


def _ask(dispute_id: UUID, kind: str, texts: dict[str, str], by_id: UUID | None) -> UUID:
    with transaction() as session:
        dispute = session.get(Dispute, dispute_id, with_for_update=True, populate_existing=True)
        if dispute is None:
            raise Refusal(_("There is no such dispute."))
        _must_be_open(dispute)
        number, submissions = session.execute(sa.text("""
            SELECT count(*) + 1, count(*) FILTER (WHERE kind = 'evidence' AND sent_at IS NOT NULL)
              FROM dispute_answer WHERE dispute_id = :dispute"""), {"dispute": dispute_id}).one()
        answer = DisputeAnswer(dispute_id=dispute_id, project_id=dispute.project_id, number=number, kind=kind, texts=texts,
                               submissions=submissions, by_id=by_id)
        session.add(answer)
        session.flush()
        note(f"payments:{'submit_evidence' if kind == EVIDENCE else 'accept_dispute'}", "dispute", dispute_id, by_id=by_id,
             project_id=dispute.project_id, number=number, fields=sorted(texts), amount=dispute.amount)
        defer("payments:send_answer", answer_id=str(answer.id))
        answer_id: UUID = answer.id
    return answer_id


# In this round: since the dispute came to the status in which it can be answered.
_ANSWERED = sa.text("""
    SELECT CASE WHEN sent_at IS NULL THEN 'under way' ELSE 'there' END FROM dispute_answer
     WHERE dispute_id = :dispute AND refused_at IS NULL
       AND (sent_at IS NULL OR asked_at >= (SELECT max(at) FROM dispute_move WHERE dispute_id = :dispute AND to_status = :status))
     LIMIT 1""")


def _must_be_open(dispute: Dispute) -> None:
    """Refuse an answer that the bank would not take."""
    before = db.session.scalar(_ANSWERED, {"dispute": dispute.id, "status": dispute.status.value})
    if before == "under way":
        raise Refusal(_("An answer is on its way to the bank already."))
    if before or dispute.status not in ANSWERABLE:
        raise Refusal(_("The bank has your answer, or has decided. Nothing can be added now."))
    if db.session.scalar(sa.text("SELECT :due < clock_now()"), {"due": dispute.evidence_due_at}):
        raise Refusal(_("The time to answer is over. The bank decides without us."))


def is_under_way(dispute_id: UUID) -> bool:
    return bool(db.session.scalar(sa.text("""
        SELECT EXISTS (SELECT 1 FROM dispute_answer
                        WHERE dispute_id = :dispute AND sent_at IS NULL AND refused_at IS NULL)"""), {"dispute": dispute_id}))


def can_answer(dispute: Dispute) -> bool:
    """Whether the page offers the form."""
    try:
        _must_be_open(dispute)
    except Refusal:
        return False
    return True


@task("payments:send_answer", queue="money")
def send_answer(answer_id: str) -> None:
    """Send one answer, or find out what became of it; safe to repeat."""
    row = db.session.execute(sa.text("""
        SELECT a.id, a.dispute_id, a.number, a.kind, a.texts, a.submissions, a.by_id, d.stripe_id,
               a.asked_at < clock_now() - :lives AS is_old
          FROM dispute_answer a JOIN dispute d ON d.id = a.dispute_id
         WHERE a.id = :id AND a.sent_at IS NULL AND a.refused_at IS NULL"""),
        {"id": UUID(answer_id), "lives": KEY_LIVES}).first()
    if row is None:
        return
    key = f"ev:{row.dispute_id}:{row.number}"
    if row.is_old:  # the key may be forgotten: look first (S-10)
        news = read_dispute(row.stripe_id)
        if news.submissions > row.submissions or news.status not in ANSWERABLE:
            return _settle(row.id, news, row.by_id, None)
    if row.kind == ACCEPTANCE:
        require_open()  # it gives money up; evidence has a deadline and waits for nobody
    try:
        crashpoint("before-answer")
        news = answer_dispute(row.stripe_id, key=key, texts=row.texts) if row.kind == EVIDENCE \
            else close_dispute(row.stripe_id, key=key)
        crashpoint("after-answer")
    except Silence:
        raise  # unknown is not refused: the job comes back with the same key (S-09)
    except GatewayError as error:
        log.warning("answer refused", dispute=row.stripe_id, code=error.code, status=error.status)
        news = read_dispute(row.stripe_id)
        is_there = news.submissions > row.submissions if row.kind == EVIDENCE else news.status in CLOSED
        return _settle(row.id, news, row.by_id, None if is_there else error.code or "refused")
    _settle(row.id, news, row.by_id, None)


def _settle(answer_id: UUID, news: DisputeNews, by_id: UUID | None, failure: str | None) -> None:
    """The answer's end and the dispute's news in one transaction."""
    with transaction() as session:
        session.execute(sa.text("""
            UPDATE dispute_answer SET sent_at = CASE WHEN CAST(:failure AS text) IS NULL THEN clock_now() END,
                   refused_at = CASE WHEN CAST(:failure AS text) IS NOT NULL THEN clock_now() END, failure = :failure
             WHERE id = :id AND sent_at IS NULL AND refused_at IS NULL"""), {"id": answer_id, "failure": failure})
        record_dispute(news, by_id=by_id, sure=True)


_DUE_SOON = sa.text("""
    SELECT d.id, d.amount, d.currency, d.evidence_due_at FROM dispute d
     WHERE d.status IN ('warning_needs_response', 'needs_response', 'appeal_needs_response')
       AND d.evidence_due_at BETWEEN clock_now() AND clock_now() + CAST(:soon AS interval)
     LIMIT 200""")
_NOT_SENT = sa.text("""
    SELECT a.id FROM dispute_answer a WHERE a.sent_at IS NULL AND a.refused_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.task_name = 'payments:send_answer'
                          AND j.status IN ('todo', 'doing') AND j.args->>'answer_id' = a.id::text)""")


@every(60, "payments:watch_disputes")
def watch_disputes() -> int:
    """Tell staff of answers that are due soon, and see that every answer that was asked for is sent."""
    due, left = ask(_DUE_SOON, soon=SOON), ask(_NOT_SENT)
    with transaction():
        for row in due:
            alert("evidence_due", dedupe=f"{row.id}:{row.evidence_due_at:%Y-%m-%d}", dispute_id=row.id,
                  amount=row.amount, currency=row.currency)
        for row in left:
            defer("payments:send_answer", answer_id=str(row.id))
    return len(due) + len(left)
