import re
import uuid

import pytest
from lxml import html

from core.db import db
from projects.models import MemberRole
from sharing import bans, flags, reviewing, services
from tests.factories import csrf_token, make_member, make_person, make_project, scalar, sign_in
from tests.sharing.scenes import count, make_pledge
from tests.sharing.test_reviewing import brought, flag_on, household


@pytest.fixture
def project(app):
    return make_project(make_person("Sanne Vos"))


@pytest.fixture
def noor(app):
    return make_person("Noor Bakker", email="noor@secret.example")


@pytest.fixture
def link(project, noor):
    return services.link_of(noor, project)


@pytest.fixture
def desk(client, project):
    """The browser of an organiser."""
    return sign_in(client, make_member(project, make_person("Otto Smit"), MemberRole.ORGANISER))


def send(client, page, path, **form):
    return client.post(path, data={"csrf_token": csrf_token(client, page), **form})


def queue(project):
    return f"/projects/{project.slug}/recruits/review"


def test_an_empty_queue_says_so(desk, project):
    page = desk.get(queue(project))
    assert page.status_code == 200 and "All credits are in order" in page.text and 'aria-current="page"' in page.text


def test_reviewers_see_reasons_first_names_and_amounts_and_nothing_else(desk, project, link):
    friends = [make_pledge(project, make_person(f"Puck{n} de Boer", email=f"puck{n}@secret.example"), 2_550, ref=link.code)
               for n in range(10)]
    flag_on(link, friends, "medium", "network")
    text = desk.get(queue(project)).text
    assert "10 backers came from one network on one day." in text and "A school, an office" in text
    assert "by the link of Noor," in text and "Puck3" in text and "€25.50" in text and "And 5 more" in text
    assert "secret.example" not in text and "de Boer" not in text and "Bakker" not in text
    assert not re.search(r"127\.0\.0\.1|fingerprint", text)


def test_a_household_is_credited_with_a_button(desk, project, noor, link):
    _pledge, flag = household(project, noor, link)
    text = desk.get(queue(project)).text
    assert "Backer and recruiter used the same browser." in text and "two people, one laptop" in text
    assert "Does not count yet" in text
    answer = send(desk, queue(project), f"{queue(project)}/{flag}/decision", decision="credit", reason="")
    assert answer.status_code == 303 and brought() == 1
    text = desk.get(queue(project)).text
    assert "All credits are in order" in text and "Decided" in text and "Otto," in text
    assert send(desk, queue(project), f"{queue(project)}/{flag}/reopening").status_code == 303 and brought() == 0


def test_striking_without_a_reason_keeps_what_was_typed_and_says_why(desk, project, link):
    flag = flag_on(link, [make_pledge(project, ref=link.code)])
    answer = send(desk, queue(project), f"{queue(project)}/{flag}/decision", decision="strike", reason="  ")
    assert answer.status_code == 422 and "Say in a few words why they do not count." in answer.text
    assert 'aria-invalid="true"' in answer.text and scalar("SELECT decision FROM share_flag") is None
    answer = send(desk, queue(project), f"{queue(project)}/{flag}/decision", decision="both", reason="<b>kept</b>")
    assert answer.status_code == 422 and "&lt;b&gt;kept" in answer.text


@pytest.mark.parametrize("reason", ["x" * 301, "\x00\x07", "\x00ab"])
def test_odd_reasons_are_a_clear_answer(desk, project, link, reason):
    flag = flag_on(link, [make_pledge(project, ref=link.code)])
    answer = send(desk, queue(project), f"{queue(project)}/{flag}/decision", decision="strike", reason=reason)
    assert answer.status_code == 422 and scalar("SELECT decision FROM share_flag") is None


def test_what_is_foreign_is_unknown(desk, project, link):
    other = make_project()
    theirs = services.link_of(make_person(), other)
    flag = flag_on(theirs, [make_pledge(other, ref=theirs.code)])
    ban = bans.ban(theirs.person_id, project_id=other.id, reason="bought", by_id=None)
    for path in (f"{flag}/decision", f"{flag}/reopening", f"{uuid.uuid4()}/decision"):
        for reason in ("fine", ""):
            answer = send(desk, queue(project), f"{queue(project)}/{path}", decision="strike", reason=reason)
            assert answer.status_code == 404, path
    assert send(desk, queue(project), f"/projects/{project.slug}/recruits/bans/{ban.id}/lifting").status_code == 404
    assert scalar("SELECT decision FROM share_flag") is None and scalar("SELECT lifted_at FROM share_ban") is None


@pytest.mark.parametrize("page", ["0", "2", "-1", "x", "9" * 40, "١"])
def test_a_page_that_is_not_there_is_unknown(desk, project, page):
    assert desk.get(f"{queue(project)}?page={page}").status_code == 404


def test_an_organiser_who_shares_does_not_decide_about_themselves(app, client, project):
    otto = make_member(project, make_person("Otto Smit"), MemberRole.ORGANISER)
    link = services.link_of(otto, project)
    flag = flag_on(link, [make_pledge(project, ref=link.code)])
    sign_in(client, otto)
    assert "This is about your own link." in client.get(queue(project)).text
    answer = send(client, f"/projects/{project.slug}/recruits/review", f"{queue(project)}/{flag}/decision", decision="credit")
    assert answer.status_code == 403 and scalar("SELECT decision FROM share_flag") is None


def test_a_link_is_banned_and_the_ban_lifted(desk, project, noor, link):
    make_pledge(project, ref=link.code)
    base = f"/projects/{project.slug}/recruits/bans"
    for form, said in (({"link": "", "reason": "bought"}, "Paste a sharing link"),
                       ({"link": "K7QX4M2PBTRHA", "reason": "bought"}, "No link of this project"),
                       ({"link": link.code, "reason": ""}, "Say in a few words why."),
                       ({"link": link.code, "reason": "bought", "days": "many"}, "Write a number of days"),
                       ({"link": link.code, "reason": "bought", "days": "0"}, "from 1 to 3650"),
                       ({"link": link.code, "reason": "bought", "days": "9" * 50}, "from 1 to 3650")):
        answer = send(desk, queue(project), base, **form)
        assert answer.status_code == 422 and said in answer.text and "<details class=\"bans-new mt-3\" open" in answer.text, form
    assert count("share_ban") == 0
    answer = send(desk, queue(project), base, link=f"http://localhost/s/{link.code}", reason="bought", days="", has_struck="y")
    assert answer.status_code == 303 and brought() == 0
    text = desk.get(queue(project)).text
    assert "with what came before" in text and "without an end" in text and "Bakker" not in text
    again = send(desk, queue(project), base, link=link.code, reason="bought")
    assert again.status_code == 422 and "banned already" in again.text
    ban = scalar("SELECT id FROM share_ban")
    assert send(desk, queue(project), f"{base}/{ban}/lifting").status_code == 303 and brought() == 1


# Staff ----------------------------------------------------------------------------------------------------------------

@pytest.fixture
def staff(app):
    return sign_in(app.test_client(), make_person("Siem Dam", is_staff=True))


def test_staff_see_all_projects_and_what_recruiters_ask_first(staff, project, noor, link):
    other = services.link_of(make_person(), make_project())
    flag_on(other, [make_pledge(other.project, ref=other.code)], "high", "cards")
    flag = flag_on(link, [make_pledge(project, ref=link.code)])
    reviewing.decide(flag, "strike", "bought", by_id=None)
    reviewing.appeal(flag, noor.id, "They are my <b>sisters</b>.")
    text = staff.get("/platform/sharing").text
    assert "One recruiter asks for another look" in text and "They are my &lt;b&gt;sisters" in text
    assert text.index("sisters") < text.index(other.project.title + "</a>, by the link")
    answer = send(staff, "/platform/sharing", f"/platform/sharing/{flag}/decision", decision="credit", reason="true")
    assert answer.status_code == 303 and scalar("SELECT answered_at FROM share_flag WHERE id = :f", f=flag)
    assert staff.get("/platform").status_code == 302
    assert "No credit is in doubt" not in staff.get("/platform/sharing").text


def test_all_that_is_wrong_about_a_ban_is_told_at_once_beside_its_fields(desk, staff, project, noor, link):
    """Also what only the tables know: whose link or address it is, and what only the law of bans knows."""
    wrong = {"reason": ("", "Say in a few words why."), "days": ("4000", "from 1 to 3650")}
    for browser, page, path, who, said in (
            (desk, queue(project), f"/projects/{project.slug}/recruits/bans", {"link": "K7QX4M2PBTRHA"}, "No link of this project"),
            (staff, "/platform/sharing", "/platform/sharing/bans", {"email": "nobody@example.org"}, "Nobody has an account")):
        [(field, typed)] = who.items()
        answer = send(browser, page, path, **who, **{name: value for name, (value, _said) in wrong.items()})
        form = html.fromstring(answer.text).xpath(f"//form[contains(@action, '{path}')]")[0]
        beside = {one.get("id"): one.text_content() for one in form.xpath(".//*[@class='field-error']")}
        assert answer.status_code == 422 and sorted(beside) == sorted(f"{name}-error" for name in (field, *wrong)), beside
        assert said in beside[f"{field}-error"] and typed in form.xpath(f".//input[@name='{field}']/@value")
        assert all(said in beside[f"{name}-error"] for name, (_value, said) in wrong.items())
    short = send(desk, queue(project), f"/projects/{project.slug}/recruits/bans", link="K7QX4M2PBTRHA", reason=" a  ", days="many").text
    assert all(said in short for said in ("No link of this project", "Say in a few words why.", "Write a number of days"))
    assert count("share_ban") == 0


def test_staff_ban_by_address_everywhere(staff, noor, link):
    for form, said in (({"email": "nobody@example.org", "reason": "bought"}, "Nobody has an account"),
                       ({"email": "\x00", "reason": "bought"}, "Type the e-mail address"),
                       ({"email": noor.email, "reason": ""}, "Say in a few words why.")):
        answer = send(staff, "/platform/sharing", "/platform/sharing/bans", **form)
        assert answer.status_code == 422 and said in answer.text
    assert send(staff, "/platform/sharing", "/platform/sharing/bans", email=noor.email.upper(), reason="bought", days="7"
                ).status_code == 303
    assert scalar("SELECT project_id FROM share_ban") is None and scalar("SELECT until FROM share_ban")
    assert "everywhere" in staff.get("/platform/sharing").text
    ban = scalar("SELECT id FROM share_ban")
    assert send(staff, "/platform/sharing", f"/platform/sharing/bans/{ban}/lifting").status_code == 303
    assert scalar("SELECT lifted_at FROM share_ban")


# The recruiter --------------------------------------------------------------------------------------------------------

def test_a_recruiter_reads_no_accusation_and_asks_once(app, client, project, noor, link):
    mine = f"/projects/{project.slug}/share/looks"
    sign_in(client, noor)
    assert "Whatever came by your link counts." in client.get(mine).text
    _pledge, flag = household(project, noor, link)
    text = client.get(mine).text
    assert "One pledge by your link is being looked at." in text and "same browser" not in text and not re.search(r"\bMo\b", text)
    assert "One pledge by your link is being looked at." in client.get(f"/projects/{project.slug}/share").text
    reviewing.decide(flag, "strike", "a fraud", by_id=None)
    text = client.get(mine).text
    assert "is not counted for you" in text and "a fraud" not in text
    token = csrf_token(client, mine)
    empty = client.post(f"{mine}/{flag}", data={"csrf_token": token, "text": " "})
    assert empty.status_code == 422 and "Say in a sentence or two" in empty.text
    long = client.post(f"{mine}/{flag}", data={"csrf_token": token, "text": "x" * 1_001})
    assert long.status_code == 422 and "1,000" in long.text
    assert client.post(f"{mine}/{flag}", data={"csrf_token": token, "text": "She is\x00 my sister."}).status_code == 303
    assert scalar("SELECT appeal FROM share_flag") == "She is my sister."
    assert "You asked for another look on" in client.get(mine).text
    assert client.post(f"{mine}/{flag}", data={"csrf_token": token, "text": "Really."}).status_code == 409
    stranger = sign_in(app.test_client(), make_person())
    assert send(stranger, "/me/settings", f"{mine}/{flag}", text="Let me see.").status_code == 404


def test_low_doubts_are_not_shown_to_the_recruiter(client, project, noor, link):
    flag_on(link, [make_pledge(project, ref=link.code)], "low")
    page = sign_in(client, noor).get(f"/projects/{project.slug}/share/looks")
    assert "Nothing was looked at" in page.text


def test_every_rule_has_words(app, project, link, desk):
    for rule in flags.RULES:
        flag_on(link, [make_pledge(project, ref=link.code)], "high", rule)
    text = desk.get(queue(project)).text
    assert text.count('<li id="f-') == len(flags.RULES) and "looks odd" not in text


# The terminal ---------------------------------------------------------------------------------------------------------

def test_the_terminal_lists_decides_and_bans(flask, project, noor, link):
    flag = flag_on(link, [make_pledge(project, ref=link.code)])
    slug, email = project.slug, noor.email
    db.session.rollback()
    out = flask("sharing", "review", slug).stdout
    assert str(flag) in out and "Noor" in out and "secret.example" not in out
    assert str(flag) in flask("sharing", "review", "--all").stdout
    assert flask("sharing", "review", check=False).returncode == 2
    wrong = flask("sharing", "review", slug, "--flag", str(flag), "--strike", check=False)
    assert wrong.returncode == 1 and "Say in a few words" in wrong.stderr
    flask("sharing", "review", slug, "--flag", str(flag), "--strike", "--reason", "bought")
    assert "Nothing to look at." in flask("sharing", "review", "--all").stdout
    flask("sharing", "ban", email, "--reason", "bought", "--project", slug)
    assert flask("sharing", "ban", email, "--reason", "x", "--project", slug, check=False).returncode == 1
    assert "Lifted." in flask("sharing", "ban", email, "--reason", "sorry", "--project", slug, "--lift").stdout
    assert flask("sharing", "ban", "nobody@example.org", "--reason", "bought", check=False).returncode == 2
