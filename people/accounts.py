"""Signing in: Flask-Security-Too on our own tables, session, mails, pages and rules. Nothing here checks a password.

The library's views run as they are; what we set is in SETTINGS, what we replace has a class. It never sees where a
visitor wants to go next: that is ours (`core.web.safe_path`), before and after it.
"""

from datetime import timedelta
from typing import Any, NoReturn

import sqlalchemy as sa
from flask import Flask, Response, flash, g, has_request_context, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_login import current_user, user_logged_out
from flask_security import Security, UserDatastore, signals
from flask_security.confirmable import confirm_email_token_status
from flask_security.datastore import SQLAlchemyDatastore
from flask_security.mail_util import MailUtil
from flask_security.utils import hash_password
from werkzeug.datastructures import ImmutableMultiDict

from config import ROOT
from core import clock, policy
from core.db import db, known_as, transaction
from core.sessions import StoredSession, end_sessions, read_beside
from core.web import safe_path
from people import forms, hooks, sentences, services
from people.models import Person, Role
from people.passwords import LONGEST, SHORTEST, Passwords

SETTINGS: dict[str, Any] = {
    "REGISTERABLE": True, "CONFIRMABLE": True, "RECOVERABLE": True, "CHANGEABLE": True, "TRACKABLE": False,
    "LOGIN_WITHOUT_CONFIRMATION": True,  # people may look around; pledging and launching ask for `confirmed_at`
    "AUTO_LOGIN_AFTER_CONFIRM": False, "AUTO_LOGIN_AFTER_RESET": False,
    "RETURN_GENERIC_RESPONSES": True,  # W-22
    "LOGOUT_METHODS": ["POST"], "LOGOUT_CSRF": True,  # W-05
    "RESET_PASSWORD_WITHIN": timedelta(hours=1), "CONFIRM_EMAIL_WITHIN": timedelta(days=2),
    "FRESHNESS": timedelta(minutes=15), "FRESHNESS_GRACE_PERIOD": timedelta(minutes=15),
    "PASSWORD_HASH": "argon2", "PASSWORD_SCHEMES": ["argon2", "unix_disabled"],  # the latter is `*`: never fits
    "HASHING_SCHEMES": ["hex_sha256"],  # for what stands in links; the slow default told who has an account
    "PASSWORD_LENGTH_MIN": SHORTEST, "PASSWORD_CONFIRM_REQUIRED": False,
    "DATETIME_FACTORY": clock.now,
    "JOIN_USER_ROLES": False,
    "API_ENABLED_METHODS": ["session"],
    "EMAIL_PLAINTEXT": False, "EMAIL_HTML": False,  # our author writes the letter, later, in the worker
    "EMAIL_VALIDATOR_ARGS": {"check_deliverability": False, "test_environment": False},
    "POST_LOGIN_VIEW": "people.me", "POST_REGISTER_VIEW": "people.welcome", "POST_LOGOUT_VIEW": "/",
    "POST_CHANGE_VIEW": "people.settings", "POST_VERIFY_VIEW": "people.me",
    "STATIC_FOLDER": None, "CLI_USERS_NAME": None, "CLI_ROLES_NAME": None, "CACHE_CONTROL": None,
    "I18N_DOMAIN": "messages", "I18N_DIRNAME": [str(ROOT / "translations")],
}
LETTERS = {  # what the library wants to send, and the letter of ours
    "security/email/welcome": "people/welcome",
    "security/email/welcome_existing": "people/already_here",
    "security/email/confirmation_instructions": "people/confirm",
    "security/email/reset_instructions": "people/reset",
    "security/email/reset_notice": "people/password_changed",
    "security/email/change_notice": "people/password_changed",
}
RULES = {"login": "anyone", "register": "anyone", "forgot_password": "anyone", "reset_password": "anyone",
         "send_confirmation": "anyone", "confirm_email": "anyone",
         "logout": "signed-in", "change_password": "signed-in", "verify": "signed-in"}
TOKEN_PAGES = ("security.confirm_email", "security.reset_password")


class People(SQLAlchemyDatastore, UserDatastore):
    """The library's door to the table `person`; there are no roles to find."""

    def __init__(self) -> None:
        SQLAlchemyDatastore.__init__(self, db)
        UserDatastore.__init__(self, Person, Role)

    def commit(self) -> None:
        with transaction():  # whatever the library's view changed leaves in one piece
            pass

    def find_user(self, case_insensitive: bool = False, **by: Any) -> Person | None:
        [(column, value)] = by.items()
        if column == "fs_uniquifier" and (read := _read_with_session()) is not None and read.fs_uniquifier == value:
            return known_as(Person, read)  # type: ignore[no-any-return]
        where = getattr(Person, column)
        if case_insensitive:
            return db.session.scalar(sa.select(Person).where(sa.func.lower(where) == sa.func.lower(value)))
        return db.session.scalar(sa.select(Person).where(where == value))

    def find_role(self, role: str) -> None:
        return None

    def create_user(self, **columns: Any) -> Person:
        return services.add_person(**columns)


def _read_with_session() -> Any:
    """The row of the person whom this browser's session belongs to, if there is one."""
    read = getattr(session, "beside", None) if has_request_context() else None
    return read if read is not None and read.id is not None else None


class Outbox(MailUtil):
    """The library's mails, as letters of our outbox: ids only; tokens are made when the letter is written."""

    def send_mail(self, template: str, subject: str, recipient: Any, sender: Any, body: Any, html: Any,
                  **context: Any) -> None:
        with transaction():
            services.post_letter(LETTERS[template], context["user"])
        if template == "security/email/reset_instructions":
            hash_password("")  # as long as the library takes for an address that it does not know (W-22)


def init_app(app: Flask) -> None:
    app.config.update({f"SECURITY_{key}": value for key, value in SETTINGS.items()})
    app.config.update({f"SECURITY_MSG_{key}": message for key, message in sentences.MESSAGES.items()})
    # Measured to stay between 100 and 300 ms on two busy cores (W-03); tests need the scheme, not its weight.
    weight = {"memory_cost": 8_192, "time_cost": 1} if app.config["TESTING"] else \
             {"memory_cost": 47_104, "time_cost": 2}
    app.config["SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS"] = {
        "argon2__type": "ID", "argon2__parallelism": 1, **{f"argon2__{key}": value for key, value in weight.items()}}
    read_beside(Person.__table__)  # type: ignore[arg-type]
    app.config["SESSION_PROTECTION"] = None  # phones change their address; the id is secret, stored hashed, revocable
    app.config["REMEMBER_COOKIE_DURATION"] = timedelta(0)  # there is none (W-01): the session itself is remembered
    security = Security(
        app, People(), mail_util_cls=Outbox, password_util_cls=Passwords, login_form=forms.LoginForm,
        register_form=forms.RegisterForm, forgot_password_form=forms.ForgotPasswordForm,
        reset_password_form=forms.ResetPasswordForm, change_password_form=forms.ChangePasswordForm,
        send_confirmation_form=forms.SendConfirmationForm, verify_form=forms.VerifyForm, render_template=_render)
    security.want_json(lambda _request: False)  # pages only: no tokens are handed out
    security.unauthn_handler(_sign_in_first)
    security.login_manager.request_loader(lambda _request: None)
    # Flask-Principal would load the person on every request, also for a style sheet; our rights are rules.
    app.before_request_funcs[None].remove(security.principal._on_before_request)
    policy.LIBRARY_RULES.update({f"security.{endpoint}": name for endpoint, name in RULES.items()})
    app.jinja_env.globals["password_length"] = (SHORTEST, LONGEST)

    app.before_request(_keep_next)
    app.before_request(_ask_before_confirming)
    app.after_request(_lead_on)
    signals.user_authenticated.connect(_begin, app)
    user_logged_out.connect(_end, app)
    signals.password_changed.connect(_new_password, app)
    signals.password_reset.connect(_new_password, app)


def _sign_in_first(_mechanisms: Any = None, _headers: Any = None) -> NoReturn:
    raise policy.SignInFirst


def _keep_next() -> None:
    """Take `next` out of the request before the library sees it; only a path of ours is kept (W-09)."""
    g.onward = ""
    if request.blueprint != "security":
        return
    g.onward = safe_path(request.form.get("next") or request.args.get("next"), "")
    for part in ("args", "form"):
        given = getattr(request, part)
        if "next" in given:
            setattr(request, part, ImmutableMultiDict(
                [(key, value) for key, value in given.items(multi=True) if key != "next"]))


def _ask_before_confirming() -> Any:
    """The link in the mail shows a button: looking at an address changes nothing, and scanners look (W-06)."""
    if request.endpoint != "security.confirm_email" or request.method == "POST":
        return None
    expired, invalid, person = confirm_email_token_status((request.view_args or {})["token"])
    if expired or invalid or person is None:
        return None  # the library says what is wrong
    if person.is_confirmed:
        flash(_("This address is already confirmed."))
        return redirect(url_for("security.login"))
    return render_template("security/confirm_email.html", email=person.email)


def _render(template: str, **context: Any) -> str:
    """Our pages in place of the library's: a form with errors is 422, one that was accepted says so itself."""
    form = next((value for key, value in context.items() if key.endswith("_form")), None)
    g.form_refused = bool(form and form.errors)
    sent = request.method == "POST" and not g.form_refused
    if sent:
        session.pop("_flashes", None)
    return render_template(template, form=form, sent=sent, **context)


def _lead_on(response: Response) -> Response:
    if request.endpoint in TOKEN_PAGES:
        response.headers["Referrer-Policy"] = "no-referrer"  # W-08: the address holds the token
    if request.blueprint == "security" and response.status_code == 302:
        if request.endpoint in ("security.login", "security.verify") and current_user.is_authenticated:
            response.location = g.onward or url_for("people.me")
        elif request.endpoint == "security.register" and request.method == "POST":
            session.pop("_flashes", None)  # the page says it
            session["_written_to"] = request.form.get("email", "")
            response.location = url_for("people.welcome", next=g.onward or None)
    elif g.get("form_refused") and response.status_code == 200:
        response.status_code = 422
    return response


def _begin(app: Flask, user: Person, **how: Any) -> None:
    """Signed in: a new session id, the person written beside it, a new token for forms (W-02)."""
    current: Any = session._get_current_object()  # type: ignore[attr-defined]
    if isinstance(current, StoredSession):
        current.rotate()
    session["_person"] = user.id
    session.pop("csrf_token", None)
    g.pop("csrf_token", None)
    if how.get("authn_via") != ["change"]:
        with transaction():
            hooks.signed_in.send(user)


def _end(app: Flask, **_who: Any) -> None:
    """Signed out: nothing is left of the session, here or in the table."""
    current: Any = session._get_current_object()  # type: ignore[attr-defined]
    current.clear()
    current.rotate()


def _new_password(app: Flask, user: Person, **_rest: Any) -> None:
    """Every other browser is signed out; this one has just been given a new session id."""
    end_sessions(user.id)
    if request.endpoint == "security.reset_password":
        services.prove_address(user)
