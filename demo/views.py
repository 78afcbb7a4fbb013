"""/demo: who can sign in, which cards there are, and a clock that can be moved. In production none of this exists."""

from flask import Blueprint, Response, current_app, flash, redirect, render_template, url_for
from flask_babel import gettext as _

from core import clock
from core.i18n import show_moment
from core.policy import allow
from demo import queries, stories, tour
from demo.forms import ClockForm

bp = Blueprint("demo", __name__)
ZONE = "Europe/Amsterdam"  # of most projects in the demo


@bp.get("/demo")
@allow("development")
def index() -> str:
    return _page(ClockForm(formdata=None))


@bp.post("/demo/clock")
@allow("development")
def move() -> Response | tuple[str, int]:
    """Forward only: what happened does not unhappen."""
    form = ClockForm()
    if not form.validate_on_submit():
        return _page(form), 422
    try:
        clock.move_clock(form.by)
    except OSError:
        # The site's clock has moved and is committed; only the local Stripe did not hear of it.
        flash(_("The clock of this site was moved, but the Stripe sandbox does not answer. Start it and move again."),
              "error")
    else:
        flash(_("The clock was moved. It is %(moment)s.", moment=show_moment(clock.now(), ZONE)), "success")
    return redirect(url_for("demo.index"), 303)  # type: ignore[return-value]


def _page(form: ClockForm) -> str:
    base = current_app.config["STRIPE_API_BASE"]
    known = queries.known(stories.ACCOUNTS.values())
    return render_template(
        "demo/index.html", form=form, zone=ZONE, ahead=clock.shift(), next_to_end=queries.next_to_end(),
        accounts=[(role, email, tour.ROLES[role]) for role, email in stories.ACCOUNTS.items() if email in known],
        password=stories.PASSWORD, cards=tour.CARDS, steps=tour.STEPS,
        has_mailbox="mailbox.index" in current_app.view_functions,
        stripe_url=base if base and "stripe.com" not in base else None)
