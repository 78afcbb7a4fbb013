"""What a backer agreed to before a card was saved: kept as it was given, with the least that proves it (S-23)."""

import hashlib
import ipaddress
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from core.db import ask

TEXT_VERSION = "2026-11"
# The sentences beside the button, by version; a new wording is a new version, and old ones stay for what they proved.
TEXTS = {
    "2026-11": "Nothing is charged today. On {charge_from}, if the goal is met, we collect what you pledged: {amount} "
               "for “{project}”. Until then you can change or cancel it here.",
}

@dataclass(frozen=True)
class Consent:
    """The least that proves it: which wording, from which network, by which browser (a hash)."""

    version: str
    network: str
    browser: str


def consent_from(address: str | None, browser: str) -> Consent:
    return Consent(TEXT_VERSION, network_of(address), hashlib.sha256(browser.encode()).hexdigest() if browser else "")


_GIVE = sa.text("""
    INSERT INTO consent (pledge_id, project_id, text_version, locale, project, amount, currency, charge_from, network, browser)
    SELECT p.id, p.project_id, :version, :locale, j.title, p.amount, p.currency, j.deadline, :network, :browser
      FROM pledge p JOIN project j ON j.id = p.project_id WHERE p.id = :pledge""")


def give_consent(pledge_id: UUID, consent: Consent, locale: str) -> None:
    """Write down that this pledge, as it stands now, may be charged: before a card's form opens again, and when the sum
    changes. The first consent is written with the pledge itself (`placing`)."""
    ask(_GIVE, pledge=pledge_id, version=consent.version, locale=locale, network=consent.network, browser=consent.browser)


def network_of(address: str | None) -> str:
    """The visitor's network, not the visitor: `203.0.113.0/24`, `2001:db8:1::/48`; empty when it is not known."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))
