"""Words and small figures for the templates of this room."""

from datetime import date, datetime, timedelta
from typing import Any

from babel.dates import format_date
from babel.numbers import get_currency_symbol
from flask import Flask, current_app
from flask_babel import gettext as _

from backing.expiring import ends_too_soon
from backing.models import Pledge, PledgeState
from core import clock, money
from core.i18n import locale_name, show_day, show_hour, show_moment

S = PledgeState


def seconds_left(until: datetime) -> int:
    return max(0, int((until - clock.now()).total_seconds()))


def may_extend(pledge: Pledge) -> bool:
    """More time is given once; whoever had it is shown no button that would refuse."""
    until, minutes = pledge.held_until, current_app.config["HOLD_MINUTES"]
    return until is not None and until <= pledge.placed_at + timedelta(minutes=minutes)


def veiled(email: str) -> str:
    """`j••••@example.org`: enough to know which one."""
    name, _at, host = email.partition("@")
    return f"{name[:1]}••••@{host}"


def month(day: date) -> str:
    return format_date(day, "LLLL y", locale=locale_name())


def smallest_text(currency: str) -> str:
    return money.show(money.SMALLEST[currency], currency, locale_name(), exact=False)


def steps_ahead(pledge: Pledge) -> list[dict[str, Any]]:
    """What happens next, from today to the reward in the post."""
    project, state = pledge.project, pledge.state
    amount = money.show(pledge.amount, pledge.currency, locale_name())
    assert project.deadline is not None
    goal = money.show(project.goal or 0, project.currency, locale_name(), exact=False)
    before = state in (S.HELD, S.PLEDGED)
    steps: list[dict[str, Any]] = [
        {"when": show_day(pledge.pledged_at or pledge.placed_at, project.zone), "done": not before, "now": before,
         "what": _("Pledged, nothing charged") if state is not S.HELD else _("Held, nothing charged")},
        {"when": show_moment(project.deadline, project.zone), "what": _("The deadline"), "done": not before,
         "text": _("If %(goal)s is met, we collect %(amount)s.", goal=goal, amount=amount) if before else
         _("The goal was met.")}]
    if not before:
        words = {S.COLLECTING: _("Your card is being charged"), S.COLLECTED: _("Paid, thank you"),
                 S.ERRORED: _("The charge waits for you")}
        steps.append({"when": show_day(pledge.collected_at, project.zone) if pledge.collected_at else "",
                      "what": words.get(state, ""), "now": True,
                      "text": _("Until %(moment)s", moment=show_moment(pledge.fix_until, project.zone))
                      if state is S.ERRORED and pledge.fix_until else ""})
    if pledge.reward:
        steps.append({"when": month(pledge.reward.delivery_on) if pledge.reward.delivery_on else "",
                      "what": pledge.reward.title, "text": _("The creator tells you more in updates.")})
    return steps


def next_line(pledge: Pledge) -> str:
    """Where a pledge stands, in one sentence that says whether money moved."""
    project, state = pledge.project, pledge.state
    if state is S.HELD:
        return _("Held until %(time)s. Save your card and it counts.",
                 time=show_hour(pledge.held_until, project.zone) if pledge.held_until else "")
    if state is S.PLEDGED:
        return _("Charged on %(day)s, if the goal is met.", day=show_day(project.deadline, project.zone)) \
            if project.deadline and project.is_live else _("The result is being counted.")
    if state is S.COLLECTING:
        return _("The goal is met. Your card is being charged.")
    if state is S.COLLECTED:
        return _("Charged on %(day)s.", day=show_day(pledge.collected_at, project.zone)) if pledge.collected_at else ""
    if state is S.ERRORED:
        return _("Nothing was charged yet. You have until %(moment)s.",
                 moment=show_moment(pledge.fix_until, project.zone)) if pledge.fix_until else _("Nothing was charged yet.")
    if state is S.REFUNDED:
        return _("What you paid went back to your card.")
    return _("Nothing was charged.")


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(
        show_hour=show_hour, may_extend=may_extend, card_ends_too_soon=ends_too_soon,
        seconds_left=seconds_left, smallest_text=smallest_text, steps_ahead=steps_ahead, next_line=next_line,
        currency_exponent=money.exponent, currency_sign=lambda code: get_currency_symbol(code, locale_name()))
    app.jinja_env.filters.update(veiled=veiled, month=month)
