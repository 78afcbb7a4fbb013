"""The real thing, once for all stories: gunicorn, worker, sandbox with webhooks, an SMTP server, a database of their own,
and Chromium in front of it."""

import contextlib
import email
import email.policy
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiosmtpd.controller import Controller

import config
from sandbox import testing
from sandbox.testing import Sandbox, free_port

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "four trains in a row"
# The shell is the same engine without a browser's windows around it, which cost as much time as the pages.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
         "--disable-component-update", "--disable-default-apps", "--disable-extensions", "--disable-sync",
         "--no-first-run", "--mute-audio", "--font-render-hinting=none"]


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Three groups, so that the waiting of one story is the working time of another; each worker has its own world.
    They begin first: what is long and begins last is waited for by everything."""
    stories = [item for item in items if Path(__file__).parent in item.path.parents]
    items.sort(key=lambda item: (Path(__file__).parent not in item.path.parents, "faults" not in item.path.parts))
    for item in stories:
        group = {"test_whole_life.py": "life", "test_sharing.py": "sharing",
                 "test_self_referral.py": "sharing"}.get(item.path.name, "pages")
        item.add_marker(pytest.mark.xdist_group(f"stories-{group}"))


def eventually(look: Callable[[], Any], within: float = 60, why: str = "", is_dear: bool = False) -> Any:
    """What `look` sees as soon as it sees something; the last error, or `why`, when it never does.

    A look that is dear, since it loads a page, takes the processor from what it waits for: the pauses grow."""
    pause = 0.2
    end, error = time.monotonic() + within, None
    while time.monotonic() < end:
        try:
            if seen := look():
                return seen
            error = None
        except AssertionError as wrong:
            error = wrong
        time.sleep(pause)
        pause = min(pause * 2, 1.6) if is_dear else pause
    raise error or AssertionError(f"not within {within} s: {why or look}")


class Post:
    """Every mail that left, as a mailbox would get it."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 Taken"

    def to(self, address: str, subject: str = "") -> list[Any]:
        return [mail for mail in self.mails if address in mail["To"] and re.search(subject, mail["Subject"], re.I)]

    def wait(self, address: str, subject: str = "", within: float = 60) -> str:
        """The text of the newest mail to this address with these words in its subject."""
        mail = eventually(lambda: self.to(address, subject), within,
                          f"a mail to {address} about {subject}; came: {[m['Subject'] for m in self.to(address)]}")[-1]
        return str(mail.get_body(("plain",)).get_content())


def link_in(text: str, path: str) -> str:
    """The address in a mail that leads to this path."""
    found = re.search(rf"https?://\S*{path}\S*", text)
    assert found, text
    return found[0].rstrip(".,)>")


@dataclass
class World:
    """Where everything is, and the few things that only the operator can do."""

    url: str
    app: Any
    sandbox: Sandbox
    post: Post
    database_url: str
    env: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def move(self, **span: float) -> None:
        """Move the one clock, the sandbox's along with it."""
        from core import clock

        with self.app.app_context():
            clock.move_clock(timedelta(**span))

    def account(self, name: str, address: str) -> str:
        """A confirmed account that was made some time ago; returns the address."""
        from flask_security.utils import hash_password

        from core import clock
        from core.db import transaction
        from people import services

        with self.app.app_context(), transaction():
            services.add_person(email=address, name=name, password=hash_password(PASSWORD), locale="en",
                                confirmed_at=clock.now())
        return address

    def one(self, sql: str, *values: Any) -> Any:
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(sql, values).fetchone()
        return row[0] if row and len(row) == 1 else row


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="package")
def world(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from app import create_app
    from core import postgres
    from tests.conftest import FOLDER

    admin, name = postgres.address(FOLDER, "postgres"), f"stories_{os.getpid()}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template_app STRATEGY FILE_COPY")
    address, port = postgres.address(FOLDER, name), free_port()
    post = Post()
    smtp = Controller(post, hostname="127.0.0.1", port=free_port())
    smtp.start()
    hook = f"http://127.0.0.1:{port}/webhooks/stripe"
    sandbox = testing.start(webhook_url=hook, thin_webhook_url=hook, webhook_secret=config.SANDBOX_SECRET)
    env = {"ACHTERBAN_ENV": "test", "DATABASE_URL": address, "DB_ROLE": "achterban_app", "SECRET_KEY": "k" * 40,
           "SECURITY_PASSWORD_SALT": "s" * 40, "INSTANCE": str(tmp_path_factory.mktemp("stories")), "PORT": str(port),
           "BASE_URL": f"http://localhost:{port}", "STRIPE_API_BASE": sandbox.url, "LOG_LEVEL": "WARNING",
           "SMTP_URL": f"smtp://127.0.0.1:{smtp.port}", "PYTHONUNBUFFERED": "1", "TEMPLATE_CACHE": str(FOLDER / "templates")}
    logs = Path(env["INSTANCE"]) / "log.txt"
    made = World(env["BASE_URL"], create_app(env), sandbox, post, address, env)
    with open(logs, "wb") as log:
        for command in (["gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--worker-class", "gthread",
                         "--no-control-socket", "app:create_app()"],
                        ["flask", "--app", "app", "jobs", "work"]):
            made.processes.append(subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=os.environ | env,
                                                   stdout=log, stderr=log))
    try:
        eventually(lambda: _answers(f"{made.url}/readyz"), 90, "the site answers")
        yield made
    finally:
        for process in made.processes:
            process.terminate()
        for process in made.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
        sandbox.stop()
        smtp.stop()
        words = [line for line in logs.read_text(errors="replace").splitlines() if "Traceback" in line]
        if words or os.environ.get("STORIES_LOG"):
            sys.stderr.write(logs.read_text(errors="replace")[-6000:])
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Chromium for one module: closed before tests that run an event loop of their own."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail("no Chromium on this machine; “make test” says how to get one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Visitors:
    """Opens a browser of its own for each person and remembers what went wrong in it."""

    def __init__(self, chromium: Any, world: World):
        self.chromium, self.world = chromium, world
        self.contexts: list[Any] = []
        self.wrong: list[str] = []

    def __call__(self, *, javascript: bool = True, width: int = 1280, scheme: str = "light", **more: Any) -> Any:
        context = self.chromium.new_context(
            base_url=self.world.url, java_script_enabled=javascript, viewport={"width": width, "height": 900},
            color_scheme=scheme, reduced_motion="reduce", accept_downloads=True, locale="en-GB", **more)
        context.set_default_timeout(30_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(f"{page.url}: {error}"))
        page.on("console", lambda said: self._heard(page, said))
        page.on("response", lambda answer: self._answered(answer))
        return page

    def tell(self) -> None:
        """Where everybody stood when the story broke."""
        for context in self.contexts:
            for page in context.pages:
                if not page.locator("main").count():
                    continue
                text = " ".join(page.locator("main").first.inner_text(timeout=2_000).split())
                sys.stderr.write(f"\n{page.url}\n  {text[:600]}\n")

    def _heard(self, page: Any, said: Any) -> None:
        # A refused form is a 4xx, which Chromium also writes to the console.
        if said.type == "error" and "status of 4" not in said.text:
            self.wrong.append(f"{page.url}: {said.text}")

    def _answered(self, answer: Any) -> None:
        if answer.status >= 500:
            self.wrong.append(f"{answer.url}: {answer.status}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


@pytest.fixture
def visitor(chromium: Any, world: World, request: pytest.FixtureRequest) -> Iterator[Visitors]:
    """`page = visitor(width=360)`; afterwards no page has said an error, broken the CSP or met a 500."""
    visitors = Visitors(chromium, world)
    yield visitors
    if request.node.stash.get(FAILED, False):
        visitors.tell()
    for context in visitors.contexts:
        context.close()
    assert visitors.wrong == []
