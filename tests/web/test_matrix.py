"""W-18: every route × every role, with own and foreign things. A new route is here by itself; a new rule needs a row."""

from typing import Any

import pytest

from core.policy import RULES, rule_of
from tests.web.scene import ROLES, make_scene, routes

WORKERS = ("creator", "collaborator", "organiser", "staff")
YES, LOGIN, NO, NONE = "allowed", "login", 403, 404


def _project(role: str, place: str, *, live: tuple[str, ...]) -> Any:
    """The answer of a rule for members: of a draft that is not theirs nobody learns that it exists."""
    if role == "anonymous":
        return LOGIN
    if place == "other":
        mine = {"other_creator": "creator", "staff": "staff"}.get(role)
        return YES if mine in live else NO
    if role in live:
        return YES
    return NONE if place == "draft" and role not in WORKERS else NO


EXPECTED: dict[str, Any] = {
    "anyone": lambda role, about: YES,
    "development": lambda role, about: YES,  # those routes exist in development only
    "signed-in": lambda role, about: LOGIN if role == "anonymous" else YES,
    "staff": lambda role, about: LOGIN if role == "anonymous" else YES if role == "staff" else NO,
    "project:see": lambda role, about: YES if about != "draft" or role in WORKERS else NONE,
    "project:edit": lambda role, about: _project(role, about, live=WORKERS),
    "project:own": lambda role, about: _project(role, about, live=("creator",)),
    "project:stop": lambda role, about: _project(role, about, live=("creator", "staff")),
    "project:backers": lambda role, about: _project(role, about, live=("creator", "organiser")),
    "project:pledge": lambda role, about: LOGIN if role == "anonymous" else
        YES if about != "draft" or role in WORKERS else NONE,
    "project:send-pledge": lambda role, about: LOGIN if role == "anonymous" else
        YES if about != "draft" or role in WORKERS else NONE,
    "sharing:moderate": lambda role, about: _project(role, about, live=("creator", "organiser", "staff")),
    "sharing:public": lambda role, about: NONE if about == "draft" else YES,
    "sharing:share": lambda role, about: LOGIN if role == "anonymous" else NONE if about == "draft" else YES,
    "ambassadors:judge": lambda role, about: LOGIN if role == "anonymous" else NONE,  # no round in the scene
    "project:money": lambda role, about: _project(role, about, live=("creator", "staff")),
    "project:collection": lambda role, about: _project(role, about, live=("creator", "staff")),
    "project:refunds": lambda role, about: _project(role, about, live=("creator", "staff")),
    "pledge:refund": lambda role, about: LOGIN if role == "anonymous" else YES if role in ("creator", "staff") else
        NO if role in WORKERS else NONE,
    "pledge:own": lambda role, about: LOGIN if role == "anonymous" else
        YES if f"backer_{about[-1]}" == role else NONE,
}
# Allowed, and there is nothing at this address: not the rule's 404.
EMPTY = {"mailbox.show", "mailbox.body", "payments.dispute", "payments.send_evidence", "payments.bundle",
         "payments.acceptance", "payments.decide_warning", "payments.settle_difference",
         "sharing.decide_flag", "sharing.reopen_flag", "sharing.lift_ban", "sharing.platform_decide",
         "sharing.platform_reopen", "sharing.platform_lift", "sharing.ask_again",
         "sharing.hide_recommendation", "sharing.show_recommendation", "sharing.widget", "sharing.badge",
         "sharing.project_card", "sharing.oembed",
         "sharing.tag", "sharing.archive_tag", "sharing.restore_tag", "sharing.word", "sharing.name",
         "sharing.withdraw_application", "sharing.vote", "sharing.hand_in_proof", "sharing.hand_in_again",
         "sharing.leave_round", "sharing.ambassador_link", "sharing.announce_round", "sharing.cancel_round",
         "sharing.add_juror", "sharing.remove_juror", "sharing.change_place", "sharing.round_mission",
         "sharing.remove_mission", "sharing.decide_proof", "sharing.remove_kit_item", "sharing.export_score"}


def answer_of(response: Any) -> Any:
    if response.status_code in (302, 303) and response.location.split("?")[0].endswith("/login"):
        return LOGIN
    return response.status_code if response.status_code in (NO, NONE) else YES


def test_every_rule_has_a_row(session_app: Any) -> None:
    assert sorted(RULES) == sorted(EXPECTED)


@pytest.mark.parametrize("role", ROLES)
def test_every_route_answers_this_role_as_its_rule_says(app: Any, stripe: Any, role: str) -> None:
    scene = make_scene(stripe)
    client = scene.browser(app, role)
    token = scene.token(client, role)
    wrong, asked = [], 0
    for method, rule in routes(app):
        name = rule_of(app, rule.endpoint)
        for about, address in scene.addresses(rule):
            expected = EXPECTED[name](role, about)
            if expected is YES and rule.endpoint == "security.logout" and role == "anonymous":
                continue
            sent = {"csrf_token": token} if method == "POST" else None
            response = client.open(address, method=method, data=sent)
            asked += 1
            got = answer_of(response)
            if response.status_code >= 500 or (got != expected and not (
                    expected is YES and led_home(rule.endpoint, response))):
                wrong.append(f"{method} {address} ({name}, {about}): {response.status_code}, expected {expected}")
            if rule.endpoint in ("security.logout", "people.end_sessions", "security.login") and role != "anonymous":
                client = scene.browser(app, role)
                token = scene.token(client, role)
    assert wrong == [] and asked > 120


def led_home(endpoint: str, response: Any) -> bool:
    """Allowed answers that look like refusals: nothing under this id, and the library's way to the sign-in page."""
    if endpoint in EMPTY:
        return bool(response.status_code == 404)
    return endpoint.startswith("security.") or endpoint in ("people.welcome", "people.end_sessions")


def test_things_of_another_project_do_not_open_under_mine(app: Any, stripe: Any) -> None:
    """The slug is mine, the id behind it is not: 404, whatever the method."""
    scene = make_scene(stripe)
    client = scene.browser(app, "creator")
    token = scene.token(client, "creator")
    mine, foreign = scene.projects["live"].slug, scene.rewards["other"]
    for method, rule in routes(app):
        if "reward_id" in rule.arguments:
            address = scene.build(rule, slug=mine, reward_id=foreign)
            sent = {"csrf_token": token, "title": "Mine now", "price": "1"} if method == "POST" else None
            assert client.open(address, method=method, data=sent).status_code == 404, (method, address)
    from tests.factories import scalar

    assert scalar("SELECT count(*) FROM reward WHERE id = :id AND title <> 'Mine now'", id=foreign) == 1
    pledged = client.post(f"/projects/{mine}/pledge", data={"csrf_token": token, "reward": f"{foreign}:1", "bonus": "5"})
    assert pledged.status_code == 422 and "no longer offered" in pledged.text
