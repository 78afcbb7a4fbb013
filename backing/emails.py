"""The mails of a pledge's life. Each author reads the pledge anew and stays silent when the mail is no longer true."""

from typing import Any
from uuid import UUID

from flask import current_app, url_for
from flask_babel import force_locale

from backing.expiring import ends_too_soon
from backing.fix_words import errored_words
from backing.hooks import pledge_shown
from backing.models import Pledge, PledgeState
from backing.queries import lines_of, pledge_of
from core import money
from core.db import db
from core.mail import Letter, author
from projects.models import Project
from projects.queries import why_stopped

S = PledgeState


def _letter(pledge_id: str, *states: PledgeState) -> Letter | None:
    pledge = pledge_of(UUID(pledge_id))
    if pledge is None or (states and pledge.state not in states):
        return None
    base = current_app.config["BASE_URL"]
    locale = pledge.backer.locale
    with current_app.test_request_context(base_url=base), force_locale(locale):
        context: dict[str, Any] = {}
        pledge_shown.send(pledge, context)
        context |= {
            "pledge": pledge, "project": pledge.project, "lines": lines_of(pledge),
            "total": money.show(pledge.amount, pledge.currency, locale),
            "pledge_url": base + url_for("backing.show", pledge_id=pledge.id),
            "mend_url": base + url_for("backing.payment", pledge_id=pledge.id),
            "project_url": base + url_for("projects.show", slug=pledge.project.slug),
            "picture": _picture(pledge), "lang": locale, "fix": errored_words(pledge), "stopped_why": why_stopped(pledge.project),
        }
    return Letter(pledge.backer.email, pledge.backer.name, locale, context)


def _picture(pledge: Pledge) -> str | None:
    picture = pledge.project.picture
    return current_app.config["BASE_URL"] + url_for("media.show", name=f"{picture.key}-800.webp") if picture else None


@author("backing/thanks")
def thanks(pledge_id: str) -> Letter | None:
    return _letter(pledge_id, S.PLEDGED, S.COLLECTING, S.COLLECTED, S.ERRORED)


@author("backing/changed")
def changed(pledge_id: str) -> Letter | None:
    return _letter(pledge_id, S.PLEDGED)


@author("backing/cancelled")
def cancelled(pledge_id: str) -> Letter | None:
    return _letter(pledge_id, S.CANCELLED)


@author("backing/lapsed")
def lapsed(pledge_id: str) -> Letter | None:
    return _letter(pledge_id, S.LAPSED)


@author("backing/collected")
def collected(pledge_id: str) -> Letter | None:
    return _letter(pledge_id, S.COLLECTED)


@author("backing/card_problem")
def card_problem(pledge_id: str) -> Letter | None:
    return _letter(pledge_id, S.ERRORED)


@author("backing/card_expires")
def card_expires(pledge_id: str) -> Letter | None:
    letter = _letter(pledge_id, S.PLEDGED)
    return letter if letter and ends_too_soon(letter.context["pledge"]) else None


@author("backing/dropped")
def dropped(pledge_id: str) -> Letter | None:
    return _letter(pledge_id, S.DROPPED)


@author("backing/too_late")
def too_late(pledge_id: str) -> Letter | None:
    return _letter(pledge_id, S.EXPIRED)


@author("backing/reward_gone")
def reward_gone(pledge_id: str) -> Letter | None:
    return _letter(pledge_id, S.EXPIRED)


@author("backing/run_done")
def run_done(project_id: str) -> Letter | None:
    """To the creator: what was collected and what is being mended."""
    from backing.collecting import progress

    project = db.session.get_one(Project, UUID(project_id))
    counts = progress(project.id)
    base = current_app.config["BASE_URL"]
    with current_app.test_request_context(base_url=base):
        url = base + url_for("projects.show", slug=project.slug)
    return Letter(project.creator.email, project.creator.name, project.creator.locale,
                  {"project": project, "counts": counts, "project_url": url, "lang": project.creator.locale})
