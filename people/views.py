"""Pages of a person: their own, their settings, and what others see."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_login import current_user, logout_user

from core.errors import BadInput, NotFound
from core.policy import allow
from core.web import safe_path
from people import hooks, queries, services
from people.forms import SettingsForm
from people.models import Person

bp = Blueprint("people", __name__)


def _me() -> Person:
    return current_user._get_current_object()  # type: ignore[no-any-return]


@bp.get("/welcome")
@allow("anyone")
def welcome() -> Any:
    """After registering. The page is the same for an address that has an account already (W-22)."""
    written_to = session.get("_written_to")
    if not written_to:
        return redirect(url_for("security.login"))
    return render_template("people/welcome.html", written_to=written_to,
                           onward=safe_path(request.args.get("next"), ""))


@bp.get("/me")
@allow("signed-in")
def me() -> str:
    context: dict[str, Any] = {"person": _me(), "projects": [], "pledges": [], "share_links": [], "parts": []}
    hooks.me_shown.send(_me(), context)
    return render_template("people/me.html", **context)


@bp.post("/me/confirmation")
@allow("signed-in")
def send_confirmation() -> Any:
    """Send the mail with the confirmation button once more."""
    services.send_confirmation(_me())
    flash(_("We have sent a mail to %(email)s. Open it and press the button.", email=_me().email), "success")
    return redirect(safe_path(request.form.get("next"), url_for("people.me")))


@bp.route("/me/settings", methods=["GET", "POST"])
@allow("signed-in")
def settings() -> Any:
    person = _me()
    form = SettingsForm(obj=person)
    if form.validate_on_submit():
        try:
            services.edit_profile(person, name=form.name.data or "", handle=form.handle.data or "",
                                  bio=form.bio.data or "", locale=form.locale.data)
        except BadInput as wrong:
            getattr(form, wrong.field or "name").errors = [wrong.sentence]
        else:
            flash(_("Saved."), "success")
            return redirect(url_for("people.settings", lang=person.locale))
    return render_template("people/settings.html", form=form, person=person), 422 if form.errors else 200


@bp.post("/me/sessions")
@allow("signed-in")
def end_sessions() -> Any:
    """Sign out everywhere, this browser included."""
    services.sign_out_everywhere(_me().id)
    logout_user()
    flash(_("You are logged out everywhere."), "success")
    return redirect(url_for("security.login"))


@bp.get("/people/<handle>")
@allow("anyone")
def show(handle: str) -> Any:
    person = queries.person_by_handle(handle)
    if person is None:
        raise NotFound(_("There is nobody at this address."))
    if handle != person.handle:
        return redirect(url_for("people.show", handle=person.handle), 301)
    context: dict[str, Any] = {"person": person, "projects": [], "parts": []}
    hooks.person_shown.send(person, context)
    return render_template("people/show.html", **context)
