"""A collection in words: where it stands, why it rests, what its chart says. Codes are for staff alone (S-37)."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal as format_number
from flask_babel import gettext as _
from flask_babel import ngettext

from backing.run_queries import Counts, Errored, Point, Run
from backing.running import DECLINES, REQUESTS
from core import audit
from core.i18n import locale_name, show_day
from payments.declines import AUTHENTICATE, CALL_BANK, NEW_CARD
from payments.safety import look


def headline(run: Run) -> str:
    if run.is_paused:
        return _("The collection is paused.")
    if run.is_moving and run.counts.left:
        return ngettext("%(n)s pledge is still to charge.", "%(n)s pledges are still to charge.", run.counts.left,
                        n=format_number(run.counts.left, locale=locale_name()))
    if run.counts.needs_action + run.counts.waiting:
        return ngettext("%(n)s charge is being mended.", "%(n)s charges are being mended.",
                        run.counts.needs_action + run.counts.waiting, n=run.counts.needs_action + run.counts.waiting)
    return _("Everything is collected.") if run.counts.succeeded else _("The collection is done.")


def reason(run: Run, *, for_staff: bool) -> str:
    """Why it is paused, in plain words; empty when it is not."""
    if not run.is_paused:
        return _("Money-safe mode is on: nothing is charged anywhere until staff release it.") \
            if run.is_moving and look().is_safe_mode else ""
    facts = next((entry.facts for entry in audit.entries("project", run.project_id)
                  if entry.action == "backing:pause_run"), {})
    if run.why == DECLINES:
        said = _("Far more charges than usual were refused at once, so it is not the cards. Nobody is dropped meanwhile.")
    elif run.why == REQUESTS:
        said = _("Stripe did not accept our requests. It is nobody's card, and no backer was told that it is.")
    elif facts.get("said"):
        said = _("Paused by the people who run this site: %(why)s", why=facts["said"])
    else:
        said = _("Paused by the people who run this site.")
    return f"{said} ({facts['code']})" if for_staff and facts.get("code") else said


def ends_in(moment: datetime, now: datetime) -> str:
    return format_timedelta(max(moment - now, timedelta(seconds=1)), locale=locale_name(), threshold=1.2)


def short_moment(moment: datetime, zone: str) -> str:
    """`29 Nov, 02:55`, in the project's zone: for tables."""
    return format_datetime(moment.astimezone(ZoneInfo(zone)), "d MMM, HH:mm", locale=locale_name())


def act_word(action: str) -> str:
    return {"backing:pause_run": _("Paused"), "backing:resume_run": _("Went on")}.get(action, action)


def act_reasons(facts: dict[str, Any]) -> list[str]:
    """Why it was paused, for staff: what pulled the brake, Stripe's code, and what somebody typed."""
    brake = {DECLINES: _("too many refusals"), REQUESTS: _("Stripe did not accept our requests")}.get(facts.get("why", ""))
    return [said for said in (brake, facts.get("code"), facts.get("said")) if said]


def parts(counts: Counts) -> list[tuple[str, str, int, str]]:
    """Key, word, number and what it means, in the order of a pledge's way."""
    return [
        ("to_charge", _("To charge"), counts.to_charge, _("not asked for yet")),
        ("sending", _("Sending"), counts.sending, _("asked for in this moment")),
        ("unknown", _("Unknown"), counts.unknown, _("no answer yet; we ask Stripe until we know")),
        ("succeeded", _("Succeeded"), counts.succeeded, _("charged")),
        ("needs_action", _("Needs action"), counts.needs_action, _("waits for its backer")),
        ("waiting", _("Waiting for a retry"), counts.waiting, _("tried again by itself")),
        ("dropped", _("Dropped"), counts.dropped, _("not mended in time; nothing was charged")),
        ("refunded", _("Refunded"), counts.refunded, _("charged, and sent back")),
    ]


def kind_word(pledge: Errored) -> str:
    """What is waited for: four words, whatever the bank said."""
    if pledge.kind == AUTHENTICATE:
        return _("The bank wants to see the backer")
    if pledge.kind == NEW_CARD:
        return _("Another card is needed")
    if pledge.kind == CALL_BANK:
        return _("The backer asks the bank")
    return _("May work later")


def chart(run: Run, points: list[Point]) -> dict[str, Any]:
    """The arguments of the line chart: paid pledges from the start of the run on."""
    first, last = points[0].at, points[-1].at
    span = max(1.0, (last - first).total_seconds())
    is_short = span < 2 * 86_400

    def said(moment: datetime) -> str:
        local = moment.astimezone(ZoneInfo(run.zone))
        return local.strftime("%H:%M:%S" if span < 600 else "%H:%M") if is_short else show_day(moment, run.zone)

    top = run.counts.whole
    now = ngettext("%(n)s charged", "%(n)s charged", points[-1].collected, n=points[-1].collected)
    return {
        "points": [{"x": (p.at - first).total_seconds() / span, "value": p.collected, "label": said(p.at),
                    "text": str(p.collected)} for p in points],
        "goal": top, "goal_text": [_("All"), str(top)], "title": _("Charged pledges over time; %(now)s", now=now),
        "y_ticks": [(0, "0")], "x_ticks": [(0, said(first)), (1, said(last))], "today_text": now}
