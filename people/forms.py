"""The forms of signing in, and of what a person says of themself. Explicit fields only (W-21)."""

from typing import Any

import flask_security.forms as library
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Regexp

LANGUAGES = (("en", "English"), ("nl", "Nederlands"))
NAME_LENGTH, BIO_LENGTH = 80, 600


def _email(*checks: Any) -> EmailField:
    return EmailField(_l("E-mail address"), [library.IsString(), library.email_required, *checks],
                      render_kw={"autocomplete": "email", "spellcheck": "false"})


def _password(label: Any, fills: str = "current-password") -> PasswordField:
    return PasswordField(label, [library.IsString(), library.password_required], render_kw={"autocomplete": fills})


def _name() -> StringField:
    return StringField(_l("Your name"), [DataRequired(_l("Write your name.")), Length(
        max=NAME_LENGTH, message=_l("Use at most %(max)d characters."))],
        filters=[lambda text: " ".join(text.split()) if text else text], render_kw={"autocomplete": "name"})


class LoginForm(library.LoginForm):
    email = _email(library.EmailValidation(verify=False))
    password = _password(_l("Password"))
    remember = submit = None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.password.description = ""  # the page has its own link to a new password


class RegisterForm(library.RegisterFormV2):
    name = _name()
    email = _email(library.EmailValidation(verify=True), library.unique_user_email)
    password = _password(_l("Password"), "new-password")
    locale = SelectField(_l("Language of our mails"), choices=LANGUAGES, default=lambda: str(get_locale() or "en"))
    submit = None


class ForgotPasswordForm(library.ForgotPasswordForm):
    email = _email(library.EmailValidation(verify=True), library.valid_user_email)
    submit = None


class SendConfirmationForm(library.SendConfirmationForm):
    email = _email(library.EmailValidation(verify=True), library.valid_user_email)
    submit = None


class ResetPasswordForm(library.ResetPasswordForm):
    password = _password(_l("New password"), "new-password")
    password_confirm = submit = None


class ChangePasswordForm(library.ChangePasswordForm):
    password = _password(_l("Password that you have"))
    new_password = _password(_l("New password"), "new-password")
    new_password_confirm = submit = None


class VerifyForm(library.VerifyForm):
    password = _password(_l("Password"))
    submit = None


class SettingsForm(FlaskForm):
    """What others see of a person, and the language of our mails."""

    name = _name()
    handle = StringField(_l("Address of your page"), [
        DataRequired(_l("Write an address for your page.")),
        Regexp(r"[a-z0-9](?:[a-z0-9-]{0,28}[a-z0-9])\Z", message=_l(
            "Use 2 to 30 small letters, digits and hyphens."))],
        filters=[lambda text: text.strip().lower() if text else text],
        render_kw={"autocomplete": "username", "spellcheck": "false"})
    bio = TextAreaField(_l("About you"), [Length(max=BIO_LENGTH, message=_l("Use at most %(max)d characters."))],
                        filters=[lambda text: text.strip() if text else ""], render_kw={"rows": 5})
    locale = SelectField(_l("Language of our mails"), choices=LANGUAGES)
