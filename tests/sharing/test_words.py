import threading
from contextlib import suppress

import pytest
from flask_babel import force_locale

from core import audit, rate
from core.db import db
from core.errors import BadInput, TooOften
from projects.models import ProjectState
from sharing import queries, services, tags, words
from tests.factories import csrf_token, make_member, make_person, make_project, sign_in
from tests.sharing.scenes import count, open_link


@pytest.fixture
def project(app):
    queries._kept.clear()
    return make_project()


@pytest.fixture
def noor(app):
    return make_person("Noor Bakker")


@pytest.fixture
def link(project, noor):
    return services.link_of(noor, project)


def post(client, project, **data):
    path = f"/projects/{project.slug}/share"
    return client.post(f"{path}/word", data={"csrf_token": csrf_token(client, path)} | data)


@pytest.mark.parametrize(("typed", "said"), [
    ("", "Write a word"), ("ab", "3 to 30"), ("a" * 31, "3 to 30"), ("night train", "single hyphens"),
    ("night--train", "single hyphens"), ("-night", "single hyphens"), ("night-", "single hyphens"), ("night_train", "single"),
    ("nіght-train", "a to z"), ("café", "a to z"), ("ｎｉｇｈｔ", "a to z"), ("night\u200btrain", "a to z"), ("夜行列車", "a to z"),
    ("K7QX4M2PBTRHA", "like one of our codes"), ("nachttrein-413", "like one of our codes"), ("night/train", "single"),
    ("../admin", "single"), ("none", "for the site"), ("poster", "for the site"), ("admin", "for the site"),
    ("ad-min", "for the site"), ("login", "for the site"), ("projects", "for the site"), ("discover", "for the site"),
    ("webhooks", "for the site"), ("livez", "for the site"), ("my-achterban", "for the site"), ("stripe-help", "for the site"),
    ("oembed", "for the site"), ("night\x00train", "single")])
def test_what_cannot_be_a_word_is_refused_with_a_sentence(app, link, typed, said):
    with app.test_request_context(), force_locale("en"):
        assert said in (words.refused_word(typed) or "")
        with pytest.raises(BadInput) as refused:
            words.claim_word(link, typed, None)
    assert refused.value.field == "word" and count("share_word") == 0


@pytest.mark.parametrize("typed", ["night-train", "Night-Train", "  nachttrein ", "413", "a-b-c", "x" * 30])
def test_a_word_leads_where_its_link_leads_in_whatever_case(app, client, project, link, typed):
    with app.test_request_context():
        word = words.claim_word(link, typed, None)
    assert word == typed.strip().lower()
    for said in (word, word.upper()):
        answer = open_link(client, said)
        assert (answer.status_code, answer.location) == (303, f"/projects/{project.slug}")
    assert client.get(f"/s/{word}.svg").data == client.get(f"/s/{link.code}.svg").data  # what is printed holds the code


def test_a_word_belongs_to_one_link_only(app, project, link):
    other = services.link_of(make_person("Mo El Idrissi"), project)
    with app.test_request_context():
        words.claim_word(link, "night-train", None)
        with pytest.raises(BadInput, match="taken"):
            words.claim_word(other, "Night-Train", None)
        assert words.claim_word(link, "night-train", None) == "night-train"  # once more is no fault
    assert count("share_word") == 1 and words.word_of(other.id) is None


def test_a_link_has_one_word_and_a_released_one_is_kept_from_others_for_ever(app, client, project, link, noor):
    other = services.link_of(make_person("Mo El Idrissi"), project)
    with app.test_request_context():
        words.claim_word(link, "night-train", noor.id)
        words.claim_word(link, "sleeping-car", noor.id)
        assert words.word_of(link.id) == "sleeping-car" and count("share_word") == 1
        with pytest.raises(BadInput, match="taken"):
            words.claim_word(other, "night-train", None)
        assert words.word_of(other.id) is None
        assert words.claim_word(link, "night-train", noor.id) == "night-train"  # its own may come back
        assert words.release_word(link, noor.id) and not words.release_word(link, noor.id)
    queries._kept.clear()
    assert open_link(client, "night-train").status_code == 404 and open_link(client, link.code).status_code == 303
    assert audit.entries("share_word", "night-train") == []  # a word may be a name: it is not written down


def test_a_link_burns_no_more_than_so_many_words_and_its_own_come_back_all_the_same(app, client, project, link, noor):
    other = services.link_of(make_person("Mo El Idrissi"), project)
    with app.test_request_context():
        for n in range(words.MOST):
            words.claim_word(link, f"word-{n}", noor.id)
        for by_id in (noor.id, None):
            with pytest.raises(BadInput, match=f"had {words.MOST} words already") as refused:
                words.claim_word(link, "one-more", by_id)
            assert refused.value.field == "word"
        assert words.word_of(link.id) == f"word-{words.MOST - 1}"
        for n in (0, 2, 1, 0):
            assert words.claim_word(link, f"word-{n}", noor.id) == f"word-{n}"
        words.release_word(link, noor.id)
        with pytest.raises(BadInput, match="words already"):
            words.claim_word(link, "one-more", noor.id)
        assert words.claim_word(other, "one-more", None) == "one-more"  # it was burned for nobody
    sign_in(client, noor)
    answer = post(client, project, word="yet-one-more")
    assert answer.status_code == 422 and "words already" in answer.text and 'aria-invalid="true"' in answer.text


def test_two_at_once_give_a_word_to_one(app, project):
    links = [services.link_of(make_person(), project) for _n in range(6)]
    ids, got = [link.id for link in links], []
    db.session.rollback()

    def claim(link_id):
        from sharing.models import ShareLink
        with app.app_context(), app.test_request_context():
            with suppress(BadInput):
                got.append(words.claim_word(db.session.get_one(ShareLink, link_id), "night-train", None))

    threads = [threading.Thread(target=claim, args=(link_id,)) for link_id in ids]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert got == ["night-train"] and count("share_word") == 1


def test_nobody_reads_the_list_of_words_by_asking(app, link, noor):
    with app.test_request_context():
        for n in range(words.PER_HOUR):
            with suppress(BadInput):
                words.claim_word(link, f"word-{n}" if n else "login", noor.id)
        with pytest.raises(TooOften):
            words.claim_word(link, "word-x", noor.id)
        words.claim_word(services.link_of(make_person(), link.project_id), "word-x", make_person().id)


def test_a_limit_lets_so_many_through_at_once_and_then_no_more(app):
    assert [rate.allows("knock", 3, 60) for _n in range(5)] == [True, True, True, False, False]
    assert rate.allows("knock else", 3, 60)
    assert rate.allows("fast", 1, .05)
    assert rate.forget_limits() == 0


def test_the_sharing_page_takes_a_word_and_gives_it_back(app, client, project, link, noor):
    path = f"/projects/{project.slug}/share"
    sign_in(client, noor)
    assert client.post(f"{path}/word", data={"word": "night-train"}).status_code == 400
    assert post(client, project, word="night-train").status_code == 303
    page = client.get(path).get_data(as_text=True)
    assert "localhost/s/night-train" in page and f"/s/{link.code}.svg" in page and f"/s/{link.code}/poster.pdf" in page
    assert post(client, project, act="release", word="x").status_code == 303
    assert words.word_of(link.id) is None


@pytest.mark.parametrize(("typed", "status", "said"), [
    ("night-train", 422, "is taken"), ("login", 422, "would speak for the site"), ("é" * 5, 422, "a to z"),
    ("<script>alert(1)</script>", 422, "single hyphens"), ("x" * 5_000, 422, "3 to 30")])
def test_a_refused_word_is_told_beside_the_field_and_stays_typed(app, client, project, link, typed, status, said):
    with app.test_request_context():
        words.claim_word(link, "night-train", None)
    fan = make_person("Mo El Idrissi")
    services.link_of(fan, project)
    sign_in(client, fan)
    answer = post(client, project, word=typed)
    page = answer.get_data(as_text=True)
    assert answer.status_code == status and said in page and 'aria-invalid="true"' in page and "<script>alert" not in page


def test_too_many_tries_are_a_sentence_beside_the_field(app, client, project, link, noor, monkeypatch):
    monkeypatch.setattr(words, "PER_HOUR", 1)
    sign_in(client, noor)
    assert post(client, project, word="night-train").status_code == 303
    answer = post(client, project, word="sleeping-car")
    assert answer.status_code == 429 and "Wait a little" in answer.get_data(as_text=True)


def test_who_has_no_link_and_a_project_that_is_not_public_are_404(client, project, noor):
    sign_in(client, noor)
    assert post(client, project, word="night-train").status_code == 404
    draft = make_project(state=ProjectState.DRAFT, launched_at=None, fee_bp=None)
    token = csrf_token(client, f"/projects/{project.slug}/share")
    for part in ("word", "name"):
        assert client.post(f"/projects/{draft.slug}/share/{part}", data={"csrf_token": token}).status_code == 404
        assert client.post(f"/projects/nowhere/share/{part}", data={"csrf_token": token}).status_code == 404


def test_a_name_is_shown_only_while_it_is_allowed(app, client, project, link, noor):
    path = f"/projects/{project.slug}/share"
    sign_in(client, noor)
    assert client.post(f"{path}/name", data={"is_named": "y"}).status_code == 400
    for sent, is_named in (({"is_named": "y"}, True), ({}, False)):
        assert client.post(f"{path}/name", data={"csrf_token": csrf_token(client, path)} | sent).status_code == 303
        db.session.expire_all()
        assert queries.link_between(noor.id, project.id).is_named is is_named


def test_a_tag_has_a_word_as_well_and_another_project_cannot_take_it(app, project):
    with app.test_request_context():
        tag = tags.add_tag(project, "Poster in the hall", "Posters", word="hall")
        assert tag.said == "hall"
        with pytest.raises(BadInput, match="taken"):
            tags.add_tag(make_project(), "Poster in the hall", "Posters", word="hall")
    assert count("share_tag") == 1 and count("share_link") == 1


def test_whose_word_it_is_is_nobody_elses_to_change(app, client, project, link, noor):
    sign_in(client, noor)
    post(client, project, word="night-train")
    sign_in(client, make_member(project))
    assert post(client, project, act="release", word="x").status_code == 404  # an organiser's own link, which is not there
    assert words.word_of(link.id) == "night-train"
