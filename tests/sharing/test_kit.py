import io
from datetime import timedelta
from urllib.parse import unquote

import pytest

from core import clock
from core.errors import BadInput, NotFound
from sharing import kit
from sharing.kit import Piece
from sharing.models_rounds import KitKind, RoundState
from tests.factories import make_person, make_project, scalar
from tests.sharing.round_scenes import make_application, make_round, pass_to, until

K, R = KitKind, RoundState
LINK = "http://localhost/s/ABC"


@pytest.fixture
def found(app):
    return make_round(make_project(), questions=())


def add(found, kind, **columns):
    return kit.add_item(found.id, Piece(kind, "Hello", **columns), found.project.creator)


def test_every_text_that_we_prepare_carries_the_disclosure_and_the_link(found):
    add(found, K.TEXT, text="Come and hear us.")
    [ready] = kit.ready(found, LINK)
    assert ready.words == f"Come and hear us.\n\n{found.disclosure}\n\n{LINK}"
    assert len(ready.links) == 5
    for _label, url, _sign in ready.links:
        assert found.disclosure in unquote(url) and LINK in unquote(url)
    assert not {"Facebook", "LinkedIn"} & {label for label, _url, _sign in ready.links}


@pytest.mark.parametrize(("length", "ways", "left_out"), [
    (60, {"WhatsApp", "E-mail", "Mastodon", "Bluesky", "X"}, []), (150, {"WhatsApp", "E-mail", "Mastodon", "Bluesky"}, ["X"]),
    (300, {"WhatsApp", "E-mail", "Mastodon"}, ["Bluesky", "X"]), (2_000, {"WhatsApp", "E-mail"}, ["Mastodon", "Bluesky", "X"])])
def test_a_text_is_offered_only_where_one_post_holds_it_with_the_disclosure_and_the_link(found, length, ways, left_out):
    add(found, K.TEXT, text="漢" * (length // 2) + "x" * (length // 2))  # X counts a Chinese sign for two
    [ready] = kit.ready(found, LINK)
    assert {label for label, _url, _sign in ready.links} == ways and ready.left_out == left_out


def test_what_is_early_is_read_and_not_passed_on_until_its_moment(found):
    item = add(found, K.EARLY, text="We play in June.", early_until=clock.now() + timedelta(days=2))
    [ready] = kit.ready(found, LINK)
    assert (ready.is_early, ready.words, ready.links) == (True, "", [])
    pass_to(item.early_until)
    [ready] = kit.ready(found, LINK)
    assert not ready.is_early and found.disclosure in ready.words


@pytest.mark.parametrize(("kind", "columns", "field"), [
    (K.TEXT, {}, "text"), (K.TEXT, {"text": "x" * 2_001}, "text"), (K.EARLY, {"text": "x"}, "early_until"),
    (K.LINK, {"url": "javascript:alert(1)"}, "url"), (K.PICTURE, {}, "picture"),
    (K.PICTURE, {"picture": io.BytesIO(b"<svg/>")}, "picture"), (K.PICTURE, {"picture": io.BytesIO(b"%PDF-1.7")}, "picture")])
def test_only_texts_links_and_real_pictures_go_into_the_kit(found, kind, columns, field):
    with pytest.raises(BadInput) as refusal:
        add(found, kind, **columns)
    assert refusal.value.field == field and scalar("SELECT count(*) FROM kit_item") == 0


def test_things_leave_the_kit_of_their_own_round_only(found):
    item, other = add(found, K.LINK, url="https://example.org/press"), make_round(make_project())
    with pytest.raises(NotFound):
        kit.remove_item(other.id, item.id, other.project.creator)
    kit.remove_item(found.id, item.id, found.project.creator)
    assert kit.items_of(found) == []


def test_the_disclosure_binds_ambassadors_of_a_running_round_and_nobody_else(found):
    fan = make_person()
    make_application(found, fan)
    assert kit.disclosure_of(fan.id, found.project_id) == ""
    until(found, R.RUNNING)
    assert kit.disclosure_of(fan.id, found.project_id) == found.disclosure
    assert kit.disclosure_of(make_person().id, found.project_id) == ""
    until(found, R.ENDED)
    assert kit.disclosure_of(fan.id, found.project_id) == ""
