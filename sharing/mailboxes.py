"""Which mailbox stands behind an address, and which addresses look made in a row (W-27).

The providers' rules are theirs, as they publish them; an address of a provider that is not here is only freed of case
and of its +tag.
"""

import re
import unicodedata
from contextlib import suppress

# Domains under which a provider serves one and the same mailbox; the first one stands for all.
SAME = (("gmail.com", "googlemail.com"), ("proton.me", "protonmail.com", "pm.me", "protonmail.ch"),
        ("icloud.com", "me.com", "mac.com"),
        ("yandex.com", "yandex.ru", "ya.ru", "yandex.by", "yandex.kz"), ("fastmail.com", "fastmail.fm"))
# Signs that mean nothing before the @.
IGNORED = {"gmail.com": ".", "proton.me": ".-_"}
_DOMAIN = {other: same[0] for same in SAME for other in same}


def one_mailbox(email: str) -> str:
    """The mailbox behind an address: no case, no +tag, no signs that mean nothing, one spelling of the domain."""
    local, domain = _parts(email)
    local = local.split("+", 1)[0] or local
    domain = _DOMAIN.get(domain, domain)
    if domain.endswith(".fastmail.com"):  # band@noor.fastmail.com is noor's as well
        local, domain = domain.removesuffix(".fastmail.com"), "fastmail.com"
    for sign in IGNORED.get(domain, ""):
        local = local.replace(sign, "")
    if domain == "yandex.com":
        local = local.replace("-", ".")
    return f"{local}@{domain}"


def stem(email: str) -> str:
    """What addresses made in a row have in common: `noor1@`, `noor.02@` and `noor_3@` of one domain. Empty if too short
    to mean anything."""
    local, _at, domain = one_mailbox(email).rpartition("@")
    bare = re.sub(r"[\d._-]+", "", local)
    return f"{bare}@{domain}" if len(bare) >= 3 and bare != local else ""


def _parts(email: str) -> tuple[str, str]:
    local, _at, domain = unicodedata.normalize("NFKC", email).strip().casefold().rpartition("@")
    domain = domain.rstrip(".")
    with suppress(UnicodeError):
        domain = domain.encode("idna").decode()  # bücher.example and xn--bcher-kva.example
    return local, domain
