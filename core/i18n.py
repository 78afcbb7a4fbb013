"""Language, dates and amounts as a person reads them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, get_timezone_location
from babel.numbers import format_decimal
from flask import Flask, Response, current_app, g, has_request_context, request
from flask_babel import Babel, get_locale, ngettext
from flask_babel import gettext as _
from jinja2 import Environment, pass_environment, pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from core import clock, markdown, money

COOKIE = "lang"
babel = Babel()


def choose_locale() -> str:
    """What the visitor chose (link or cookie), else the browser's, else the default."""
    languages = current_app.config["LANGUAGES"]
    if not has_request_context():  # a job, a command
        return str(current_app.config["BABEL_DEFAULT_LOCALE"])
    for choice in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if choice in languages:
            return str(choice)
    return request.accept_languages.best_match(languages) or str(current_app.config["BABEL_DEFAULT_LOCALE"])


def locale_name() -> str:
    # Asked a hundred times a page: where Flask-Babel keeps its answer, looked at once instead of five times.
    known = getattr(getattr(g, "_flask_babel", None), "babel_locale", None) if g else None
    known = known or get_locale()
    return str(known.language) if known else "en"


def show_money(amount: int | None, currency: str, exact: bool = True) -> str:
    return "" if amount is None else money.show(amount, currency, locale_name(), exact=exact)


@pass_environment
def show_number(environment: Environment, number: int | float | Decimal) -> str:
    """Filter `numberformat`; the templates know their language (core/templates.py), so it need not be asked for."""
    return _number(number, getattr(environment, "language", "") or locale_name())


@lru_cache(10_000)
def _number(number: int | float | Decimal, locale: str) -> str:
    return format_decimal(number, locale=locale)


def show_day(moment: datetime, zone: str = "UTC") -> str:
    """`30 November 2026`, in the project's zone."""
    return _day(moment.astimezone(ZoneInfo(zone)).date(), locale_name())


@lru_cache(1_000)
def _day(day: date, locale: str) -> str:
    return format_date(day, "d MMMM y", locale=locale)


def show_moment(moment: datetime, zone: str = "UTC", *, name_zone: bool = True) -> str:
    """`Monday 30 November 2026 at 20:00 (Amsterdam time)`; the zone is named, since deadlines cost money (C-16)."""
    return _moment(moment, zone, locale_name(), name_zone)


@lru_cache(1_000)
def _moment(moment: datetime, zone: str, locale: str, name_zone: bool) -> str:
    local = moment.astimezone(ZoneInfo(zone))
    at = _("%(day)s at %(hour)s", day=format_datetime(local, "EEEE d MMMM y", locale=locale), hour=f"{local:%H:%M}")
    if not name_zone:
        return at
    return _in_zone(at, zone, locale)


def show_hour(moment: datetime, zone: str) -> str:
    """`20:47 (Amsterdam time)`: of today, so the day need not be said."""
    return _in_zone(f"{moment.astimezone(ZoneInfo(zone)):%H:%M}", zone, locale_name())


def _in_zone(at: str, zone: str, locale: str) -> str:
    if zone == "UTC":
        return f"{at} UTC"
    place = _("%(place)s time", place=get_timezone_location(zone, locale=locale, return_city=True))
    return f"{at} ({place})"


def show_left(until: datetime) -> str:
    """Time left in one unit: `9 days left`, `5 hours left`, `ended`."""
    seconds = (until - clock.now()).total_seconds()
    if seconds <= 0:
        return _("ended")
    if seconds >= 2 * 86400:
        days = int(seconds // 86400)
        return ngettext("%(num)s day left", "%(num)s days left", days)
    if seconds >= 2 * 3600:
        return ngettext("%(num)s hour left", "%(num)s hours left", int(seconds // 3600))
    return ngettext("%(num)s minute left", "%(num)s minutes left", max(1, int(seconds // 60)))


def language_link(code: str) -> str:
    """This same page in the other language."""
    args: dict[str, Any] = {**request.args.to_dict(), "lang": code}
    return f"{request.path}?{urlencode(args)}"


_phrases: dict[tuple[str, str], str] = {}


@pass_eval_context
def phrase(context: EvalContext, text: str, **variables: Any) -> str:
    """`_()` of the templates: as Flask-Babel's, but it looks a phrase up once per language. A page has a hundred."""
    key = (locale_name(), text)
    found = _phrases.get(key)
    if found is None:
        found = _phrases[key] = _(text)
    marked = Markup(found) if context.autoescape else found  # noqa: S704 -- ours, and what is put in is escaped
    return marked % variables


def init_app(app: Flask) -> None:
    babel.init_app(app, locale_selector=choose_locale, timezone_selector=lambda: "UTC")
    app.jinja_env.globals.update(gettext=phrase, _=phrase)
    app.jinja_env.filters.update(money=show_money, numberformat=show_number, day=show_day, moment=show_moment,
                                 time_left=show_left, markdown=markdown.render, plain=markdown.plain)
    app.jinja_env.globals.update(locale_name=locale_name, language_link=language_link, now=clock.now, UTC=UTC)

    @app.after_request
    def remember_language(response: Response) -> Response:
        kept = response.cache_control.public  # by whoever passes it on, so it carries nobody's cookie
        if request.args.get("lang") in app.config["LANGUAGES"] and request.endpoint != "static" and not kept:
            response.set_cookie(COOKIE, request.args["lang"], max_age=365 * 86400, path="/", samesite="Lax",
                                httponly=True, secure=app.config["SESSION_COOKIE_SECURE"])
        return response
