"""What no keyboard types and no table takes."""

from typing import Any

import pytest

from tests.factories import csrf_token, make_project, sign_in
from tests.sharing.round_scenes import make_round


@pytest.mark.parametrize("path", ["edit", "recruits/milestones/new", "ambassadors/desk/cancellation"])
def test_a_text_with_a_nul_is_refused_with_a_sentence(client: Any, path: str) -> None:
    project = make_project()
    made = make_round(project)
    sign_in(client, project.creator)
    at = f"/projects/{project.slug}"
    fields = {"csrf_token": csrf_token(client, f"{at}/recruits/milestones/new"), "title": "Night\0train", "friends": "2", "why": "a\0b",
              "blurb": "A record", "category": "music", "place": "Utrecht", "country": "NL", "goal": "1000", "currency": "EUR",
              "zone": "Europe/Amsterdam", "edition": str(project.edition)}
    answer = client.post(f"{at}/{path}", data=fields)
    assert answer.status_code in (400, 422), answer.status_code
    assert "a sign that no text can have" in answer.text or answer.status_code == 422
    assert made.state == "open" and client.get(at).status_code == 200
