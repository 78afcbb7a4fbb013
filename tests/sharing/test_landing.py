"""Where a friend lands: the sender's words on the page, and what robots are shown before."""

import pytest
import sqlalchemy as sa

from core.db import db, transaction
from projects.models import ProjectState
from sharing import landing, queries, recommendations, services, visits
from tests.factories import csrf_token, make_person, make_project, scalar, sign_in
from tests.projects.test_queries import a_full_project, statements
from tests.sharing.scenes import make_pledge, open_link

WORDS = "They play as if nobody slept, and nobody did."
ROBOT = "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"


@pytest.fixture(autouse=True)
def fresh(app):
    visits.forget_here()
    queries._kept.clear()


@pytest.fixture
def project(app):
    return make_project(creator=make_person("Puck de Boer"))


@pytest.fixture
def noor(project):
    return make_pledge(project, make_person("Noor Bakker")).backer


def code_of(person, project):
    return services.link_of(person, project).code


def say(person, project, text=WORDS, **options):
    recommendations.save(person.id, project, text, **{"is_shown": True} | options)


def make_tag(project):
    with transaction() as session:
        session.execute(sa.text("INSERT INTO share_link (code, project_id) VALUES ('TAGTAGTAGTAG1', :p)"),
                        {"p": project.id})
    return "TAGTAGTAGTAG1"


def test_who_comes_by_a_link_reads_the_senders_words_and_others_read_them_below(client, project, noor):
    say(noor, project)
    open_link(client, code_of(noor, project))
    page = client.get(f"/projects/{project.slug}").text
    assert "Noor sent you this" in page and page.count(WORDS) == 1 and "Backer 1 of this project" in page
    assert "Bakker" not in page
    other = client.application.test_client().get(f"/projects/{project.slug}").text
    assert "sent you" not in other and "Why backers stand behind this" in other and WORDS in other


def test_without_words_or_consent_the_band_is_as_before(client, project, noor):
    say(noor, project, is_shown=False)
    open_link(client, code_of(noor, project))
    page = client.get(f"/projects/{project.slug}").text
    assert "Noor sent you." in page and WORDS not in page and "Why backers" not in page


def test_the_words_of_others_stand_below_those_of_the_sender(client, project, noor):
    say(noor, project)
    for n in range(4):
        say(make_pledge(project, make_person(f"Fan{n} X")).backer, project, f"Reason number {n} of many.")
    open_link(client, code_of(noor, project))
    page = client.get(f"/projects/{project.slug}").text
    assert page.count(WORDS) == 1 and all(f"number {n} of" in page for n in (1, 2, 3)) and "number 0" not in page
    assert f"/projects/{project.slug}/recommendations" in page


def test_the_pledge_form_shows_the_senders_words_small(client, project, noor):
    say(noor, project)
    open_link(client, code_of(noor, project))
    sign_in(client, make_person())
    assert WORDS in client.get(f"/projects/{project.slug}/pledge").text


def test_sending_the_pledge_form_does_not_read_words(app, project, noor):
    say(noor, project)
    context = {"sent_by": {"seed": str(noor.id)}}
    with statements() as seen:
        landing.on_pledge_form(None, project, context)
    assert seen == [] and context["sent_by"]["quote_of"]().text == WORDS


def test_a_tag_says_nothing_personal(client, project, noor):
    say(noor, project)
    code = make_tag(project)
    sender = landing.sender_of(queries.find_link(code).link_id)
    assert (sender.first_name, sender.quote, sender.number, sender.sent) == ("", "", None, "")
    open_link(client, code)
    page = client.get(f"/projects/{project.slug}").text
    assert "sent you" not in page


def test_a_name_is_on_the_card_by_consent_only(app, project, noor):
    link = services.link_of(noor, project)
    assert (landing.sender_of(link.id).first_name, landing.sender_of(link.id).sent) == ("", "A backer sent you this")
    say(noor, project)
    assert landing.sender_of(link.id).sent == "Noor sent you this"
    recommendations.withdraw(noor.id, project)
    assert landing.sender_of(link.id).first_name == ""
    with transaction():
        link.is_named = True
    assert landing.sender_of(link.id).first_name == "Noor" and landing.sender_of(link.id).quote == ""


def test_hidden_words_name_nobody(app, project, noor):
    say(noor, project)
    recommendations.hide(scalar("SELECT id FROM recommendation"), project, project.creator_id, "rude")
    sender = landing.sender_of(services.link_of(noor, project).id)
    assert (sender.first_name, sender.quote) == ("", "")


def test_a_project_with_words_still_asks_five_times_at_most_and_is_kept(client):
    project = a_full_project()
    for n in range(5):
        say(make_pledge(project, make_person(f"Fan{n} X")).backer, project, f"Reason number {n} of many.")
    path = f"/projects/{project.slug}"
    db.session.remove()
    client.application.extensions["page_cache"].kept.clear()
    with statements() as cold:
        assert "number 4" in client.get(path).text
    assert len(cold) <= 5, "\n".join(cold)
    with statements() as warm:
        assert "number 4" in client.get(path).text
    assert warm == []


def test_a_kept_page_is_made_anew_when_words_change(client, project, noor):
    path = f"/projects/{project.slug}"
    assert WORDS not in client.get(path).text
    say(noor, project)
    assert WORDS in client.get(path).text
    recommendations.withdraw(noor.id, project)
    assert WORDS not in client.get(path).text


def test_the_page_tells_chats_what_it_is(client, project):
    page = client.get(f"/projects/{project.slug}").text
    base = "http://localhost"
    for said in (f'<link rel="canonical" href="{base}/projects/{project.slug}">', 'property="og:title"',
                 f'property="og:url" content="{base}/projects/{project.slug}"', 'property="og:site_name"',
                 'property="og:locale" content="en_GB"', 'og:image:width" content="1200"', 'og:image:height" content="630"',
                 'property="og:image:alt"', "summary_large_image", "application/json+oembed",
                 f'content="{base}/projects/{project.slug}/card.png?lang=en&amp;v=0"'):
        assert said in page, said


def test_robots_that_make_previews_get_a_page_with_the_senders_card(client, project, noor):
    say(noor, project)
    code = code_of(noor, project)
    found = queries.find_link(code)
    with client.application.test_request_context("/"):
        answer = landing.preview_page(found)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200 and "User-Agent" in answer.vary and not answer.headers.getlist("Set-Cookie")
    for said in (f'<link rel="canonical" href="http://localhost/projects/{project.slug}">', WORDS, "Noor sent you this",
                 f'property="og:url" content="http://localhost/s/{code}"', f"/s/{code}/card.png?lang=en"):
        assert said in page, said
    assert "Bakker" not in page


def test_the_preview_is_in_the_senders_language(client, project):
    els = make_pledge(project, make_person("Els Kramer", locale="nl")).backer
    with client.application.test_request_context("/"):
        page = landing.preview_page(queries.find_link(code_of(els, project))).get_data(as_text=True)
    assert '<html lang="nl">' in page and 'content="nl_NL"' in page and "card.png?lang=nl" in page


@pytest.mark.parametrize("state", [ProjectState.SUSPENDED, ProjectState.UNSUCCESSFUL, ProjectState.CANCELLED])
def test_a_project_that_is_over_or_on_hold_has_a_page_and_a_preview(client, state):
    project = make_project(state=state)
    code = code_of(make_person(), project)
    open_link(client, code)
    page = client.get(f"/projects/{project.slug}")
    assert page.status_code == 200 and "sent you" in page.text and "If you pledge" not in page.text
    with client.application.test_request_context("/"):
        assert landing.preview_page(queries.find_link(code)).status_code == 200


def test_a_draft_tells_nothing_to_chats(client):
    draft = make_project(state=ProjectState.DRAFT, launched_at=None, fee_bp=None)
    sign_in(client, draft.creator)
    page = client.get(f"/projects/{draft.slug}").text
    assert "og:title" not in page and "noindex" in page and "oembed" not in page


def test_following_a_link_as_a_robot(client, project, noor):
    answer = open_link(client, code_of(noor, project), agent=ROBOT)
    assert answer.status_code == 200 and "og:image" in answer.text and not answer.headers.getlist("Set-Cookie")
    assert scalar("SELECT count(*) FROM share_visit") == 0
    human = open_link(client, code_of(noor, project))
    assert human.status_code == 303


def test_the_sharing_and_the_pledge_page_have_the_field_for_backers_only(client, project, noor):
    sign_in(client, noor)
    page = client.get(f"/projects/{project.slug}/share").text
    assert "Why do you stand behind this?" in page and "Put it on your site" in page
    pledge = recommendations.standing_pledge(noor.id, project.id)
    assert "Why do you stand behind this?" in client.get(f"/pledges/{pledge.id}").text
    fan = make_person()
    sign_in(client, fan)
    client.post(f"/projects/{project.slug}/share", data={"csrf_token": csrf_token(client, f"/projects/{project.slug}/share")})
    page = client.get(f"/projects/{project.slug}/share").text
    assert "Why do you stand behind this?" not in page and "Put it on your site" in page
