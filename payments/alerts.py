"""What staff must know soon: one mail to each of them, once per thing, with the page where it is settled."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from core.db import db
from core.mail import post
from people.models import Person

# What an alert says: kind → f(facts) -> (sentence, path of the page). Rooms register their own.
Words = Callable[[dict[str, str]], tuple[str, str]]
KINDS: dict[str, Words] = {}


def alert_kind(name: str) -> Callable[[Words], Words]:
    """Register the words of one kind of alert; they are made when the mail leaves, in the reader's language."""

    def register(words: Words) -> Words:
        KINDS[name] = words
        return words

    return register


def alert(kind: str, dedupe: str, **facts: Any) -> None:
    """Tell staff, inside the caller's transaction. The same kind and dedupe go out once. Facts are ids, sums, words."""
    if kind not in KINDS:
        raise LookupError(f"no words for alert {kind}")
    for person_id in db.session.scalars(sa.select(Person.id).where(Person.is_staff, Person.active)):
        post("payments/alert", dedupe=dedupe, kind=kind, person_id=person_id, **facts)
