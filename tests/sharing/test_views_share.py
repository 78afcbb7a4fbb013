import pytest

from core.db import db
from projects.models import ProjectState
from sharing import panel, queries, services, settings, visits
from tests.factories import csrf_token, make_person, make_project, sign_in
from tests.sharing.scenes import make_pledge


@pytest.fixture(autouse=True)
def fresh(app):
    visits.forget_here()
    queries._kept.clear()


@pytest.fixture
def project(app):
    return make_project(title="Night & train")


@pytest.fixture
def noor(app, client):
    person = make_person("Noor Bakker")
    sign_in(client, person)
    return person


@pytest.fixture
def link(project, noor):
    return services.link_of(noor, project)


def page_of(client, project):
    return client.get(f"/projects/{project.slug}/share").get_data(as_text=True)


def test_the_link_can_be_passed_on_everywhere_without_a_script(client, project, link):
    page = page_of(client, project)
    for address in ("https://wa.me/?text=", "mailto:?subject=", "https://share.joinmastodon.org/#text=",
                    "https://bsky.app/intent/compose?text=", "https://www.facebook.com/sharer/sharer.php?u=",
                    "https://www.linkedin.com/sharing/share-offsite/?url=", "https://x.com/intent/post?text="):
        assert f'href="{address}' in page, address
    assert "Night%20%26%20train" in page and f"%2Fs%2F{link.code}" in page  # whole in the address of others
    assert f'href="/s/{link.code}/poster.pdf"' in page and f"/s/{link.code}.svg?download=1" in page
    assert f"/s/{link.code}.png?download=1" in page
    assert client.get(f"/s/{link.code}.png?download=1").headers["Content-Disposition"].startswith("attachment")


def test_signal_has_no_address_so_its_text_is_copied_and_a_sentence_says_how(client, project, link):
    page = page_of(client, project)
    assert "sgnl:" not in page and "signal.me" not in page and "Signal takes nothing from web pages" in page
    assert f'data-copy="I stand behind “Night &amp; train”. Have a look: http://localhost/s/{link.code}"' in page


def test_buttons_that_need_a_script_are_hidden_until_it_runs(client, project, link):
    page = page_of(client, project)
    for start in ("data-copy=", "data-share="):
        for part in page.split(start)[:-1]:
            tag = part[part.rindex("<button"):]
            holder = part[part.rindex("<li") if "<li" in part else 0:]
            assert " hidden" in tag or " hidden" in holder


def test_what_counts_is_said_as_the_project_chose(app, client, project, link):
    assert "the last one counts" in page_of(client, project)
    settings.decide(project, "first", True, None)
    assert "the first one counts" in page_of(client, project)


def test_without_a_ranking_nobody_is_asked_for_a_name_in_it(app, client, project, link):
    assert "In the ranking" in page_of(client, project)
    settings.decide(project, "last", False, None)
    page = page_of(client, project)
    assert "In the ranking" not in page and "Show my first name" in page


def test_a_project_that_has_ended_shows_what_was_brought_and_asks_nothing_more(app, client, noor):
    ended = make_project(state=ProjectState.SUCCESSFUL)
    link = services.link_of(noor, ended)
    make_pledge(ended, make_person("Mo El Idrissi"), 4_000, ref=link.code)
    page = page_of(client, ended)
    assert 'data-share="' not in page and "wa.me" not in page


def test_me_and_the_pledge_page_show_the_word(app, client, project, noor, link):
    pledge = make_pledge(project, noor)
    token = csrf_token(client, f"/projects/{project.slug}/share")
    client.post(f"/projects/{project.slug}/share/word", data={"csrf_token": token, "word": "night-train"})
    for path in ("/me", f"/pledges/{pledge.id}", f"/projects/{project.slug}/share"):
        page = client.get(path).get_data(as_text=True)
        assert "localhost/s/night-train" in page and f"localhost/s/{link.code}" not in page.replace(f"/s/{link.code}.", ""), path


def test_a_panel_says_the_same_for_a_mail_in_dutch(app, project, noor, link):
    from flask_babel import force_locale

    with app.test_request_context(), force_locale("nl"):
        own = panel.panel_of(link, project)
        assert own.poster_url == f"/s/{link.code}/poster.pdf" and own.message.endswith(own.link_url)
        assert [sign for _l, _u, sign in own.links] == ["whatsapp", "envelope", "mastodon", "printer"]
    db.session.rollback()
