"""What every answer has in common: forms that cannot be forged, headers, safe ways onward, the right host."""

import re
from typing import Any

import pytest

from core import jobs, logs
from core.web import safe_path
from tests.factories import csrf_token, make_person, scalar, sign_in

# Visitors' words for "go there next", none of which may leave this site (W-09).
VECTORS = ["https://evil.example", "//evil.example", "///evil.example", "////evil.example", "/\\evil.example",
           "\\\\evil.example", "/%09/evil.example", "/\t/evil.example", "/%5Cevil.example", "https:evil.example",
           "https:/evil.example", "javascript:alert(1)", "data:text/html,x", "/%2F/evil.example", "/%2Fevil.example",
           " //evil.example", "/\r\n//evil.example", "/%0d%0aLocation:%20https://evil.example", "http://[", "//[",
           "evil.example", "?next=//evil.example", "/\x00/evil.example", "http://localhost@evil.example",
           "people.me", "/\u2028/evil.example"]


@pytest.mark.parametrize("target", VECTORS)
def test_nobody_is_led_off_this_site(app: Any, client: Any, target: str) -> None:
    from flask_security.utils import hash_password

    person = make_person(password=hash_password("seven lazy herons wade"))
    for how in ("form", "query"):
        browser = app.test_client()
        sent = {"csrf_token": csrf_token(browser, "/login"), "email": person.email,
                "password": "seven lazy herons wade"}
        if how == "form":
            done = browser.post("/login", data=sent | {"next": target})
        else:
            done = browser.post("/login", data=sent, query_string={"next": target})
        assert done.status_code == 302
        assert re.fullmatch(r"/(?![/\\])[!-~]*", done.location), done.location
        assert "evil" not in done.location or done.location.startswith("/%E2")
        done = browser.get("/login", query_string={"next": target})  # already signed in
        assert re.fullmatch(r"/(?![/\\])[!-~]*", done.location), done.location
    page = client.get("/register", query_string={"next": target}).text
    assert not re.search(r'(href|value)="[^"]*evil', page) or target.startswith("/\u2028")


@pytest.mark.parametrize(("target", "kept"), [
    ("/me", "/me"), ("/people/noor?lang=nl", "/people/noor?lang=nl"), ("/a#b", "/a"), ("/a%20b", "/a%20b"),
    ("", "/"), (None, "/"), ("/ü", "/ü")])
def test_a_path_of_this_site_is_kept(target: str | None, kept: str) -> None:
    assert safe_path(target) == kept


def address(rule: Any) -> str:
    """Some address that this rule matches."""
    made = re.sub(r"<(?:uuid:)[^>]+>", "00000000-0000-7000-8000-000000000000", rule.rule)
    made = re.sub(r"<(?:int:)[^>]+>", "1", made)
    made = re.sub(r"<any\((\w+)[^>]*>", r"\1", made)
    return re.sub(r"<[^>]+>", "x", made)


def routes(app: Any) -> list[Any]:
    return [rule for rule in app.url_map.iter_rules() if "<path:" not in rule.rule]


def test_every_unsafe_route_refuses_a_request_without_the_token(app: Any, client: Any) -> None:
    sign_in(client, make_person(is_staff=True))
    spared = []
    for rule in routes(app):
        for method in sorted(rule.methods - {"GET", "HEAD", "OPTIONS"}):
            done = client.open(address(rule), method=method)
            if done.status_code != 400 or "form is too old" not in done.text:
                spared.append(rule.rule)
    assert all(rule.startswith("/webhooks/") for rule in spared), spared


# Made to stand in other people's pages: no script, no form, no session (tests/sharing/test_views_widgets.py).
FOR_OTHER_SITES = ("/projects/<slug>/widget", "/projects/<slug>/badge.svg", "/oembed")


def test_every_answer_carries_the_headers(app: Any, client: Any) -> None:
    app.config["PROPAGATE_BUGS"] = False
    try:
        answers = {rule.rule: client.get(address(rule)) for rule in routes(app) if "GET" in rule.methods}
        answers |= {"404": client.get("/nowhere/at/all"), "405": client.put("/login"), "400": client.post("/login"),
                    "host": client.get("/login", headers={"Host": "evil.example"})}
    finally:
        app.config["PROPAGATE_BUGS"] = True
    for path, answer in answers.items():
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        if path in FOR_OTHER_SITES:
            for part in ("frame-ancestors *", "base-uri 'none'", "form-action 'none'"):
                assert part in policy, (path, part)
            assert "script" not in policy and "unsafe" not in policy, path
        elif not path.startswith(("/mailbox/<", "/media/")):
            for part in ("script-src 'self'", "base-uri 'none'", "object-src 'none'", "frame-ancestors 'none'",
                         "form-action 'self'"):
                assert part in policy, (path, part)
            assert "unsafe" not in policy, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert answer.headers["Referrer-Policy"] in ("strict-origin-when-cross-origin", "no-referrer"), path
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert "Permissions-Policy" in answer.headers and "Cache-Control" in answer.headers, path
        assert "Strict-Transport-Security" not in answer.headers, path  # plain http here


def test_pages_of_a_signed_in_person_stay_out_of_caches(client: Any) -> None:
    sign_in(client, make_person(handle="noor"))
    for path in ("/me", "/me/settings", "/people/noor", "/change"):
        assert client.get(path).headers["Cache-Control"] == "no-store", path


def test_over_https_browsers_are_told_to_stay_there(app: Any, base_env: dict[str, str]) -> None:
    from app import create_app

    client = create_app(base_env | {"BASE_URL": "https://achterban.example"}).test_client()
    answer = client.get("/livez", base_url="https://achterban.example")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost:80@evil.example", "evil.example:80"])
@pytest.mark.parametrize("path", ["/login", "/reset", "/livez", "/static/tokens.css"])
def test_a_forged_host_is_refused(client: Any, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert "evil.example" not in answer.text


def test_a_forwarded_host_is_not_believed_without_a_proxy(client: Any) -> None:
    for header in ("X-Forwarded-Host", "Forwarded", "X-Host"):
        answer = client.get("/me", headers={header: "evil.example"})
        assert "evil" not in answer.location


def test_links_in_mails_begin_with_the_address_of_this_site(app: Any, client: Any) -> None:
    person = make_person()
    token = csrf_token(client, "/reset")
    client.post("/reset", data={"csrf_token": token, "email": person.email},
                headers={"X-Forwarded-Host": "evil.example"})
    jobs.drain(app)
    text = scalar("SELECT text || html FROM mail")
    assert "http://localhost/reset/" in text and "evil.example" not in text
    assert {link.split("/")[2] for link in re.findall(r"https?://[^\"\s<]+", text)} == {"localhost"}


def test_a_bug_shows_a_page_without_a_trace_and_no_variable_reaches_the_log(
        app: Any, client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from flask_security.utils import hash_password

    from people.hooks import signed_in

    make_person(email="noor@example.org", password=hash_password("seven lazy herons wade"))

    def broken(_person: Any) -> None:
        raise RuntimeError("something broke")

    token = csrf_token(client, "/login")
    app.config["PROPAGATE_BUGS"] = False
    logs.init_app(app)  # to the captured stream
    signed_in.connect(broken)
    try:
        answer = client.post("/login", data={"csrf_token": token, "email": "noor@example.org",
                                             "password": "seven lazy herons wade"})
    finally:
        signed_in._ears.remove(broken)
        app.config["PROPAGATE_BUGS"] = True
        with capsys.disabled():
            logs.init_app(app)
    assert answer.status_code == 500 and "Traceback" not in answer.text and "something broke" not in answer.text
    log = capsys.readouterr().err
    assert "something broke" in log and "seven lazy" not in log and "noor@example.org" not in log
