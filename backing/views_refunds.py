"""Giving money back: the form of one pledge, the project's refunds, and everybody at once after two confirmations."""

from typing import Any

import structlog
from flask import Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from backing import refund_queries
from backing.forms_refunds import EveryoneForm, RefundForm, part_word, refund_form
from backing.models import Pledge, PledgeState
from backing.refunding import refund_everyone, refund_pledge
from backing.views import bp
from core import money
from core.db import db
from core.errors import NotFound, Refusal
from core.i18n import locale_name
from core.policy import allow
from payments import gateway_refunds
from payments.gateway import GatewayError
from payments.models import RefundState
from projects.models import Project

log = structlog.get_logger()


@bp.get("/pledges/<uuid:pledge_id>/refund")
@allow("pledge:refund")
def refund(pledge_id: Any) -> str:
    pledge: Pledge = g.subject
    return _refund_page(pledge, _form_of(pledge))


def _form_of(pledge: Pledge) -> RefundForm:
    """The form of a pledge that was paid; Refusal when there is nothing that could go back."""
    if pledge.payment is None or pledge.state not in (PledgeState.COLLECTED, PledgeState.REFUNDED):
        raise Refusal(_("Nothing was charged for this pledge, so there is nothing to refund."))
    refunds = refund_queries.refunds_of(pledge)
    payment = pledge.payment
    return refund_form(refund_queries.parts_of(pledge, refunds), pledge.currency, payment.amount - payment.refunded,
                       payment.refunded)


def _refund_page(pledge: Pledge, form: RefundForm) -> str:
    assert pledge.payment is not None
    refunds = refund_queries.refunds_of(pledge)
    form.begin(refund_queries.parts_of(pledge, refunds), pledge.currency, pledge.payment.amount - pledge.payment.refunded,
               pledge.payment.refunded)
    return render_template("backing/refund.html", pledge=pledge, project=pledge.project, form=form, refunds=refunds,
                           sums=refund_queries.sums_of(pledge.payment, refunds), part_word=part_word,
                           shows_name=current_user.id == pledge.project.creator_id)


@bp.post("/pledges/<uuid:pledge_id>/refund")
@allow("pledge:refund")
def send_refund(pledge_id: Any) -> str | Response | tuple[str, int]:
    pledge: Pledge = g.subject
    form = _form_of(pledge)
    if not form.validate_on_submit():
        return _refund_page(pledge, form), 422
    slug = pledge.project.slug
    try:
        made = refund_pledge(pledge.id, form.wish(), current_user.id)
    except Refusal as refusal:
        db.session.rollback()
        form[refusal.field if refusal.field in ("amount", "reason") else "how"].errors = [refusal.sentence]
        form.seen.data = str(pledge.payment.refunded if pledge.payment else 0)
        return _refund_page(pledge, form), refusal.status
    flash(_("%(amount)s goes back to the backer, who is told by mail.",
            amount=money.show(made.amount, made.currency, locale_name())), "success")
    return redirect(url_for("backing.refunds", slug=slug), 303)  # type: ignore[return-value]


@bp.get("/projects/<slug>/refunds")
@allow("project:refunds")
def refunds(slug: str) -> str:
    project: Project = g.subject
    states = refund_queries.by_state(project.id)
    found = sum(told.count for told in states.values())
    text = request.args.get("page", "1")
    page = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if page < 1 or page > max(1, -(-found // refund_queries.PER_PAGE)):
        raise NotFound(_("There is no page %(n)s here.", n=text[:6]))
    run = refund_queries.latest_run(project.id)
    return render_template(
        "backing/refunds.html", project=project, states=states, found=found, page=page, run=run,
        lines=refund_queries.page_of(project.id, page) if found else [], refundable=refund_queries.refundable(project.id),
        groups=_groups(states), shows_names=current_user.id == project.creator_id, per_page=refund_queries.PER_PAGE)


def _groups(states: dict[RefundState, refund_queries.Told]) -> dict[str, refund_queries.Told]:
    """Done, under way, not arrived: what a person asks first."""
    R = RefundState

    def told(*of: RefundState) -> refund_queries.Told:
        known = [states[state] for state in of if state in states]
        return refund_queries.Told(sum(one.count for one in known), sum(one.amount for one in known))

    return {"done": told(R.SUCCEEDED), "open": told(R.CREATED, R.UNKNOWN, R.PENDING, R.REQUIRES_ACTION),
            "failed": told(R.FAILED, R.CANCELED)}


@bp.get("/projects/<slug>/refunds/everyone")
@allow("project:refunds")
def everyone(slug: str) -> str:
    return _everyone_page(EveryoneForm(), is_last=False)


def _everyone_page(form: EveryoneForm, *, is_last: bool) -> str:
    """The sum beside what lies at Stripe; on the last page also the title that is to be typed."""
    project: Project = g.subject
    what, run = refund_queries.refundable(project.id), refund_queries.latest_run(project.id)
    balance = None
    try:
        balance = gateway_refunds.read_balance().get(project.currency, gateway_refunds.Balance(0, 0))
    except GatewayError as error:
        log.warning("balance not read", code=error.code, status=error.status)
    return render_template("backing/refund_everyone.html", project=g.subject, form=form, what=what, balance=balance,
                           is_last=is_last, is_running=bool(run and run.finished_at is None))


@bp.post("/projects/<slug>/refunds/everyone")
@allow("project:refunds")
def confirm_everyone(slug: str) -> str | tuple[str, int]:
    """The first confirmation; nothing is done yet."""
    form = EveryoneForm()
    if not form.validate_on_submit():
        return _everyone_page(form, is_last=False), 422
    return _everyone_page(form, is_last=True)


@bp.post("/projects/<slug>/refunds/everyone/start")
@allow("project:refunds")
def start_everyone(slug: str) -> str | Response | tuple[str, int]:
    """The second one: the title, typed. Then a job refunds one payment after the other."""
    form = EveryoneForm()
    if not form.validate_on_submit():
        return _everyone_page(form, is_last=False), 422
    if not form.validate_against(g.subject.title):
        return _everyone_page(form, is_last=True), 422
    try:
        refund_everyone(g.subject, form.reason.data, (form.note.data or "").strip(), current_user.id)
    except Refusal as refusal:
        db.session.rollback()
        form.title.errors = [refusal.sentence]
        return _everyone_page(form, is_last=True), refusal.status
    flash(_("The refunds have begun. This page shows how far they are."), "success")
    return redirect(url_for("backing.refunds", slug=slug), 303)  # type: ignore[return-value]
