"""May I? Every view declares one rule; one hook asks it before the view runs (W-18).

A rule is a function of the person and the URL's parts. It returns what the view works on (left in `g.subject`), raises
NotFound for what should not be known to exist, NotAllowed otherwise. An app with a view without a rule does not start.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core.errors import NotAllowed

Check = Callable[..., Any]
RULES: dict[str, Check] = {}
# Views of libraries, by endpoint, since we cannot decorate them.
LIBRARY_RULES: dict[str, str] = {"static": "anyone", "bootstrap.static": "anyone"}


def rule(name: str) -> Callable[[Check], Check]:
    """Register a rule: `check(person, **view_args) -> subject`."""

    def register(check: Check) -> Check:
        RULES[name] = check
        return check

    return register


def allow(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a view's rule."""

    def mark(view: Callable[..., Any]) -> Callable[..., Any]:
        view.policy = name  # type: ignore[attr-defined]
        return view

    return mark


def rule_of(app: Flask, endpoint: str) -> str | None:
    return getattr(app.view_functions[endpoint], "policy", None) or LIBRARY_RULES.get(endpoint)


@rule("anyone")
def anyone(person: Any, **_view_args: Any) -> None:
    """Public pages, and webhooks, which prove themselves by signature."""


@rule("signed-in")
def signed_in(person: Any, **_view_args: Any) -> None:
    if not person.is_authenticated:
        raise SignInFirst


@rule("staff")
def staff(person: Any, **_view_args: Any) -> None:
    if not person.is_authenticated:
        raise SignInFirst
    if not person.is_staff:
        raise NotAllowed(_("This page is for the people who run this site."))


@rule("development")
def development(person: Any, **_view_args: Any) -> None:
    """Tools of the demo: their routes do not exist in production."""


class SignInFirst(Exception):
    """Nobody is signed in and the page is for somebody."""


def init_app(app: Flask) -> None:
    @app.before_request
    def ask() -> None:
        if request.endpoint is None:
            return
        name = rule_of(app, request.endpoint)
        if name is None:
            raise NotAllowed("")  # unreachable once check_rules passed; fail closed all the same
        if name != "anyone":
            g.subject = RULES[name](current_user, **(request.view_args or {}))

    @app.errorhandler(SignInFirst)
    def sign_in(_error: SignInFirst) -> Response:
        here = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("security.login", next=here))  # type: ignore[return-value]


def check_rules(app: Flask) -> None:
    """Refuse to start with a view that has no rule."""
    bare = [endpoint for endpoint in app.view_functions if rule_of(app, endpoint) not in RULES]
    if bare:
        raise RuntimeError(f"views without a rule: {', '.join(sorted(bare))}")
