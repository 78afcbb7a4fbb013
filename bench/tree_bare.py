"""The limits of one backer's tree page: what it must read, by the best statements for it, and a page made of that.

`read` is three prepared statements on a connection that lies ready, rows as they come. `bare()` is Flask with nothing
around it, which looks up the session and the project, reads the same and makes a page of the same size with Jinja.
"""

import hashlib
import os
from typing import Any
from uuid import UUID

import psycopg
import psycopg_pool
from flask import Flask, request

SHOWN, ON_BRANCH = 21, 3  # as many as the page shows, and one to know whether there are more

BELOW = """
    SELECT cardinality(path) - array_position(path, %(n)s) + 1 AS step, count(*), sum(tallied_amount) FROM recruit
     WHERE path @> ARRAY[CAST(%(n)s AS integer)] AND tallied_state IN ('pledged', 'collected') GROUP BY 1"""
_OWN = """
    SELECT l.id, l.n, l.project_id, p.name, t.recruits, t.pledged, t.further_recruits, t.further_pledged, path_of(l.project_id, l.person_id)
      FROM share_link l JOIN person p ON p.id = l.person_id LEFT JOIN link_tally t ON t.link_id = l.id
     WHERE l.project_id = %(project)s AND l.person_id = %(person)s"""
_SHOWN = """
    SELECT r.link_id, o.id, o.n, p.name, r.tallied_amount, t.recruits, t.further_recruits
      FROM {source} (SELECT * FROM recruit r WHERE r.link_id = {link} AND r.tallied_state IN ('pledged', 'collected')
                      ORDER BY r.at LIMIT {most}) r
      JOIN share_link o ON o.project_id = r.project_id AND o.person_id = r.backer_id
      JOIN person p ON p.id = r.backer_id LEFT JOIN link_tally t ON t.link_id = o.id ORDER BY r.at"""
_CHILDREN = _SHOWN.format(source="", link="%(link)s", most=SHOWN)
_BRANCHES = _SHOWN.format(source="unnest((SELECT %(links)s::uuid[])) u (link), LATERAL", link="u.link", most=ON_BRANCH)


def read(db: psycopg.Connection[Any], project: UUID, person: UUID) -> tuple[Any, list[Any], list[Any], list[Any]]:
    """One's own link, whom it brought, the first of whom they brought, and all further ones by steps."""
    def ask(sql: str, **values: Any) -> list[Any]:
        return db.execute(sql, values, prepare=True).fetchall()

    own = ask(_OWN, project=project, person=person)[0]
    children = ask(_CHILDREN, link=own[0])
    branches = ask(_BRANCHES, links=[row[1] for row in children if row[5]])
    return own, children, branches, ask(BELOW, n=own[1])


PAGE = """<!doctype html><html lang="en"><head><title>{{ title }}</title></head><body><h1>{{ own[3] }} brought {{ own[4] }} and {{ own[6] }}</h1>
<svg>{% for row in children %}<circle r="22"/><text>{{ row[3] }}</text><text>{{ row[4] }}, brought {{ row[5] }} + {{ row[6] }}</text>{% endfor %}
{% for row in branches %}<circle r="14"/><text>{{ row[3] }}</text><text>{{ row[4] }}, brought {{ row[5] }} + {{ row[6] }}</text>{% endfor %}</svg>
<ul>{% for row in children %}<li><a href="?at={{ row[2] }}">{{ row[3] }}</a> {{ row[4] }}, brought {{ row[5] }} + {{ row[6] }}<ul>
{% for leaf in branches if leaf[0] == row[1] %}<li><a href="?at={{ leaf[2] }}">{{ leaf[3] }}</a> {{ leaf[4] }}</li>{% endfor %}</ul></li>{% endfor %}</ul>
<table>{% for row in steps %}<tr><th>{{ row[0] }}</th><td>{{ row[1] }}</td><td>{{ row[2] }}</td></tr>{% endfor %}</table>{{ filler }}</body></html>"""


def bare() -> Flask:
    app = Flask(__name__)
    pool: psycopg_pool.ConnectionPool[Any] = psycopg_pool.ConnectionPool(
        os.environ["DATABASE_URL"], min_size=1, max_size=4, open=True, kwargs={"autocommit": True, "prepare_threshold": 1})
    page = app.jinja_env.from_string(PAGE)

    @app.get("/projects/<slug>/tree")
    def tree(slug: str) -> str:
        sid = hashlib.sha256(request.cookies.get("__Host-session", "").encode()).digest()
        with pool.connection() as db:
            [person] = db.execute("SELECT person_id FROM web_session WHERE id_hash = %s", [sid]).fetchone() or [None]
            [project, title] = db.execute("SELECT id, title FROM project WHERE slug = %s", [slug]).fetchone() or [None, ""]
            own, children, branches, steps = read(db, project, person)
        filled = page.render(title=title, own=own, children=children, branches=branches, steps=steps, filler="")
        want = int(request.headers.get("X-Bytes", "0"))
        return filled + "x" * max(0, want - len(filled.encode()))

    return app
