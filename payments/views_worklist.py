"""The desk of staff for what differs between Stripe and our books, and the switch that stops all money (S-50, O-03)."""

from uuid import UUID

import sqlalchemy as sa
from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core.db import db
from core.errors import NotFound
from core.platform import StaffPage
from core.policy import allow
from payments import cases, safety, worklist, worklist_words
from payments.views import bp
from payments.worklist_forms import ActForm, EnterForm, ExplainForm, ReleaseForm


def add_page(pages: list[StaffPage]) -> None:
    """Hooked to the desk of staff: the tab, with how many lines are open."""
    pages.append(StaffPage("worklist", _("Worklist"), url_for("payments.differences"),
                           _("Where Stripe and our books differ"), worklist.count_open(), 70))


@bp.get("/platform/worklist")
@allow("staff")
def differences() -> str:
    """Every open difference, oldest first; settled ones below."""
    return _page()


def _page(explained: tuple[UUID, ExplainForm] | None = None, enter: EnterForm | None = None,
          release: ReleaseForm | None = None) -> str:
    page, count = request.args.get("page", "1"), worklist.count_open()
    if not (page.isascii() and page.isdigit() and 1 <= len(page) <= 6) or \
            not 1 <= int(page) <= max(1, -(-count // worklist.PER_PAGE)):
        raise NotFound(_("There is no page %(n)s here.", n=page[:6]))
    mode = safety.look()
    cursors = {row.name: row.run_at for row in db.session.execute(sa.text(
        "SELECT name, run_at FROM stripe_cursor WHERE name IN ('reconcile', 'full', 'events')"))}
    items = worklist.open_items(int(page))
    return render_template(
        "payments/worklist.html", items=items,
        subjects=cases.name_subjects([item.subject_id for item in items if item.subject_id]), settled=worklist.settled_items(), count=count,
        page=int(page), per_page=worklist.PER_PAGE, mode=mode, why=safety.words_of(mode.why), cursors=cursors, words=worklist_words, form=ActForm(),
        enter=enter or EnterForm(), release=release or ReleaseForm(), explain=ExplainForm(),
        explained=explained)


@bp.post("/platform/worklist/<uuid:mismatch_id>/<any(refund, adopt, book, again):action>")
@allow("staff")
def settle_difference(mismatch_id: UUID, action: str) -> Response:
    """The one act that a kind allows."""
    ActForm().validate_on_submit()
    how = worklist.act(mismatch_id, action, current_user.id)
    if how:
        flash(_("Settled: %(how)s.", how=worklist_words.settled(how)), "success")
    else:
        flash(_("The two sides still differ. Nothing was changed."), "warning")
    return redirect(url_for("payments.differences"), 303)  # type: ignore[return-value]


@bp.post("/platform/worklist/<uuid:mismatch_id>/explanation")
@allow("staff")
def explain_difference(mismatch_id: UUID) -> Response | tuple[str, int]:
    form = ExplainForm()
    if not form.validate_on_submit():
        return _page((mismatch_id, form)), 422
    worklist.explain(mismatch_id, form.reason.data or "", current_user.id)
    flash(_("Settled, with your explanation."), "success")
    return redirect(url_for("payments.differences"), 303)  # type: ignore[return-value]


@bp.post("/platform/worklist/reconciliation")
@allow("staff")
def reconcile_now() -> Response:
    ActForm().validate_on_submit()
    worklist.ask_reconciliation(current_user.id)
    flash(_("Stripe and our books are being compared. Look again in a minute."), "success")
    return redirect(url_for("payments.differences"), 303)  # type: ignore[return-value]


@bp.post("/platform/safe-mode/on")
@allow("staff")
def enter_safe_mode() -> Response | tuple[str, int]:
    """Stop all money by hand."""
    form = EnterForm()
    if not form.validate_on_submit():
        return _page(enter=form), 422
    safety.enter(form.why.data or "", current_user.id)
    flash(_("Money-safe mode is on. No charge, refund or transfer leaves."), "success")
    return redirect(url_for("payments.differences"), 303)  # type: ignore[return-value]


@bp.post("/platform/safe-mode/off")
@allow("staff")
def release_safe_mode() -> Response | tuple[str, int]:
    """Let money move again, after a clean reconciliation and two confirmations."""
    form = ReleaseForm()
    if not form.validate_on_submit():
        return _page(release=form), 422
    safety.release("", current_user.id)
    flash(_("Money-safe mode is off. Money moves again."), "success")
    return redirect(url_for("payments.differences"), 303)  # type: ignore[return-value]
