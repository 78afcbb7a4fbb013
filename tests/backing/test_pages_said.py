"""What the pages of a pledge say while it is made: amounts in the reader's way, an hour with its zone, no dead button."""

from datetime import timedelta

import pytest

from backing import placing
from core import clock
from core.errors import BadInput
from tests.factories import csrf_token, hold, make_person, make_project, make_reward, sign_in


def test_a_hold_names_the_zone_of_its_hour_and_more_time_is_offered_once(app, stripe):
    project = make_project(zone="America/Chicago")
    fan = make_person()
    placed = hold(project, fan, make_reward(project))
    client = sign_in(app.test_client(), fan)
    path = f"/pledges/{placed.pledge_id}"
    page = client.get(path).text
    assert "(Chicago time)" in page.split("Held for you until")[1][:60] and "I need more time" in page
    assert "(Chicago time)" in client.get("/me/pledges").text.split("Held until")[1][:60]
    clock.move_clock(timedelta(minutes=5))
    done = client.post(f"{path}/hold", data={"csrf_token": csrf_token(client, path)}, follow_redirects=True)
    assert "kept for another" in done.text and "I need more time" not in done.text


@pytest.mark.parametrize(("language", "said"), [("en", "at least €0.50"), ("nl", "minstens €\u00a00,50")])
def test_a_refused_amount_is_said_as_the_reader_writes_it(app, language, said):
    with app.test_request_context(f"/?lang={language}"), pytest.raises(BadInput) as refused:
        placing.check_amount(0, 10, "EUR")
    assert said in refused.value.sentence
