"""What backers say: who may say it, who may hide it, who reads it, and when it is gone."""

import pytest
import sqlalchemy as sa
from flask import render_template
from lxml import html

from backing.hooks import pledge_changed
from backing.models import PledgeState
from core import audit, pages
from core.db import db, transaction
from core.errors import BadInput, NotFound, Refusal, TooOften
from projects.models import MemberRole, ProjectState
from sharing import recommendations
from sharing.models import Recommendation
from tests.factories import csrf_token, make_member, make_person, make_project, scalar, sign_in
from tests.sharing.scenes import count, make_pledge

WORDS = "They play as if nobody slept, and nobody did."


@pytest.fixture
def project(app):
    return make_project()


@pytest.fixture
def noor(project):
    return make_pledge(project, make_person("Noor Bakker")).backer


def say(person, project, text=WORDS, is_shown=True):
    recommendations.save(person.id, project, text, is_shown=is_shown)
    return db.session.scalar(sa.select(Recommendation).filter_by(person_id=person.id, project_id=project.id))


def texts(project):
    return [quote.text for quote in recommendations.newest(project.id)]


def test_one_text_per_backer_and_project_is_shown_with_first_name_and_number(project, noor):
    say(noor, project)
    say(noor, project, "Second thoughts are better.")
    (quote,) = recommendations.newest(project.id)
    assert (quote.text, quote.first_name, quote.number) == ("Second thoughts are better.", "Noor", 1)
    assert count("recommendation") == 1


def test_without_consent_nobody_reads_it_and_with_consent_taken_back_nobody_any_more(project, noor):
    say(noor, project, is_shown=False)
    assert texts(project) == [] and recommendations.of_person(project.id, noor.id) is None
    say(noor, project)
    assert texts(project) == [WORDS]
    say(noor, project, is_shown=False)
    assert texts(project) == []


def test_consent_is_given_by_a_tick_of_ones_own_and_asked_as_it_was_given(app, project, noor):
    def ticked():
        with app.test_request_context():
            part = render_template("sharing/_recommendation.html", recommendation=recommendations.Field(noor.id, project))
        return html.fromstring(part).get_element_by_id("rec-shown").get("checked") is not None

    assert not ticked(), "silence is no consent"
    say(noor, project)
    assert ticked()
    say(noor, project, is_shown=False)
    assert not ticked()
    recommendations.withdraw(noor.id, project)
    assert not ticked()


@pytest.mark.parametrize("state", [state for state in PledgeState if state not in (PledgeState.HELD,)])
def test_only_words_of_a_pledge_that_stands_are_shown_and_written(project, state):
    fan = make_person()
    pledge = make_pledge(project, fan)
    say(fan, project)
    with transaction():
        pledge.state = state
    stands = state.value in ("pledged", "collecting", "collected", "errored")
    assert bool(texts(project)) is stands
    assert bool(recommendations.of_person(project.id, fan.id)) is stands
    if not stands:
        with pytest.raises(Refusal, match="pledge stands"):
            say(fan, project, "I write all the same.")


def test_who_never_pledged_or_pledged_elsewhere_writes_nothing(project, noor):
    for person, where in ((make_person(), project), (noor, make_project())):
        with pytest.raises(Refusal, match="Nothing was kept"):
            say(person, where)
    assert count("recommendation") == 0


def test_a_pledge_that_ends_takes_its_words_from_the_page_at_once(project, noor):
    say(noor, project)
    before = pages.version_of(project.topic)
    pledge = recommendations.standing_pledge(noor.id, project.id)
    with transaction():
        pledge.state = PledgeState.CANCELLED
        pledge_changed.send(pledge)
    assert pages.version_of(project.topic) > before and texts(project) == []


def test_withdrawn_words_are_gone_from_the_table_too(project, noor):
    say(noor, project)
    before = pages.version_of(project.topic)
    assert recommendations.withdraw(noor.id, project)
    assert not recommendations.withdraw(noor.id, project)
    assert scalar("SELECT text FROM recommendation") == "" and pages.version_of(project.topic) > before
    assert texts(project) == []


@pytest.mark.parametrize(("text", "sentence"), [
    ("", "at least 10"), ("   a    b   ", "at least 10"), ("x" * 281, "281"), ("\u202e" * 40, "at least 10")])
def test_a_text_that_is_too_short_or_too_long_is_refused(project, noor, text, sentence):
    with pytest.raises(BadInput, match=sentence):
        say(noor, project, text)


def test_a_text_is_one_plain_line(project, noor):
    one = say(noor, project, " Play\r\n\r\nit\u202e again\x00, \u2066Sam. e\u0301 👩‍🚀")
    assert one.text == "Play it again , Sam. é 👩‍🚀"


def test_the_database_itself_refuses_what_no_service_writes(project, noor):
    say(noor, project)
    for change in ("text = 'short'", "text = ''", "hidden_at = clock_now()"):
        with pytest.raises(sa.exc.IntegrityError), transaction() as session:
            session.execute(sa.text(f"UPDATE recommendation SET {change}"))


def test_ten_changes_an_hour_are_enough_and_withdrawing_does_not_begin_anew(project, noor):
    for n in range(recommendations.PER_HOUR):
        say(noor, project, f"{WORDS} {n}")
        recommendations.withdraw(noor.id, project)
    with pytest.raises(TooOften):
        say(noor, project, "Once more, with feeling.")
    with transaction() as session:
        session.execute(sa.text("UPDATE recommendation SET counted_from = counted_from - interval '61 minutes'"))
    say(noor, project, "Once more, with feeling.")
    assert scalar("SELECT changes FROM recommendation") == 1


def test_hidden_words_stay_hidden_when_changed_or_written_anew_and_the_author_is_told_once(project, noor):
    one = say(noor, project)
    assert recommendations.hide(one.id, project, project.creator_id, "rude", "Not about the drummer.\n")
    assert not recommendations.hide(one.id, project, project.creator_id, "rude")
    assert texts(project) == [] and count("mail WHERE name = 'sharing/recommendation_hidden'") == 1
    (entry,) = audit.entries("recommendation", one.id)
    assert (entry.action, entry.by_id, entry.facts) == ("sharing:hide_recommendation", project.creator_id,
                                                        {"why": "rude"})
    say(noor, project, "Kinder words this time.")
    assert texts(project) == []
    recommendations.withdraw(noor.id, project)
    say(noor, project, "And again from the start.")
    assert texts(project) == []
    assert recommendations.show_again(one.id, project, project.creator_id)
    assert texts(project) == ["And again from the start."]
    assert [e.action for e in audit.entries("recommendation", one.id)] == [
        "sharing:show_recommendation", "sharing:hide_recommendation"]


def test_a_text_is_hidden_only_under_its_own_project_and_with_a_reason(project, noor):
    one = say(noor, project)
    with pytest.raises(NotFound):
        recommendations.hide(one.id, make_project(), noor.id, "rude")
    with pytest.raises(BadInput):
        recommendations.hide(one.id, project, noor.id, "because")
    assert texts(project) == [WORDS]


def test_the_mail_says_why_in_the_authors_language_and_is_silent_when_it_is_no_longer_true(app, project, noor):
    from core.mail import AUTHORS

    one = say(noor, project)
    write = AUTHORS["sharing/recommendation_hidden"]
    assert write(str(one.id)) is None
    recommendations.hide(one.id, project, project.creator_id, "advert", "No shops here.")
    letter = write(str(one.id))
    assert letter.to == noor.email and letter.context["reason"] == "It advertises something else."
    assert letter.context["note"] == "No shops here."
    recommendations.withdraw(noor.id, project)
    assert write(str(one.id)) is None


ROLES = {"anonymous": 302, "stranger": 403, "backer": 403, "author": 403, "collaborator": 403, "organiser": 200,
         "creator": 200, "staff": 200, "other creator": 403}


def person_for(role, project, noor):
    if role == "author":
        return noor
    if role == "creator":
        return project.creator
    if role in ("collaborator", "organiser"):
        return make_member(project, make_person(), MemberRole(role))
    if role == "backer":
        return make_pledge(project).backer
    if role == "other creator":
        return make_project().creator
    return make_person(is_staff=role == "staff")


@pytest.mark.parametrize(("role", "status"), ROLES.items())
def test_hiding_is_for_creator_organisers_and_staff(client, project, noor, role, status):
    one = say(noor, project)
    path = f"/projects/{project.slug}/recommendations/{one.id}"
    if role != "anonymous":
        sign_in(client, person_for(role, project, noor))
    assert client.get(f"{path}/hiding").status_code == status
    token = csrf_token(client, f"{path}/hiding" if status == 200 else "/login" if role == "anonymous" else "/me/settings")
    sent = client.post(f"{path}/hiding", data={"csrf_token": token, "why": "rude"})
    assert sent.status_code == (303 if status == 200 else status)
    assert bool(texts(project)) is (status != 200)
    shown = client.post(f"{path}/showing", data={"csrf_token": token})
    assert shown.status_code == (303 if status == 200 else status) and texts(project)


def test_a_member_of_another_project_cannot_hide_by_putting_the_id_under_their_own(client, project, noor):
    one, mine = say(noor, project), make_project()
    sign_in(client, mine.creator)
    token = csrf_token(client, "/me/settings")
    path = f"/projects/{mine.slug}/recommendations/{one.id}"
    assert client.get(f"{path}/hiding").status_code == 404
    for act in ("hiding", "showing"):
        assert client.post(f"{path}/{act}", data={"csrf_token": token, "why": "rude"}).status_code == 404
    assert texts(project) == [WORDS]


def test_a_backer_writes_changes_and_withdraws_by_the_pages(client, project, noor):
    sign_in(client, noor)
    path = f"/projects/{project.slug}/recommendation"
    token = csrf_token(client, path)
    assert client.post(path, data={"text": WORDS}).status_code == 400  # no token
    wrong = client.post(path, data={"csrf_token": token, "text": "short"})
    assert wrong.status_code == 422 and "at least 10 characters" in wrong.text and ">\nshort<" in wrong.text.replace("\r", "")
    assert client.post(path, data={"csrf_token": token, "text": WORDS, "is_shown": "y"}).status_code == 303
    assert texts(project) == [WORDS]
    assert WORDS in client.get(path).text
    assert client.post(path, data={"csrf_token": token, "text": WORDS}).status_code == 303
    assert texts(project) == []
    assert client.post(f"{path}/withdrawal", data={"csrf_token": token}).status_code == 303
    assert WORDS not in client.get(path).text


def test_too_many_changes_are_told_beside_the_field_and_what_was_typed_stays(client, project, noor):
    sign_in(client, noor)
    path = f"/projects/{project.slug}/recommendation"
    token = csrf_token(client, path)
    for _ in range(recommendations.PER_HOUR):
        recommendations.save(noor.id, project, WORDS, is_shown=True)
    answer = client.post(path, data={"csrf_token": token, "text": "What I typed just now.", "is_shown": "y"})
    assert answer.status_code == 429 and "10 times in an hour" in answer.text and "What I typed just now." in answer.text


def test_somebody_without_a_pledge_is_told_so_and_a_draft_has_no_such_page(client, project):
    sign_in(client, make_person())
    token = csrf_token(client, "/me/settings")
    path = f"/projects/{project.slug}/recommendation"
    assert "for backers whose pledge stands" in client.get(path).text
    assert client.post(path, data={"csrf_token": token, "text": WORDS}).status_code == 409
    draft = make_project(state=ProjectState.DRAFT, launched_at=None, fee_bp=None)
    assert client.get(f"/projects/{draft.slug}/recommendation").status_code == 404
    assert client.get(f"/projects/{draft.slug}/recommendations").status_code == 404
    sign_in(client, draft.creator)
    assert client.get(f"/projects/{draft.slug}/recommendations").status_code == 404


def test_the_public_list_pages_and_shows_hidden_ones_to_those_who_hid_them_only(client, project):
    for n in range(32):
        say(make_pledge(project, make_person(f"Fan{n} X")).backer, project, f"Reason number {n:02} of many.")
    path = f"/projects/{project.slug}/recommendations"
    page = client.get(path)
    assert "number 31" in page.text and "number 01" not in page.text and "page=2" in page.text
    assert "number 01" in client.get(f"{path}?page=2").text
    last = recommendations.newest(project.id, 1)[0]
    recommendations.hide(last.id, project, project.creator_id, "rude")
    assert "number 31" not in client.get(path).text and "/hiding" not in client.get(path).text
    sign_in(client, project.creator)
    page = client.get(path).text
    assert "number 31" in page and "Show it again" in page and "/hiding" in page


NASTY = ('<script>alert(1)</script> and more', '"><img src=x onerror=alert(1)>', 'See https://evil.example/now for more',
         "[click](javascript:alert(1)) me now", "{{ 7*7 }} {% raw %} and so on")


@pytest.mark.parametrize("text", NASTY)
def test_nothing_that_is_written_becomes_markup_or_a_link(client, project, text):
    nasty = make_pledge(project, make_person('Eve <b onmouseover="x">')).backer
    say(nasty, project, text)
    for path in (f"/projects/{project.slug}", f"/projects/{project.slug}/recommendations"):
        page = client.get(path).text
        assert "<script>alert" not in page and "onerror=alert(1)>" not in page.replace("&gt;", "") and "<b " not in page
        assert 'href="https://evil' not in page and "javascript:" not in page.replace("(javascript:alert(1))", "")
        assert "49 " not in page


def merged(project, stays, goes):
    with transaction() as session:
        recommendations.settle_merged(stays.id, goes.id, session)
    return [(row.person_id, row.text, row.hidden_at is not None) for row in db.session.scalars(sa.select(Recommendation))]


def test_two_accounts_that_become_one_keep_one_text(project, noor):
    other = make_pledge(project).backer
    say(noor, project)
    say(other, project, "The other account's words.")
    assert merged(project, noor, other) == [(noor.id, WORDS, False)]


def test_a_text_moves_to_the_account_that_stays_and_an_empty_one_makes_way(project, noor):
    other = make_pledge(project).backer
    say(other, project)
    assert merged(project, noor, other) == [(noor.id, WORDS, False)]
    say(other, project, "The other account's words.")
    recommendations.withdraw(noor.id, project)
    assert merged(project, noor, other) == [(noor.id, "The other account's words.", False)]


def test_merging_accounts_does_not_bring_hidden_words_back(project, noor):
    other = make_pledge(project).backer
    recommendations.hide(say(other, project).id, project, project.creator_id, "rude")
    say(noor, project)
    assert merged(project, noor, other) == [(noor.id, WORDS, True)] and texts(project) == []
