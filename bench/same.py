"""The site's own statements in other hands: as a pgbench script, as one function of the database.

They are taken from the rooms' text, so that the limit changes with the code and never drifts from it.
"""

import re
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backing import placing, queries
from bench.ground import BACKER
from core import sessions
from payments import cards
from sharing.touches import TOUCHED

_BIND = re.compile(r"(?<![:\w]):(\w+)")


def inlined(statement: sa.TextClause, values: dict[str, str]) -> str:
    """The statement with an SQL expression in the place of each parameter."""
    return _BIND.sub(lambda found: values[found[1]], statement.text)


_CHOICE = {
    "bonus": "CAST(0 AS bigint)", "currency": "'EUR'::text", "ref": "CAST(NULL AS text)", "source": "'direct'::text",
    "locale": "'en'::text", "minutes": "15", "most_holds": "3", "is_replacing": "false",
    "version": "'2026-11'::text", "network": "'203.0.113.0/24'::text", "browser": "repeat('a', 64)"}


def _uuid(value: UUID) -> str:
    return f"CAST('{value}' AS uuid)"


def place_script(project: UUID, reward: UUID, *, price: int = 2_500) -> str:
    """What `place_pledge` sends, for pgbench; every client has backers of its own."""
    values = _CHOICE | {
        "project": _uuid(project), "reward": _uuid(reward), "backer": BACKER.format(":k"), "price": f"CAST({price} AS bigint)",
        "token": "gen_random_uuid()"}
    lines = [f"{inlined(statement, values)};" for statement in (placing._LOOK, placing._PLACE)]
    return "\n".join(["\\set n :n + 1", "\\set k :client_id * 20000 + :n", *lines, ""])


def pledge_function() -> str:
    """`bench_pledge(…)`: a whole POST of the pledge form as one function; gives the address to go to."""
    arguments = _CHOICE | {
        "id": "a_session", "idle": "interval '12 hours'", "absolute": "interval '30 days'", "slug": "a_slug",
        "project": "v_project.id", "reward": "a_reward", "backer": "v_person.id", "me": "v_person.id", "codes": "'{}'",
        "price": "a_price", "token": "a_token", "session": "'cs_' || v_made.form_id", "url": "v_url"}

    def row(statement: Any, name: str) -> str:
        return f"{inlined(statement, arguments)} INTO {name};"

    def rows(statement: Any, name: str) -> str:
        return f"FOR {name} IN {inlined(statement, arguments)} LOOP NULL; END LOOP;"

    opened = inlined(cards._OPENED, arguments | {"id": "v_made.form_id"})
    return f"""
        CREATE OR REPLACE FUNCTION bench_pledge(a_session bytea, a_slug text, a_reward uuid, a_price bigint, a_token uuid)
        RETURNS text LANGUAGE plpgsql AS $$
        #variable_conflict use_column
        DECLARE v_person record; v_project record; v_touch record; v_made record; v_url text;
        BEGIN
            {row(sessions._read, "v_person")}
            {rows(queries._OFFERING, "v_project")}
            {rows(TOUCHED, "v_touch")}
            {row(placing._PLACE, "v_made")}
            v_url := 'https://checkout.stripe.com/c/' || v_made.form_id;
            {opened};
            RETURN v_url;
        END $$"""
