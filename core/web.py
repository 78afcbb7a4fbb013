"""Headers, hosts, redirects: what every answer has in common (W-07 to W-10)."""

import re
import uuid
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, abort, g, request
from flask_wtf import CSRFProtect
from werkzeug.exceptions import SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

csrf = CSRFProtect()
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def init_app(app: Flask) -> None:
    if hops := app.config["PROXY_HOPS"]:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # as long as the session
    app.config["WTF_CSRF_CHECK_DEFAULT"] = True
    app.config["WTF_CSRF_SSL_STRICT"] = False  # SameSite=Lax and the token suffice; some browsers send no referrer
    csrf.init_app(app)
    policy = content_policy(app)
    secure = app.config["SESSION_COOKIE_SECURE"]

    @app.before_request
    def begin() -> Response | None:
        g.request_id = uuid.uuid4().hex[:16]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        if isinstance(request.routing_exception, SecurityError):
            # Not our host (W-10): nothing is rendered, since without a host no link can be made.
            return Response("This site does not answer to that name.\n", 400, mimetype="text/plain")
        if "\0" in request.path:
            abort(404)  # no text in the database may hold it, so nothing can be there
        return None

    # Whatever may hold a person's page stays out of every cache; public pages say otherwise themselves.
    standing = {
        "Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "strict-origin-when-cross-origin", "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()", "Cache-Control": "no-store",
    } | ({"Strict-Transport-Security": "max-age=31536000; includeSubDomains"} if secure else {})

    app.extensions["standing_headers"] = standing  # for answers given in front of the app

    @app.after_request
    def finish(response: Response) -> Response:
        present = {name.lower() for name, _value in response.headers}
        response.headers.extend([pair for pair in standing.items() if pair[0].lower() not in present])
        if (request_id := g.get("request_id")) and "x-request-id" not in present:
            response.headers.add("X-Request-Id", request_id)
        return response


def content_policy(app: Flask) -> str:
    """No inline script or style anywhere, so no nonce; forms may lead to Stripe's pages after a redirect."""
    stripe = "https://checkout.stripe.com https://connect.stripe.com https://hooks.stripe.com"
    if app.config["STRIPE_API_BASE"] and "stripe.com" not in app.config["STRIPE_API_BASE"]:
        base = app.config["STRIPE_API_BASE"]
        stripe += f" {base} {base.replace('127.0.0.1', 'localhost')}"
    return ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
            "connect-src 'self'; frame-src 'self'; manifest-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; "
            f"form-action 'self' {stripe}")


def safe_path(target: str | None, default: str = "/") -> str:
    """A path on this site to go back to, rebuilt from its parts; `default` for anything doubtful (W-09).

    Browsers strip tabs and line ends and read a backslash as a slash, so those are refused, not repaired.
    """
    if not target or not target.startswith("/") or re.search(r"[\x00-\x20\x7f\\]", target):
        return default
    decoded = re.sub(r"%([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), target.split("?")[0])
    if re.search(r"[\x00-\x1f\x7f\\]", decoded) or decoded.startswith("//") or target.startswith("//"):
        return default
    try:
        parts = urlsplit(target)
    except ValueError:
        return default
    if parts.scheme or parts.netloc:
        return default
    return parts.path + (f"?{parts.query}" if parts.query else "")


def client_address() -> str:
    """The visitor's network, for limits only and never stored as it is: IPv4 whole, IPv6 by its /64."""
    return network_of(request.remote_addr or "")


def network_of(address: str) -> str:
    return ":".join(address.split(":")[:4]) if ":" in address else address
