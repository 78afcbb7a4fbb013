"""The desk of staff for disputes and fraud warnings (S-68 to S-70)."""

from typing import Any
from uuid import UUID

from flask import Response, flash, redirect, render_template, request, send_file, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core.db import db
from core.errors import BadInput, NotFound, Refusal
from core.platform import StaffPage
from core.policy import allow
from payments import answering, bundles, cases, ledger, warnings
from payments.answering import FIELDS
from payments.dispute_forms import AcceptForm, DecisionForm, EvidenceForm
from payments.hooks import evidence_asked
from payments.models import Dispute, FraudWarning, Payment
from payments.views import bp
from projects.models import Project

SHOWN = ("", "waiting", "disputes", "warnings")


def add_page(pages: list[StaffPage]) -> None:
    """Hooked to the desk of staff: the tab, with how many wait for an answer or a decision."""
    pages.append(StaffPage("disputes", _("Disputes"), url_for("payments.disputes"),
                           _("Banks that took money back, and warnings of fraud"), cases.counts()["waiting"], 60))


@bp.get("/platform/disputes")
@allow("staff")
def disputes() -> str | tuple[str, int]:
    """Disputes and warnings in one list; what waits for somebody first."""
    show, page = request.args.get("show", ""), request.args.get("page", "1")
    if show not in SHOWN or not (page.isascii() and page.isdigit()) or not 1 <= len(page) <= 6 or int(page) < 1:
        raise NotFound(_("There is no such list."))
    counts = cases.counts()
    if int(page) > max(1, -(-counts[show] // cases.PER_PAGE)):
        raise NotFound(_("There is no page %(n)s here.", n=page))
    return render_template("payments/disputes.html", cases=cases.cases(show, int(page)), counts=counts, show=show,
                           page=int(page), per_page=cases.PER_PAGE, form=DecisionForm(), words=cases)


@bp.get("/platform/warnings")
@allow("staff")
def fraud_warnings() -> Response:
    return redirect(url_for("payments.disputes", show="warnings"))  # type: ignore[return-value]


@bp.post("/platform/warnings/<uuid:warning_id>/decision")
@allow("staff")
def decide_warning(warning_id: UUID) -> Response:
    """Refund or keep; the two buttons of a warning."""
    if db.session.get(FraudWarning, warning_id) is None:
        raise NotFound(_("There is no such warning."))
    form = DecisionForm()
    form.validate_on_submit()
    done = warnings.decide(warning_id, form.decision.data or "", current_user.id)
    flash(_("The charge is being refunded. The backer gets a mail.") if done.decision == warnings.REFUND else
          _("The charge is kept. Your decision is written down."), "success")
    return redirect(url_for("payments.disputes", show=request.args.get("show", "")), 303)  # type: ignore[return-value]


@bp.get("/platform/disputes/<uuid:dispute_id>")
@allow("staff")
def dispute(dispute_id: UUID) -> str:
    known = _known(dispute_id)
    form = EvidenceForm()
    texts: dict[str, str] = {}
    evidence_asked.send(_payment(known).subject_id, texts)
    for name in FIELDS:
        form[name].data = texts.get(name, "")
    return _page(known, form)


@bp.post("/platform/disputes/<uuid:dispute_id>/evidence")
@allow("staff")
def send_evidence(dispute_id: UUID) -> Response | tuple[str, int]:
    known, form = _known(dispute_id), EvidenceForm()
    if not form.validate_on_submit():
        return _page(known, form), 422
    try:
        answering.submit_evidence(dispute_id, form.texts(), current_user.id)
    except BadInput as refusal:
        db.session.rollback()
        form[refusal.field or "uncategorized_text"].errors = [refusal.sentence]
        return _page(_known(dispute_id), form), refusal.status
    flash(_("Your evidence is on its way to the bank."), "success")
    return redirect(url_for("payments.dispute", dispute_id=dispute_id), 303)  # type: ignore[return-value]


@bp.get("/platform/disputes/<uuid:dispute_id>/bundle")
@allow("staff")
def bundle(dispute_id: UUID) -> Response:
    """Everything that is known of this pledge, as one file; each download is written down."""
    known = _known(dispute_id)
    content = bundles.take_along(_payment(known), known, current_user.id)
    response = send_file(content, "application/zip", as_attachment=True, download_name=f"dispute-{known.stripe_id}.zip")
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.route("/platform/disputes/<uuid:dispute_id>/acceptance", methods=["GET", "POST"])
@allow("staff")
def acceptance(dispute_id: UUID) -> str | Response | tuple[str, int]:
    """Accept the loss: a page of its own, because there is no way back."""
    known, form = _known(dispute_id), AcceptForm()
    if form.validate_on_submit():
        answering.accept_dispute(dispute_id, current_user.id)
        flash(_("The loss is accepted. Stripe closes the dispute."), "success")
        return redirect(url_for("payments.dispute", dispute_id=dispute_id), 303)  # type: ignore[return-value]
    if not answering.can_answer(known):
        raise Refusal(_("The bank has your answer, or has decided. Nothing can be added now."))
    payment = _payment(known)
    return render_template("payments/dispute_accept.html", dispute=known, form=form, words=cases,
                           project=db.session.get_one(Project, known.project_id),
                           subject=cases.name_subjects([payment.subject_id])[payment.subject_id]), 422 if form.errors else 200


def _known(dispute_id: UUID) -> Dispute:
    found = db.session.get(Dispute, dispute_id)
    if found is None:
        raise NotFound(_("There is no such dispute."))
    return found


def _payment(known: Dispute) -> Payment:
    return db.session.get_one(Payment, known.payment_id)


def _page(known: Dispute, form: Any) -> str:
    payment, project = _payment(known), db.session.get_one(Project, known.project_id)
    return render_template(
        "payments/dispute.html", dispute=known, payment=payment, form=form, words=cases, project=project,
        answers=cases.answers_of(known.id),
        subject=cases.name_subjects([payment.subject_id])[payment.subject_id], can_answer=answering.can_answer(known),
        is_sent=answering.is_under_way(known.id), owed=ledger.payable(payment.subject_id),
        steps=cases.steps_of(known, project.zone))
