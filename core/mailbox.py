"""The mailbox of development: without SMTP, mails are kept and shown here. In production none of this exists."""

from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, Flask, Response, current_app, render_template, request
from flask_babel import gettext as _

from core.db import db
from core.errors import NotFound
from core.mail import Mail
from core.policy import allow
from core.web import content_policy

bp = Blueprint("mailbox", __name__)
MOST = 100
# The mail as a mail program shows it: no script, nothing fetched from elsewhere, links open the page around it.
SANDBOX = ("default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'; "
           "sandbox allow-popups allow-top-navigation-by-user-activation allow-popups-to-escape-sandbox")


@bp.get("/mailbox")
@allow("development")
def index() -> str:
    """The newest hundred, of everybody or of one recipient."""
    to = request.args.get("to", "").strip()
    found = sa.select(Mail).where(Mail.html.is_not(None)).order_by(Mail.sent_at.desc(), Mail.id.desc()).limit(MOST)
    if to:
        found = found.where(sa.func.lower(Mail.recipient).contains(to.lower(), autoescape=True))
    return render_template("core/mailbox.html", mails=db.session.scalars(found).all(), to=to)


@bp.get("/mailbox/<uuid:mail_id>")
@allow("development")
def show(mail_id: UUID) -> Response:
    response = current_app.make_response(render_template("core/mailbox_mail.html", mail=_mail(mail_id)))
    response.headers["Content-Security-Policy"] = content_policy(current_app) + "; frame-src 'self'"
    return response


@bp.get("/mailbox/<uuid:mail_id>/body")
@allow("development")
def body(mail_id: UUID) -> Response:
    html = (_mail(mail_id).html or "").replace("<head>", '<head><base target="_top">', 1)
    response = Response(html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = SANDBOX
    return response


def _mail(mail_id: UUID) -> Mail:
    found = db.session.get(Mail, mail_id)
    if found is None or found.html is None:
        raise NotFound(_("There is no mail at this address."))
    return found


def init_app(app: Flask) -> None:
    if app.config["ENV_NAME"] == "production" or app.config["SMTP_URL"]:
        return
    app.register_blueprint(bp)
