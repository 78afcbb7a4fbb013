"""The sentence at the top, and what waits for the creator: computed from facts, each with what to do next."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext as _
from flask_babel import lazy_gettext as __
from flask_babel import ngettext

from core.i18n import show_money
from insights.queries import Grid, News, S, Sum
from projects.models import Project, ProjectState

P = ProjectState
QUIET_DAYS = 7  # without an update
WORDS = (__("no"), __("one"), __("two"), __("three"), __("four"), __("five"), __("six"), __("seven"), __("eight"),
         __("nine"), __("ten"), __("eleven"), __("twelve"))


def in_words(n: int) -> str:
    """Small numbers as words, others as figures."""
    return str(WORDS[n]) if 0 <= n < len(WORDS) else str(n)


def span(until: datetime, now: datetime) -> str:
    """`nine days`, `one day`, `five hours`, `ten minutes`."""
    minutes = max(1, int((until - now).total_seconds() // 60))
    if minutes >= 48 * 60:
        n = minutes // (24 * 60)
        return ngettext("%(n)s day", "%(n)s days", n, n=in_words(n))
    if minutes >= 120:
        n = minutes // 60
        return ngettext("%(n)s hour", "%(n)s hours", n, n=in_words(n))
    return ngettext("%(n)s minute", "%(n)s minutes", minutes, n=in_words(minutes))


def headline(project: Project, total: Sum, now: datetime) -> str:
    """The page of work opens with a sentence that holds the number."""
    goal, amount = project.goal or 0, total.amount
    decided = project.raised_at_close if project.raised_at_close is not None else amount
    short = show_money(max(0, goal - (amount if project.state is P.LIVE else decided)), project.currency, exact=False)
    if project.state is P.LIVE and project.deadline and project.deadline > now:
        time = span(project.deadline, now)
        said = (_("%(time)s to go, and funded.", time=time) if amount >= goal
                else _("%(time)s and %(money)s to go.", time=time, money=short))
    elif project.state is P.LIVE:
        said = _("The deadline has passed. The sum is being settled.")
    elif project.state is P.SUCCESSFUL:
        said = ngettext("Funded: %(money)s from %(n)s backer.", "Funded: %(money)s from %(n)s backers.",
                        project.backers_at_close or total.backers, n=project.backers_at_close or total.backers,
                        money=show_money(decided, project.currency, exact=False))
    elif project.state is P.UNSUCCESSFUL:
        said = _("%(money)s short. Nobody was charged.", money=short)
    elif project.state is P.SUSPENDED:
        said = _("Suspended. Nobody can pledge for now, and nobody is charged.")
    else:
        said = _("Cancelled. Nobody was charged.")
    return said[0].upper() + said[1:]


@dataclass(frozen=True)
class Task:
    """One line of what waits: a sign, what it is, why."""

    key: str  # update · errored · stuck
    icon: str
    text: str
    why: str


def waiting(project: Project, grid: Grid, news: list[News], now: datetime) -> list[Task]:
    """What waits for the creator, most urgent first; empty is a good answer."""
    tasks = []
    if errored := grid.states.get(S.ERRORED):
        tasks.append(Task("errored", "exclamation-triangle-fill", ngettext(
            "%(n)s payment errored", "%(n)s payments errored", errored.backers,
            n=in_words(errored.backers).capitalize()),
            _("%(money)s; they were mailed a link to mend it", money=show_money(errored.amount, project.currency))))
    since = max([one.published_at for one in news] + [project.launched_at or now])
    quiet = (now - since) // timedelta(days=1)
    if project.state in (P.LIVE, P.SUCCESSFUL) and quiet >= QUIET_DAYS:
        tasks.append(Task("update", "calendar-event", ngettext(
            "No update for %(n)s day", "No update for %(n)s days", quiet, n=in_words(quiet)),
            _("backers stay with a project that tells them how it goes")))
    left = project.deadline - now if project.deadline else None
    if project.state is P.LIVE and left and timedelta() < left < timedelta(days=3) and quiet >= 1 \
            and grid.total.amount < (project.goal or 0) and not any(task.key == "update" for task in tasks):
        tasks.append(Task("update", "megaphone", _("The last days have begun"),
                          _("tell your backers what is still missing")))
    return tasks


def source_word(source: str) -> str:
    """Where a pledge came from, as a person says it; a website is named by its domain."""
    return {"share": _("Sharing links of backers"), "discover": _("Discover, on this site"),
            "search": _("Search"), "direct": _("Direct, unknown"), "rest": _("The rest")}.get(source, source)
