"""The inspector of the house: DESIGN 2 and 4 and style 3.1 to 3.5 as laws; each law is shown to catch its breach.

A law is a function from sources to complaints, so that the same function judges our files and a breach made up here.
"""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("core", "config", "people", "projects", "rewards", "payments", "backing", "sharing", "backers", "insights",
         "demo", "sandbox")
PRIVATE = ("views", "forms", "jobs", "editor")  # drawers that only their own room opens
TOP = ("__init__", "forms", "emails", "views", "jobs", "cli", "run")
# Modules with a name of their own that stand on the top shelf, each with its reason.
TOP_BY_NATURE = {
    "projects.editor": "the second file of views",
    "people.accounts": "hands forms and mails to the login library",
    "sharing.ears": "the room's ears: what hooks bring from requests",
    "demo.seed": "fills the demo through everybody's services",
}
SHELF = {"states": -1, "models": 0, "hooks": 1, "queries": 2, "rules": 3}
COMMITS = {"core/db.py": "the one place", "migrations/env.py": "the migrations' own connection, outside the app"}
STRANGERS = ("tests/", "bench/", "docs/", "sandbox/")  # not rooms: they use the house or stand beside it


@dataclass(frozen=True)
class Source:
    """A file as the laws see it: where it stands and what it says."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def room(self) -> str:
        return self.path.split("/")[0].removesuffix(".py")

    @property
    def drawer(self) -> str:
        return Path(self.path).stem

    @property
    def is_top(self) -> bool:
        return kind(self.drawer) in TOP or self.module in TOP_BY_NATURE

    @property
    def is_strange(self) -> bool:
        return self.path.startswith(STRANGERS)

    def imports(self) -> Iterator[tuple[int, str]]:
        """Every module named by an import, inside functions too; `from a import b` names both a and a.b."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                package = self.path.split("/")[:-1]
                base = ".".join([*package[:len(package) + 1 - node.level], node.module or ""]).strip(".") \
                    if node.level else node.module or ""
                yield node.lineno, base
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


@cache
def tracked() -> tuple[str, ...]:
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    paths = listing.stdout.splitlines() if listing.returncode == 0 else [
        str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()
        and not re.match(r"(\.\w|instance/|.*__pycache__)", str(path.relative_to(ROOT)))]
    return tuple(path for path in paths if (ROOT / path).is_file())


@cache
def read(*endings: str) -> tuple[Source, ...]:
    return tuple(Source(path, (ROOT / path).read_text()) for path in tracked() if path.endswith(endings))


def floor_of(room: str) -> int | None:
    from app import FLOORS

    return next((n for n, floor in enumerate(FLOORS) if room in floor), None)


def room_in(name: str) -> str | None:
    first = name.split(".")[0]
    return first if first in ROOMS else None


# The laws --------------------------------------------------------------------------------------------

def imports_point_down(sources: tuple[Source, ...]) -> list[str]:
    """A room imports itself and lower floors; the sandbox stands apart; `app` is the roof."""
    found = []
    for source in sources:
        if source.path.startswith(("tests/", "bench/", "docs/", "migrations/")) or source.path == "app.py":
            continue
        for line, name in source.imports():
            target = room_in(name)
            if name.split(".")[0] in ("app", "tests", "bench"):
                found.append(f"{source.path}:{line} imports {name}")
            if target is None or target == source.room or (target == "config" and source.room != "sandbox"):
                continue
            here, there = floor_of(source.room), floor_of(target)
            if here is None or there is None or there >= here:
                found.append(f"{source.path}:{line} imports {name}")
    return found


def drawers_stay_shut(sources: tuple[Source, ...]) -> list[str]:
    """Nobody opens another room's views, forms or jobs."""
    return [f"{source.path}:{line} opens {name}" for source in sources if not source.is_strange
            for line, name in source.imports()
            if room_in(name) not in (None, source.room, "core") and len(name.split(".")) > 1
            and name.split(".")[1] in PRIVATE]


def kind(drawer: str) -> str:
    """`views_books` is of the kind `views`."""
    return drawer if drawer.startswith("_") else drawer.split("_")[0]


def rank(drawer: str, module: str) -> int:
    return 5 if kind(drawer) in TOP or module in TOP_BY_NATURE else SHELF.get(drawer, 4)


def shelves_in_order(sources: tuple[Source, ...]) -> list[str]:
    """states ← models ← hooks ← queries ← rules ← services and their like ← forms, emails, views, jobs, cli."""
    found = []
    modules = {source.module for source in read(".py")}
    for source in sources:
        if source.is_strange or source.room not in ROOMS or source.room == "core" or "/" not in source.path:
            continue
        if "/" in source.path.split("/", 1)[1]:
            continue  # a folder inside a room (the demo's pictures and texts) has no shelf
        for line, name in source.imports():
            if room_in(name) != source.room or name not in modules or name == source.room:
                continue
            if rank(name.split(".")[1], name) > rank(source.drawer, source.module):
                found.append(f"{source.path}:{line} reaches up to {name}")
    return found


def one_gateway(sources: tuple[Source, ...]) -> list[str]:
    return [f"{source.path}:{line} imports {name}" for source in sources
            if not source.is_strange and source.path != "payments/gateway.py"
            for line, name in source.imports() if name.split(".")[0] == "stripe"]


def one_commit(sources: tuple[Source, ...]) -> list[str]:
    return [f"{source.path}:{node.lineno} commits" for source in sources
            if not source.is_strange and source.path not in COMMITS
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"]


def services_know_no_request(sources: tuple[Source, ...]) -> list[str]:
    return [f"{source.path}:{line} knows {name}" for source in sources
            if not source.is_strange and source.room not in ("core", "app", "migrations") and not source.is_top
            for line, name in source.imports()
            if name in ("flask.request", "flask.session", "flask_login.current_user")]


def every_queue_is_worked(sources: tuple[Source, ...]) -> list[str]:
    from core.jobs import QUEUES

    found = []
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "task":
                found += [f"{source.path}:{node.lineno} uses queue {word.value.value}" for word in node.keywords
                          if word.arg == "queue" and isinstance(word.value, ast.Constant)
                          and word.value.value not in QUEUES]
    return found


FORBIDDEN = {"donation", "donations", "perk", "perks", "contribution", "contributions", "util", "utils", "helper",
             "helpers", "manager", "managers", "data", "info"}
DEMANDED = {"data_received", "handle_DATA"}  # names that asyncio and aiosmtpd call


def words_of(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def plain_names(sources: tuple[Source, ...]) -> list[str]:
    """DESIGN 4. `order` is no noun of ours, but things stand in order; customer is Stripe's word."""
    found = []
    for source in sources:
        names = [(1, part) for part in source.path.removesuffix(".py").split("/")]
        names += [(node.lineno, node.name) for node in ast.walk(source.tree)
                  if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                  and node.name not in DEMANDED]
        for line, name in names:
            words = words_of(name)
            wrong = FORBIDDEN & set(words)
            if "order" in words and not (name.startswith("test_") or re.search(r"(in|sort|of)_order|order_by", name)):
                wrong |= {"order"}
            if "orders" in words:
                wrong |= {"orders"}
            if {"customer", "customers"} & set(words) and not source.path.startswith(("payments/", "sandbox/", "tests/")):
                wrong |= {"customer"}
            found += [f"{source.path}:{line} says {word} in {name}" for word in wrong]
    return found


def read_in_one_sitting(sources: tuple[Source, ...]) -> list[str]:
    return [f"{source.path} has {lines} lines" for source in sources
            if (lines := source.text.count("\n")) > 450 and "/vendor/" not in source.path]


_REGISTRIES = ("pypi" + ".org", "pythonhosted" + ".org", "npm" + "js", "artifact" + "ory", "--index" + "-url",
               "--extra-index" + "-url")
_MACHINE = re.compile(r"(?<![\w.}>\"'])/(?:" + "work|home|root|Users|tmp" + r")/[\w.]")


def of_no_machine(sources: tuple[Source, ...]) -> list[str]:
    """No registry's address and no path of somebody's machine."""
    found = []
    for source in sources:
        for n, line in enumerate(source.text.splitlines(), 1):
            if any(word in line for word in _REGISTRIES) or _MACHINE.search(line):
                found.append(f"{source.path}:{n} {line.strip()[:80]}")
    return found


def nothing_inline(sources: tuple[Source, ...]) -> list[str]:
    """The CSP has no nonce: scripts and styles are files. Mail programs know no files, so mails are exempt."""
    found = []
    for source in sources:
        if source.path.startswith(("templates/mail/", "sandbox/")):
            continue
        text = re.sub(r"\{#.*?#\}", lambda comment: "\n" * comment[0].count("\n"), source.text, flags=re.S)
        for match in re.finditer(r"<script(?![^>]*\ssrc=)[^>]*>|<style|\sstyle=[\"']|\son\w+=[\"']", text):
            found.append(f"{source.path}:{text[:match.start()].count(chr(10)) + 1} {match[0].strip()}")
    return found


def every_mail_is_whole(mails: dict[str, set[str]], authors: set[str]) -> list[str]:
    whole = {"subject.txt", "body.txt", "body.html"}
    found = [f"{name} lacks {file}" for name, files in mails.items() for file in sorted(whole - files)]
    found += [f"{name} has no author" for name in mails if name not in authors]
    return found + [f"{name} has an author and no words" for name in authors if name not in mails]


def a_chain(steps: list[tuple[str, str, str | None]]) -> list[str]:
    """Migrations: (file, revision, the one before); numbered without gaps, each on the one before."""
    found, before = [], None
    for n, (file, revision, down) in enumerate(sorted(steps), 1):
        if not file.startswith(f"{n:04}_") or down != before:
            found.append(f"{file} is not number {n} after {before}")
        before = revision
    return found


def moves_cover(name: str, states: set[str], start: str, moves: dict[str, set[str]]) -> list[str]:
    """Every state but the first is reached, and every move leads from and to a state."""
    reached = {start} | {to for ends in moves.values() for to in ends}
    return [f"{name}: {state} is never reached" for state in sorted(states - reached)] + \
           [f"{name}: {state} is no state" for state in sorted((reached | set(moves)) - states)]


# The inspection --------------------------------------------------------------------------------------

BREACHES: list[tuple[Callable[[tuple[Source, ...]], list[str]], tuple[str, ...], Source]] = [
    (imports_point_down, (".py",), Source("people/services.py", "def f():\n    from backing.models import Pledge")),
    (imports_point_down, (".py",), Source("rewards/services.py", "import payments.cards")),
    (imports_point_down, (".py",), Source("sandbox/shapes.py", "from core import money")),
    (drawers_stay_shut, (".py",), Source("backing/services.py", "from rewards import forms")),
    (drawers_stay_shut, (".py",), Source("sharing/ears.py", "from backing.views import bp")),
    (shelves_in_order, (".py",), Source("rewards/models.py", "from rewards import queries")),
    (shelves_in_order, (".py",), Source("backing/queries.py", "from backing.placing import release")),
    (shelves_in_order, (".py",), Source("backing/placing.py", "from backing.forms import PledgeForm")),
    (one_gateway, (".py",), Source("payments/cards.py", "def f():\n    import stripe")),
    (one_commit, (".py",), Source("backing/views.py", "db.session.commit()")),
    (services_know_no_request, (".py",), Source("backing/placing.py", "from flask import request")),
    (services_know_no_request, (".py",), Source("people/queries.py", "from flask_login import current_user")),
    (every_queue_is_worked, (".py",), Source("backing/jobs.py", "@task('backing:f', queue='slow')\ndef f(): ...")),
    (plain_names, (".py",), Source("backing/utils.py", "")),
    (plain_names, (".py",), Source("backing/placing.py", "class PledgeManager: ...")),
    (plain_names, (".py",), Source("backing/placing.py", "def place_order(): ...")),
    (read_in_one_sitting, (".py", ".html", ".css", ".js"), Source("core/long.py", "\n" * 451)),
    (of_no_machine, (".py", ".html", ".css", ".js", ".md", ".toml", ".lock", ".in", "Makefile", "Procfile", ".sh",
                     ".env", ".yml", ".run"), Source("README.md", "see " + "/ho" + "me/noor/achterban")),
    (of_no_machine, (".md",), Source("requirements.lock", "--index" + "-url https://mirror.example")),
    (nothing_inline, (".html",), Source("templates/a.html", "<p>\n<b style=\"color:red\">")),
    (nothing_inline, (".html",), Source("templates/a.html", "<script>alert(1)</script>")),
]


@pytest.mark.parametrize("law", dict.fromkeys(law for law, _, _ in BREACHES), ids=lambda law: law.__name__)
def test_the_house_keeps_the_law(law):
    endings = max((of for kept, of, _ in BREACHES if kept is law), key=len)
    assert law(read(*endings)) == []


@pytest.mark.parametrize(("law", "breach"), [(law, breach) for law, _, breach in BREACHES],
                         ids=lambda part: part.__name__ if callable(part) else part.path)
def test_the_law_catches_its_breach(law, breach):
    assert law((breach,))


def test_the_drawing_names_every_room(session_app):
    import app

    drawn = {room for floor in app.FLOORS for room in floor}
    assert drawn | {"sandbox"} == set(ROOMS)
    assert [room.__name__ for room in app.ROOMS] == [room for floor in app.FLOORS for room in floor if room != "config"]


def test_foreign_keys_point_down(session_app):
    from core.db import db

    room_of = {mapper.local_table.name: mapper.class_.__module__.split(".")[0] for mapper in db.Model.registry.mappers}
    found = [f"{table.name} → {key.column.table.name}" for table in db.metadata.tables.values()
             for key in table.foreign_keys
             if (here := room_of.get(table.name)) != (there := room_of.get(key.column.table.name))
             and floor_of(here) <= floor_of(there)]
    assert found == []
    assert floor_of("people") < floor_of("backing")


def test_models_match_migrations(session_app, database_url):
    """What the models say is what the migrations made: no table, column, index, or key more or less."""
    import sqlalchemy as sa
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from core.db import db, sqlalchemy_url

    def ours(_object, name, kind, _reflected, _other):
        return not (kind == "table" and (name.startswith("procrastinate") or name in ("alembic_version", "clock")))

    engine = sa.create_engine(sqlalchemy_url(database_url), poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
        assert compare_metadata(context, db.metadata) == []
        extra = sa.Table("spare", sa.MetaData(), sa.Column("id", sa.Integer))
        extra.to_metadata(other := sa.MetaData())
        assert compare_metadata(MigrationContext.configure(connection), other)


def test_migrations_are_a_numbered_chain():
    steps = []
    for path in (ROOT / "migrations" / "versions").glob("*.py"):
        text = path.read_text()
        revision = re.search(r'^revision\b[^=]*=\s*"(.+?)"', text, re.M)
        down = re.search(r'^down_revision\b[^=]*=\s*(?:"(.+?)"|None)', text, re.M)
        assert revision and down, path.name
        steps.append((path.name, revision[1], down[1]))
    assert a_chain(steps) == []
    assert a_chain([("0001_a.py", "0001", None), ("0003_b.py", "0003", "0001")])
    assert a_chain([("0001_a.py", "0001", None), ("0002_b.py", "0002", None)])


def test_migrations_import_no_room():
    found = [f"{source.path}:{line} {name}" for source in read(".py") if source.path.startswith("migrations/versions/")
             for line, name in source.imports() if room_in(name)]
    assert found == []


def test_every_mail_has_its_files_and_an_author(session_app):
    from core import mail

    folder = ROOT / "templates" / "mail"
    mails = {str(place.parent.relative_to(folder)): {file.name for file in place.parent.iterdir()}
             for place in folder.glob("*/*/*")}
    assert every_mail_is_whole(mails, set(mail.AUTHORS)) == []
    assert every_mail_is_whole({"a/b": {"subject.txt", "body.txt"}}, {"a/b"})
    assert every_mail_is_whole({"a/b": {"subject.txt", "body.txt", "body.html"}}, set())


def test_moves_cover_every_state(session_app):
    from core.states import Stateful

    found, seen = [], 0
    for model in Stateful.__subclasses__():
        seen += 1
        states = next(iter(model.MOVES)).__class__
        found += moves_cover(model.__name__, {s.value for s in states}, next(iter(states)).value,
                             {s.value: {to.value for to in ends} for s, ends in model.MOVES.items()})
    assert found == [] and seen >= 3
    assert moves_cover("Shirt", {"new", "worn", "lost"}, "new", {"new": {"worn"}})
    assert moves_cover("Shirt", {"new"}, "new", {"new": {"torn"}})


def test_every_view_has_a_rule(session_app):
    from core import policy

    policy.check_rules(session_app)
    assert [end for end in session_app.view_functions if policy.rule_of(session_app, end) is None] == []
    session_app.view_functions["bare"] = lambda: ""
    try:
        with pytest.raises(RuntimeError, match="bare"):
            policy.check_rules(session_app)
    finally:
        del session_app.view_functions["bare"]


def test_one_version_of_stripe_is_spoken():
    from stripe._api_version import _ApiVersion

    import config
    import sandbox

    assert config.STRIPE_VERSION == sandbox.API_VERSION == _ApiVersion.CURRENT


def test_reasons_are_given_for_what_still_exists():
    modules = {source.module for source in read(".py")}
    assert [name for name in TOP_BY_NATURE if name not in modules] == []
    assert [path for path in COMMITS if not (ROOT / path).exists()] == []
