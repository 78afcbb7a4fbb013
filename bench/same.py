"""The site's own statements in other hands: as a pgbench script, as one function of the database.

They are taken from the rooms' text, so that the limit changes with the code and never drifts from it.
"""

import re
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backing import placing
from bench.ground import BACKER
from core import sessions
from payments import cards

_BIND = re.compile(r"(?<![:\w]):(\w+)")


def inlined(statement: sa.TextClause, values: dict[str, str]) -> str:
    """The statement with an SQL expression in the place of each parameter."""
    return _BIND.sub(lambda found: values[found[1]], statement.text)


def _uuid(value: UUID) -> str:
    return f"CAST('{value}' AS uuid)"


def place_script(project: UUID, reward: UUID, *, is_limited: bool = True, price: int = 2_500) -> str:
    """What `place_pledge` sends, for pgbench; every client has backers of its own."""
    values = {
        "project": _uuid(project), "reward": _uuid(reward), "backer": BACKER.format(":k"), "amount": f"CAST({price} AS bigint)",
        "bonus": "CAST(0 AS bigint)", "currency": "'EUR'::text", "token": "gen_random_uuid()", "ref": "CAST(NULL AS text)",
        "source": "'direct'::text", "locale": "'en'::text", "title": "'Signed CD 0'::text", "price": str(price),
        "minutes": "15"}
    statements = [placing.SHARE_PROJECT, placing._LOOK, placing._PLACE, *([placing._CLAIM] if is_limited else [])]
    lines = [f"{inlined(statement, values)};" for statement in statements]
    return "\n".join(["\\set n :n + 1", "\\set k :client_id * 20000 + :n", "BEGIN;", *lines, "COMMIT;", ""])


def pledge_function() -> str:
    """`bench_pledge(…)`: a whole POST of the pledge form as one function; gives the address to go to."""
    arguments: dict[str, str] = {
        "id": "a_session", "idle": "interval '12 hours'", "absolute": "interval '30 days'", "project": "v_project.id",
        "reward": "a_reward", "backer": "v_person.id", "amount": "a_price", "bonus": "CAST(0 AS bigint)", "currency": "v_seen.currency",
        "token": "a_token", "ref": "CAST(NULL AS text)", "source": "'direct'::text", "locale": "'en'::text", "title": "v_seen.title",
        "price": "a_price", "minutes": "15", "subject": "v_made.id", "person": "v_person.id"}

    def into(statement: Any, name: str) -> str:
        return f"{inlined(statement, arguments)} INTO {name};"

    return f"""
        CREATE OR REPLACE FUNCTION bench_pledge(a_session bytea, a_slug text, a_reward uuid, a_price bigint, a_token uuid)
        RETURNS text LANGUAGE plpgsql AS $$
        #variable_conflict use_column
        DECLARE v_session record; v_person person; v_project project; v_rewards bigint; v_seen record; v_made record;
                v_claimed bigint; v_customer text; v_setup record;
        BEGIN
            {into(sessions._READ, "v_session")}
            SELECT p.* FROM person p WHERE p.fs_uniquifier = v_session.content::jsonb->>'_user_id' INTO v_person;
            SELECT p.* FROM project p JOIN project_total t ON t.project_id = p.id WHERE p.slug = a_slug INTO v_project;
            SELECT count(r.title) FROM reward r LEFT JOIN picture p ON p.id = r.picture_id
             WHERE r.project_id = v_project.id INTO v_rewards;
            PERFORM {inlined(placing.SHARE_PROJECT, arguments).strip().removeprefix("SELECT ")};
            {into(placing._LOOK, "v_seen")}
            {into(placing._PLACE, "v_made")}
            SELECT stripe_id FROM stripe_customer WHERE person_id = v_person.id INTO v_customer;
            {into(cards._FORM, "v_setup")}
            UPDATE card_setup SET session_id = v_setup.id::text, url = 'https://checkout.stripe.com/c/' || v_setup.id
             WHERE id = v_setup.id;
            {into(placing._CLAIM, "v_claimed")}
            RETURN 'https://checkout.stripe.com/c/' || v_setup.id;
        END $$"""
