"""O-11: a web process that is told to stop, or killed, in the middle of a pledge."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

import pytest
from flask_security.utils import hash_password

from core.db import db
from sandbox.testing import free_port
from tests.conftest import ROOT
from tests.factories import check_money, make_person, make_project, make_reward, scalar

PASSWORD = "four trains in a row"


class Site:
    """gunicorn as the Procfile starts it, and one person's browser."""

    def __init__(self, env, port=None):
        self.port, self.cookies = port or free_port(), {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "--workers", "1", "--threads", "4",
             "--worker-class", "gthread", "--graceful-timeout", "30", "--no-control-socket", "app:create_app()"], cwd=ROOT,
            env={**os.environ, **env, "BASE_URL": f"http://127.0.0.1:{self.port}"}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not self.is_open():
            assert self.process.poll() is None and time.monotonic() < end, "the site does not start"
            time.sleep(0.1)

    def is_open(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, method, path, form=None):
        """The status, the place it sends to and the text; ConnectionError or HTTPException when nothing came back."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), "Host": f"127.0.0.1:{self.port}",
                   "Content-Type": "application/x-www-form-urlencoded", "Referer": f"http://127.0.0.1:{self.port}{path}"}
        line.request(method, path, urllib.parse.urlencode(form) if form else None, headers)
        answer = line.getresponse()
        for header in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.headers.get("Location", ""), answer.read().decode()

    def token(self, path):
        return re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.ask("GET", path)[2])[1]

    def sign_in(self, person):
        status, _, text = self.ask("POST", "/login", {"csrf_token": self.token("/login"), "email": person.email,
                                                      "password": PASSWORD})
        assert status in (302, 303), text[:500]

    def stop(self, sign=signal.SIGKILL):
        if self.process.poll() is None:
            os.kill(self.process.pid, sign)
        return self.process.wait(40)


@pytest.fixture
def scene(stripe, base_env):
    """A project, its fan signed in at a site of its own, and the pledge that is about to be sent."""
    project, fan = make_project(), make_person(password=hash_password(PASSWORD))
    reward = make_reward(project, 2_500, quantity=1)
    db.session.rollback()
    site = Site({**base_env, "STRIPE_API_BASE": stripe.url})
    try:
        site.sign_in(fan)
        path = f"/projects/{project.slug}/pledge"
        form = {"csrf_token": site.token(path), "token": str(uuid.uuid4()), "reward": f"{reward.id}:2500"}
        yield site, path, form
    finally:
        site.stop()


def _sent(site, path, form, then):
    """Post the form while Stripe takes three seconds; `then` happens in the middle of it. What came back, if anything."""
    came = []

    def send():
        try:
            came.append(site.ask("POST", path, form))
        except (http.client.HTTPException, OSError) as error:
            came.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    end = time.monotonic() + 30
    while not scalar("SELECT count(*) FROM card_setup"):
        assert time.monotonic() < end, "the pledge was never placed"
        db.session.rollback()
        time.sleep(0.02)
    db.session.rollback()
    time.sleep(0.3)
    then()
    sender.join(60)
    return came[0]


def test_a_site_that_is_told_to_stop_answers_the_pledge_that_is_under_way(scene, stripe):
    site, path, form = scene
    stripe.post("faults", match="POST /v1/checkout/sessions", kind="delay", seconds=3.0, times=1)
    began = time.monotonic()
    status, place, _text = _sent(site, path, form, lambda: os.kill(site.process.pid, signal.SIGTERM))
    assert (status, time.monotonic() - began > 2) == (303, True)
    assert "/c/pay/cs_test_" in place, "the fan is sent to Stripe as if nothing had been"
    assert site.process.wait(40) == 0 and not site.is_open()
    assert scalar("SELECT count(*) FROM card_setup WHERE url IS NOT NULL") == 1
    check_money()


def test_a_site_that_is_killed_in_the_middle_of_a_pledge_keeps_it_and_the_next_one_goes_on(scene, stripe, base_env):
    """The same form sent again is the same pledge and the same Checkout Session: nothing is reserved twice."""
    site, path, form = scene
    stripe.post("faults", match="POST /v1/checkout/sessions", kind="delay", seconds=3.0, times=1)

    def kill():
        for child in subprocess.run(["pgrep", "-P", str(site.process.pid)], capture_output=True, text=True).stdout.split():
            os.kill(int(child), signal.SIGKILL)
        os.kill(site.process.pid, signal.SIGKILL)

    assert isinstance(_sent(site, path, form, kill), Exception)
    time.sleep(3)  # until Stripe has made what nobody waits for
    after = Site({**base_env, "STRIPE_API_BASE": stripe.url}, site.port)
    try:
        after.cookies = site.cookies
        status, place, _text = after.ask("POST", path, {**form, "csrf_token": after.token(path)})
        assert status == 303 and "/c/pay/cs_test_" in place
    finally:
        after.stop(signal.SIGTERM)
    assert scalar("SELECT count(*) FROM pledge") == 1 == scalar("SELECT claimed FROM reward")
    assert stripe.get("counts")["checkout.session"] == 1
    check_money()
