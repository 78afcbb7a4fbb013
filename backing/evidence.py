"""What is known of a pledge, for a bank that asks about its charge: texts to answer with, files to take along (S-69).

In English, whatever language staff read: it is for banks. Nothing of the card is in it.
"""

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import current_app, render_template
from flask_babel import force_locale
from flask_babel import gettext as _

from backing.consenting import TEXTS
from core import money
from core.db import fetch_all, fetch_one

_PLEDGE = sa.text("""
    SELECT p.id, p.number, p.state, p.amount, p.currency, p.version, p.placed_at, p.pledged_at, p.collected_at, p.project_id,
           b.name, b.email, b.created_at AS joined_at, j.title, j.slug, j.blurb, j.deadline, j.launched_at, c.name AS creator,
           r.title AS reward, r.description, r.delivery_on, s.completed_at AS card_saved_at, m.refunded
      FROM pledge p JOIN person b ON b.id = p.backer_id JOIN project j ON j.id = p.project_id
      JOIN person c ON c.id = j.creator_id LEFT JOIN reward r ON r.id = p.reward_id
      LEFT JOIN card_setup s ON s.id = p.card_id LEFT JOIN payment m ON m.id = p.payment_id
     WHERE p.id = :pledge""")
_LINES = sa.text("SELECT version, kind, title, quantity, amount FROM pledge_line WHERE pledge_id = :pledge ORDER BY id")
_CONSENTS = sa.text("""
    SELECT text_version, locale, project, amount, currency, charge_from, network, browser, given_at
      FROM consent WHERE pledge_id = :pledge ORDER BY id""")
# What the backer did, and what was done with the pledge.
_HISTORY = sa.text("""
    SELECT at, 'pledge' AS what, coalesce(from_state, '') AS was, to_state AS became,
           CASE WHEN by_id = (SELECT backer_id FROM pledge WHERE id = :pledge) THEN 'the backer'
                WHEN by_id IS NULL THEN 'the site' ELSE 'staff or creator' END AS by_whom, why
      FROM pledge_move WHERE pledge_id = :pledge
    UNION ALL
    SELECT completed_at, 'card', '', 'saved', 'the backer', 'on Stripe''s own page'
      FROM card_setup WHERE subject_id = :pledge AND completed_at IS NOT NULL
    UNION ALL
    SELECT given_at, 'consent', '', 'given', 'the backer', 'version ' || text_version FROM consent WHERE pledge_id = :pledge
    UNION ALL
    SELECT a.sent_at, 'charge', '', coalesce(a.outcome, 'no answer'),
           CASE WHEN a.is_on_session THEN 'the backer' ELSE 'the site' END, ''
      FROM payment_attempt a JOIN payment m ON m.id = a.payment_id WHERE m.subject_id = :pledge
    UNION ALL
    SELECT f.at, 'refund', f.from_state, f.to_state, '', '' FROM refund_move f JOIN refund r ON r.id = f.refund_id
      JOIN payment m ON m.id = r.payment_id WHERE m.subject_id = :pledge
    ORDER BY at""")
_MAILS = sa.text("""
    SELECT name, created_at, sent_at, state FROM mail WHERE about->>'pledge_id' = CAST(:pledge AS text) ORDER BY created_at""")
_UPDATES = sa.text("""
    SELECT u.number, u.title, u.published_at, u.body FROM project_update u JOIN pledge p ON p.project_id = u.project_id
     WHERE p.id = :pledge ORDER BY u.number""")


@dataclass(frozen=True)
class Known:
    """All of it, read once."""

    pledge: Any
    lines: list[Any]
    consents: list[Any]
    history: list[Any]
    mails: list[Any]
    updates: list[Any]


def known_of(pledge_id: UUID) -> Known | None:
    pledge = fetch_one(_PLEDGE, pledge=pledge_id)
    if pledge is None:
        return None
    read = [fetch_all(query, pledge=pledge_id) for query in (_LINES, _CONSENTS, _HISTORY, _MAILS, _UPDATES)]
    return Known(pledge, *read)


def _day(moment: Any) -> str:
    return f"{moment.day} {moment:%B %Y}" if moment else ""


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def _sum(amount: int, currency: str) -> str:
    return money.show(amount, currency, "en")


def fill_texts(pledge_id: UUID, texts: dict[str, str]) -> None:
    """Hooked to evidence_asked: Stripe's fields, as far as we know what to say; staff mend them."""
    known = known_of(pledge_id)
    if known is None:
        return
    pledge, policy = known.pledge, current_app.config["BASE_URL"] + "/refunds"
    thing = f"the reward “{pledge.reward}”" if pledge.reward else "support without a reward"
    texts |= {
        "customer_name": pledge.name,
        "customer_email_address": pledge.email,
        "product_description": "\n".join(filter(None, [
            f"A pledge of {_sum(pledge.amount, pledge.currency)} to the crowdfunding project “{pledge.title}” by "
            f"{pledge.creator}: {pledge.blurb}", f"The backer chose {thing}.",
            pledge.description or "",
            "A pledge is charged only if the project reaches its goal by its deadline, which was shown before the card "
            "was saved."])),
        "service_date": f"Estimated for {pledge.delivery_on:%B %Y}" if pledge.delivery_on else
                        f"Project funded on {_day(pledge.deadline)}",
        "access_activity_log": "\n".join(_history_line(row) for row in known.history if row.by_whom == "the backer"),
        "refund_policy_disclosure": f"The policy is linked from the foot of every page and stands at {policy}. Until the "
                                    f"deadline nothing is charged and a pledge is cancelled with one click.",
        "cancellation_policy_disclosure": "\n".join(_consent_lines(known)) or
                                          "The form says before the card is saved until when the pledge can be cancelled.",
        "uncategorized_text": summary(known),
    }


def _history_line(row: Any) -> str:
    return f"{_moment(row.at)}  {row.what}: {row.became}" + (f" by {row.by_whom}" if row.by_whom else "") + \
        (f" ({row.why})" if row.why else "")


def _consent_lines(known: Known) -> list[str]:
    return [f"{_moment(one.given_at)}: “{_consent_text(one)}” (from {one.network or 'an unknown network'})"
            for one in known.consents]


def _consent_text(one: Any) -> str:
    return TEXTS.get(one.text_version, "").format(
        charge_from=_day(one.charge_from), amount=_sum(one.amount, one.currency), project=one.project)


def summary(known: Known) -> str:
    """The whole story on a page or two, in plain text."""
    pledge = known.pledge
    lines = [f"{pledge.name} backed “{pledge.title}” by {pledge.creator} with {_sum(pledge.amount, pledge.currency)}"
             + (f" as backer {pledge.number}." if pledge.number else "."), "",
             "What was pledged"]
    lines += [f"  {row.title or 'Bonus'}: {_sum(row.amount, pledge.currency)}" for row in known.lines
              if row.version == pledge.version]
    if pledge.reward:
        lines.append(f"  Estimated delivery: {pledge.delivery_on:%B %Y}" if pledge.delivery_on else "  No date of delivery was given.")
    lines += ["", "What the backer agreed to before saving the card"]
    lines += [f"  {line}" for line in _consent_lines(known)] or ["  No record: the pledge is older than such records."]
    lines += ["", "What happened"]
    lines += [f"  {_history_line(row)}" for row in known.history]
    lines += ["", "Mails about it"]
    lines += [f"  {_moment(row.sent_at or row.created_at)}  {row.name} ({row.state})" for row in known.mails] or ["  None."]
    lines += ["", "News published by the creator"]
    lines += [f"  {_moment(row.published_at)}  {row.title}" for row in known.updates] or ["  None so far."]
    if pledge.refunded:
        lines += ["", f"Refunded so far: {_sum(pledge.refunded, pledge.currency)}"]
    return "\n".join(lines)[:20_000]


def add_files(pledge_id: UUID, files: dict[str, bytes]) -> None:
    """Hooked to bundle_asked: a summary to read, JSON for programs, tables for spreadsheets."""
    known = known_of(pledge_id)
    if known is None:
        return
    files |= {
        "summary.txt": summary(known).encode(),
        "pledge.json": json.dumps({
            "pledge": known.pledge._asdict(), "lines": [row._asdict() for row in known.lines],
            "consents": [{**row._asdict(), "text": _consent_text(row)} for row in known.consents]},
            indent=2, ensure_ascii=False, default=str).encode(),
        "history.csv": _table(("at", "what", "was", "became", "by", "why"), known.history),
        "mails.csv": _table(("mail", "written_at", "sent_at", "state"), known.mails),
        "updates.csv": _table(("number", "title", "published_at", "text"), known.updates),
        "refund-policy.txt": _policy().encode(),
    }


def _table(heads: Iterable[str], rows: Iterable[Any]) -> bytes:
    """CSV whose cells no spreadsheet takes for a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(heads)
    for row in rows:
        writer.writerow(["" if cell is None else re.sub(r"^(?=[=+\-@\t\r])", "'", str(cell)) for cell in row])
    return out.getvalue().encode()


def _policy() -> str:
    """The page about refunds as it stands, as text."""
    with current_app.test_request_context(base_url=current_app.config["BASE_URL"]), force_locale("en"):
        page = render_template("projects/refunds.html")
    main = re.search(r"<main.*?>(.*)</main>", page, re.S)
    text = re.sub(r"<[^>]+>", "", re.sub(r"</(p|h1|h2)>", "\n\n", main[1] if main else ""))
    return re.sub(r"\n\s*\n+", "\n\n", unescape(text)).strip() + "\n"


_NUMBERS = sa.text("SELECT id, number FROM pledge WHERE id = ANY(CAST(:ids AS uuid[])) AND number IS NOT NULL")


def name_subjects(names: dict[UUID, str]) -> None:
    """Hooked to subjects_asked: what pages and mails about money call a pledge."""
    for row in fetch_all(_NUMBERS, ids=list(names)):
        names[row.id] = _("Backer %(n)s", n=row.number)
