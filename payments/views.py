"""Stripe's door, and the creator's way to be paid."""

import structlog
from babel import Locale
from flask import Blueprint, Response, current_app, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core import clock
from core.i18n import locale_name
from core.policy import allow
from core.web import csrf
from payments import accounts, gateway, inbox, owing, pictures
from payments.forms import PayoutForm
from payments.shortcut import LARGEST_EVENT, PATH

bp = Blueprint("payments", __name__)
log = structlog.get_logger()


@bp.post(PATH)
@allow("anyone")
@csrf.exempt
def webhook() -> tuple[str, int]:
    """Verify, store, queue, 200: no other work in the request (S-40). A forgery is a 400 and changes nothing.

    The plain case is answered by `shortcut` before it comes here.
    """
    request.max_content_length = LARGEST_EVENT  # also for a body that does not say its length
    if (request.content_length or 0) > LARGEST_EVENT:
        return "too large", 413
    body = request.get_data(cache=False)
    try:
        event = gateway.verify_event(body, request.headers.get("Stripe-Signature", ""),
                                     current_app.config["STRIPE_WEBHOOK_SECRETS"], clock.now().timestamp())
    except gateway.GatewayError as error:
        log.warning("webhook refused", why=str(error))
        return "refused", 400
    if event.get("livemode", False) is not current_app.config["STRIPE_LIVE"]:
        log.warning("webhook of the wrong mode", event_id=event["id"])
        return "wrong mode", 400
    inbox.receive(event, body.decode())
    return "ok", 200


@bp.get("/projects/<slug>/payouts")
@allow("project:money")
def payouts(slug: str) -> str:
    return _page(PayoutForm())


def _page(form: PayoutForm) -> str:
    from payments.views_books import money_page

    account = accounts.account_of(g.subject.creator_id)
    _offer(form)
    if request.method == "GET":
        form.country.data = account.country if account else g.subject.country
    context = money_page(g.subject)
    return render_template(
        "payments/money.html" if context["known"] else "payments/payouts.html", project=g.subject, account=account,
        form=form, fee_bp=current_app.config["PLATFORM_FEE_BP"], days=current_app.config["PAYOUT_DAYS"],
        obstacle=accounts.obstacle(account, g.subject.currency), debts=owing.debts_of(g.subject.creator_id),
        is_creator=current_user.id == g.subject.creator_id, wanted_words=pictures.wanted_words, **context)


def _offer(form: PayoutForm) -> None:
    names = Locale.parse(locale_name()).territories
    form.country.choices = sorted(((code, names[code]) for code in accounts.countries()), key=lambda pair: pair[1])


@bp.post("/projects/<slug>/payouts")
@allow("project:own")
def connect(slug: str) -> Response | tuple[str, int]:
    """Lead the creator to Stripe's own page; the link is made now and used at once."""
    form = PayoutForm()
    _offer(form)
    account = accounts.account_of(current_user.id)
    if account is not None:  # the country was told to Stripe and stays
        form.country.choices, form.country.data = [(account.country, account.country)], account.country
    if not form.validate_on_submit():
        form.country.errors = [_("Choose the country of the account that is paid out to.")]
        return _page(form), 422
    base = current_app.config["BASE_URL"]
    back = base + url_for("payments.returned", slug=slug)
    return redirect(accounts.onboarding(current_user, form.country.data, back,  # type: ignore[return-value]
                                        base + url_for("payments.payouts", slug=slug)), 303)


@bp.get("/projects/<slug>/payouts/return")
@allow("project:own")
def returned(slug: str) -> Response:
    """Back from Stripe. The address proves nothing: we ask (S-61). Like every return, safe to load twice."""
    try:
        accounts.refresh_account(current_user.id)
    except gateway.GatewayError:
        log.warning("account not read on return")
    return redirect(url_for("payments.payouts", slug=slug), 303)  # type: ignore[return-value]
