"""The backer's pages: the form, the pledge, its change and its end."""

from typing import Any

import structlog
from flask import Blueprint, Response, current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.exc import DBAPIError

from backing import changes, fixing
from backing.changes import Change, cancel_pledge, change_pledge
from backing.consenting import consent_from, give_consent
from backing.forms import CancelForm, ChangeForm, PledgeForm
from backing.hooks import backing_asked, pledge_shown
from backing.models import Pledge, PledgeState
from backing.placing import AlreadyBacking, Choice, SoldOut, place_pledge
from backing.queries import Offering, active_pledge, lines_of, offers_of, pledges_of
from backing.refund_queries import refunds_of
from core import money
from core.db import db
from core.errors import BadInput, Refusal
from core.i18n import locale_name
from core.policy import allow
from payments import cards, cases
from payments.gateway import GatewayError
from projects.models import Project
from projects.rules import whole_project

bp = Blueprint("backing", __name__)
log = structlog.get_logger()
S = PledgeState
RETURN = "/card/return"  # behind a pledge's own address; where Stripe leads back to


@bp.get("/projects/<slug>/pledge")
@allow("project:pledge")
def place(slug: str) -> str | Response:
    project: Project = g.subject
    mine = active_pledge(project.id, current_user.id)
    if mine and mine.stands:
        return redirect(url_for("backing.show", pledge_id=mine.id))  # type: ignore[return-value]
    offers = offers_of(project, mine)
    form = PledgeForm(offers, project.currency)
    wanted = str(mine.reward_id) if mine and mine.reward_id else request.args.get("reward", "")
    form.reward.data = next((o.value for o in offers if str(o.id) == wanted and not o.is_gone), "")
    if mine:
        form.preset_bonus(mine.bonus)
    return _form_page(project, form, mine)


@bp.post("/projects/<slug>/pledge")
@allow("project:send-pledge")
def send(slug: str) -> str | Response | tuple[str, int]:
    """Hold the reward and lead to Stripe's form; every refusal comes back beside its field with all that was typed."""
    offering: Offering = g.subject
    person = current_user._get_current_object()
    form = PledgeForm(offering.offers, offering.currency)
    if not form.validate_on_submit():
        return _form_page(whole_project(slug)[0], form), 422
    if "preview" in request.form:
        return _form_page(whole_project(slug)[0], form)
    if person.confirmed_at is None:
        form.reward.errors = [_("Confirm your e-mail address first: the link is in your mailbox.")]
        return _form_page(whole_project(slug)[0], form), 409
    asked: dict[str, Any] = {"ref": None, "source": "direct"}
    backing_asked.send(person, offering, asked)
    choice = Choice(offering.id, person.id, form.chosen.id if form.chosen else None, form.extra, form.token_id,
                    asked["ref"], asked["source"], locale_name(), form.seen_price, consent_from(request.remote_addr, request.user_agent.string))
    try:
        placed = place_pledge(choice, offering.seen(form.chosen))
    except AlreadyBacking as refusal:
        flash(refusal.sentence, "message")
        return redirect(url_for("backing.show", pledge_id=refusal.pledge_id), 303)  # type: ignore[return-value]
    except (BadInput, SoldOut) as refusal:
        db.session.rollback()
        project = whole_project(slug)[0]
        form.offers = offers_of(project)  # the stock has changed since
        (form.other if refusal.field == "bonus" else form.reward).errors = [refusal.sentence]
        return _form_page(project, form), refusal.status
    return _to_card_form(placed.pledge_id, offering.id, offering.currency, offering.title, placed.form)


def _to_card_form(pledge_id: Any, project_id: Any, currency: str, title: str, form: cards.Form | None = None) -> Response:
    page = url_for("backing.show", pledge_id=pledge_id)
    here = current_app.config["BASE_URL"] + page
    if form is None:
        _consent(pledge_id)
    try:
        url = cards.open_card_form(
            subject_id=pledge_id, project_id=project_id, person=current_user._get_current_object(), currency=currency,
            description=title, locale=locale_name(), return_url=here + RETURN, cancel_url=here, form=form)
    except Refusal as refusal:
        flash(refusal.sentence, "error")
        url = page
    except GatewayError as error:
        log.error("card form refused", code=error.code, status=error.status)
        flash(_("The card form could not be opened. Your pledge is kept and nothing was charged; try again."), "error")
        url = page
    return redirect(url, 303)  # type: ignore[return-value]


def _consent(pledge_id: Any) -> None:
    """What was agreed to, before a card's form opens again or as the sum changes (S-23)."""
    give_consent(pledge_id, consent_from(request.remote_addr, request.user_agent.string), locale_name())


def _form_page(project: Project, form: PledgeForm, mine: Pledge | None = None) -> str:
    asked: dict[str, Any] = {"sent_by": None, "source": "direct"}
    backing_asked.send(current_user, project, asked)
    return render_template("backing/form.html", project=project, form=form, mine=mine, **_summary(form, project),
                           sent_by=asked["sent_by"], source=asked["source"], ends=project.deadline)


def _summary(form: PledgeForm, project: Project) -> dict[str, Any]:
    """The lines as chosen so far; on the first look from the preset choice. What somebody else got is no choice."""
    chosen = form.chosen or next((o for o in form.offers if o.value == form.reward.data), None)
    if chosen and chosen.is_gone:
        chosen = None
    if not form.is_submitted():
        form.validate_other(form.other)
    lines = [(chosen.title, money.show(chosen.price, project.currency, locale_name()))] if chosen else []
    if form.extra:
        lines.append((_("Bonus"), money.show(form.extra, project.currency, locale_name())))
    total = (chosen.price if chosen else 0) + form.extra
    return {"lines": lines, "total": total, "total_text": money.show(total, project.currency, locale_name())}


@bp.get("/pledges/<uuid:pledge_id>")
@allow("pledge:own")
def show(pledge_id: Any) -> str:
    """What happened, what comes next, one button: in every state of a pledge."""
    pledge: Pledge = g.subject
    context: dict[str, Any] = {}
    pledge_shown.send(pledge, context)
    return render_template("backing/pledge.html", pledge=pledge, project=pledge.project, lines=lines_of(pledge),
                           refunds=refunds_of(pledge) if pledge.state in (S.COLLECTED, S.REFUNDED) else [],
                           banks=cases.lines_of_subjects([pledge.id]).get(pledge.id, []) if pledge.payment_id else [],
                           fresh="new" in request.args, **context)


@bp.get("/me/pledges")
@allow("signed-in")
def mine() -> str:
    return render_template("backing/mine.html", pledges=pledges_of(current_user.id))


@bp.post("/pledges/<uuid:pledge_id>/card")
@allow("pledge:own")
def card(pledge_id: Any) -> Response:
    """To Stripe's form: for a hold, or to use another card."""
    pledge: Pledge = g.subject
    if pledge.state not in (S.HELD, S.PLEDGED, S.ERRORED):
        raise Refusal(_("This pledge needs no card any more."))
    return _to_card_form(pledge.id, pledge.project_id, pledge.currency, pledge.project.title)


@bp.get("/pledges/<uuid:pledge_id>" + RETURN)
@allow("pledge:own")
def card_returned(pledge_id: Any) -> Response:
    """Back from Stripe. The address proves nothing: what counts is what Stripe says of the session (S-21).

    A GET that may change something: it is Stripe's redirect, it does only what the webhook does, and twice is once.
    """
    pledge: Pledge = g.subject
    was_held = pledge.state is S.HELD
    session_id = request.args.get("session_id", "")
    try:
        known = cards.settle_card(session_id) if session_id.startswith("cs_") else None
        if known is not None and known.subject_id != pledge_id:
            log.warning("return with another pledge's session")
    except (GatewayError, DBAPIError):
        db.session.rollback()
        log.warning("card not settled on return; the worker will")
    return redirect(url_for("backing.show", pledge_id=pledge_id, new=1 if was_held else None), 303)  # type: ignore[return-value]


@bp.post("/pledges/<uuid:pledge_id>/hold")
@allow("pledge:own")
def more_time(pledge_id: Any) -> Response:
    """“I need more time”, once."""
    if changes.extend_hold(pledge_id, current_app.config["HOLD_MINUTES"]):
        flash(_("Your reward is kept for another %(n)s minutes.", n=current_app.config["HOLD_MINUTES"]), "success")
    else:
        flash(_("The hold cannot be made longer again. Finish your pledge, or make a new one."), "error")
    return redirect(url_for("backing.show", pledge_id=pledge_id), 303)  # type: ignore[return-value]


@bp.get("/pledges/<uuid:pledge_id>/change")
@allow("pledge:own")
def change(pledge_id: Any) -> str:
    pledge: Pledge = g.subject
    if pledge.state is not S.PLEDGED:
        raise Refusal(_("This pledge cannot be changed any more."))
    form = ChangeForm(offers_of(pledge.project, pledge), pledge.currency)
    form.version.data = pledge.version
    form.reward.data = next((o.value for o in form.offers if o.is_mine), "")
    form.preset_bonus(pledge.bonus)
    return _change_page(pledge, form)


@bp.post("/pledges/<uuid:pledge_id>/change")
@allow("pledge:own")
def send_change(pledge_id: Any) -> str | Response | tuple[str, int]:
    pledge: Pledge = g.subject
    form = ChangeForm(offers_of(pledge.project, pledge), pledge.currency)
    if not form.validate_on_submit():
        return _change_page(pledge, form), 422
    if "preview" in request.form:
        return _change_page(pledge, form)
    try:
        change_pledge(pledge_id, Change(form.chosen.id if form.chosen else None, form.extra, form.version.data or 0),
                      current_user.id)
        _consent(pledge_id)
    except Refusal as refusal:
        db.session.rollback()
        (form.other if refusal.field == "bonus" else form.reward).errors = [refusal.sentence]
        return _change_page(g.subject, form), refusal.status
    flash(_("Your pledge is changed. Nothing was charged."), "success")
    return redirect(url_for("backing.show", pledge_id=pledge_id), 303)  # type: ignore[return-value]


def _change_page(pledge: Pledge, form: ChangeForm) -> str:
    return render_template("backing/form.html", project=pledge.project, form=form, mine=pledge, is_change=True,
                           **_summary(form, pledge.project), sent_by=None, ends=pledge.project.deadline)


@bp.route("/pledges/<uuid:pledge_id>/cancellation", methods=["GET", "POST"])
@allow("pledge:own")
def cancellation(pledge_id: Any) -> str | Response | tuple[str, int]:
    pledge: Pledge = g.subject
    form = CancelForm()
    if form.validate_on_submit():
        cancel_pledge(pledge_id, current_user.id, form.reason.data or "")
        flash(_("Your pledge is cancelled. Nothing was charged."), "success")
        return redirect(url_for("backing.show", pledge_id=pledge_id), 303)  # type: ignore[return-value]
    if pledge.state not in (S.HELD, S.PLEDGED):
        raise Refusal(_("This pledge cannot be cancelled any more."))
    return render_template("backing/cancel.html", pledge=pledge, project=pledge.project, form=form,
                           lines=lines_of(pledge)), 422 if form.errors else 200


@bp.get("/pledges/<uuid:pledge_id>/payment")
@allow("pledge:own")
def payment(pledge_id: Any) -> Response:
    """Where mails about a failed charge lead: the pledge's page says what to do."""
    return redirect(url_for("backing.show", pledge_id=pledge_id, _anchor="mend"))  # type: ignore[return-value]


@bp.post("/pledges/<uuid:pledge_id>/payment")
@allow("pledge:own")
def mend(pledge_id: Any) -> Response:
    """Confirm with the bank while the backer is here: same intent, same card."""
    back = current_app.config["BASE_URL"] + url_for("backing.payment_returned", pledge_id=pledge_id)
    try:
        url = fixing.authenticate(g.subject, back)
    except Refusal as refusal:
        flash(refusal.sentence, "error")
        url = None
    return redirect(url or url_for("backing.show", pledge_id=pledge_id), 303)  # type: ignore[return-value]


@bp.get("/pledges/<uuid:pledge_id>/payment/return")
@allow("pledge:own")
def payment_returned(pledge_id: Any) -> Response:
    """Back from the bank; like every return it asks Stripe and is safe to load twice."""
    try:
        fixing.returned(g.subject)
    except (GatewayError, DBAPIError):
        db.session.rollback()
        log.warning("payment not read on return; the worker will")
    return redirect(url_for("backing.show", pledge_id=pledge_id), 303)  # type: ignore[return-value]


