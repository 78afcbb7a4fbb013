"""A small world for the generated tests: every role, own and foreign things, and an address for every route."""

import io
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

import psycopg
from PIL import Image

from core import media
from core.db import transaction
from projects.models import MemberRole, ProjectState, Update
from tests.factories import back, csrf_token, make_member, make_person, make_project, make_reward, sign_in

ROLES = ("anonymous", "stranger", "backer_a", "backer_b", "creator", "other_creator", "collaborator", "organiser",
         "staff")
PLACES = ("live", "draft", "other")  # the creator's live project and draft, and the other creator's live project
LAST = ("rewards.remove", "sharing.remove_milestone", "projects.remove_member", "projects.launch", "projects.cancel_draft", "people.end_sessions",
        "security.logout")  # these take away what the other routes are about


@dataclass
class Scene:
    people: dict[str, Any] = field(default_factory=dict)
    projects: dict[str, Any] = field(default_factory=dict)
    rewards: dict[str, Any] = field(default_factory=dict)
    pledges: dict[str, Any] = field(default_factory=dict)  # by the place of their project: whose are which is below
    members: dict[str, Any] = field(default_factory=dict)
    milestones: dict[str, Any] = field(default_factory=dict)
    loose: dict[str, str] = field(default_factory=dict)

    def browser(self, app: Any, role: str) -> Any:
        client = app.test_client()
        return client if role == "anonymous" else sign_in(client, self.people[role])

    def token(self, client: Any, role: str) -> str:
        return csrf_token(client, "/login" if role == "anonymous" else "/me/settings")

    def addresses(self, rule: Any) -> list[tuple[str, str]]:
        """(what it is about, address) for each own and foreign thing that this route can name."""
        names = rule.arguments
        if "pledge_id" in names:
            return [(f"pledge_{of}", self.build(rule, pledge_id=self.pledges[of])) for of in ("a", "b")]
        if "slug" in names:
            return [(place, self.build(rule, slug=self.projects[place].slug, reward_id=self.rewards[place],
                                       person_id=self.members[place].id, number=1,
                                       milestone_id=self.milestones[place])) for place in PLACES]
        return [("", self.build(rule))]

    def build(self, rule: Any, **known: Any) -> str:
        known |= self.loose
        if rule.endpoint.endswith("static"):
            known["filename"] = "tokens.css" if rule.endpoint == "static" else "css/bootstrap.min.css"
        missing = rule.arguments - set(known)
        assert not missing, f"tell the scene what {missing} of {rule.rule} may be"
        _host, path = rule.build({name: known[name] for name in rule.arguments}, append_unknown=False)
        return str(path).lstrip("|")


def routes(app: Any) -> list[tuple[str, Any]]:
    """(method, rule) of every route, the destructive ones last."""
    # Without a worker the site is not ready, and says 503 to everybody: tests/core has that page.
    found = [(method, rule) for rule in app.url_map.iter_rules() if rule.rule != "/readyz" for method in sorted(rule.methods & {"GET", "POST"})]
    return sorted(found, key=lambda pair: (LAST.index(pair[1].endpoint) + 1 if pair[1].endpoint in LAST else 0,
                                           pair[1].rule, pair[0]))


def picture_key() -> str:
    file = io.BytesIO()
    Image.new("RGB", (1600, 1067), "#0E3B31").save(file, "PNG")
    with transaction():
        return media.store(io.BytesIO(file.getvalue())).key


def make_scene(stripe: Any) -> Scene:
    from rewards.models import RewardKind
    from sharing.models_milestones import Milestone
    from sharing.services import link_of

    scene = Scene()
    names = iter(("Sanne Vos", "Anna Bos", "Bram Kok", "Noor Bakker", "Otto Smit", "Kees Mol", "Jip Maas", "Siem Dam"))
    for role in ROLES[1:]:
        scene.people[role] = make_person(next(names), is_staff=role == "staff")
    creator, other = scene.people["creator"], scene.people["other_creator"]
    scene.projects = {"live": make_project(creator), "draft": make_project(creator, state=ProjectState.DRAFT,
                                                                           launched_at=None, fee_bp=None),
                      "other": make_project(other)}
    for place, project in scene.projects.items():
        scene.rewards[place] = make_reward(project, quantity=20).id
        unlocked = make_reward(project, 0, kind=RewardKind.MILESTONE)
        with transaction() as session:
            session.add(step := Milestone(project_id=project.id, reward_id=unlocked.id, friends=3))
        scene.milestones[place] = step.id
        with transaction() as session:
            session.add(Update(project_id=project.id, number=1, author_id=project.creator_id, title="We begin",
                               body="Today."))
        if place == "other":
            scene.members[place] = make_member(project, make_person(), MemberRole.COLLABORATOR)
        else:
            scene.members[place] = make_member(project, scene.people["collaborator"], MemberRole.COLLABORATOR)
            make_member(project, scene.people["organiser"], MemberRole.ORGANISER)
    for of in "ab":
        scene.pledges[of] = back(stripe, scene.projects["live"], scene.people[f"backer_{of}"]).id
    link = link_of(scene.people["backer_a"], scene.projects["live"])
    scene.loose = {"code": link.code, "name": f"{picture_key()}-400.webp", "token": "x", "mail_id": str(uuid.uuid4()),
                   "handle": creator.handle, "dispute_id": str(uuid.uuid4()), "warning_id": str(uuid.uuid4()),
                   "mismatch_id": str(uuid.uuid4()), "action": "refund", "refund_id": str(uuid.uuid4()),
                   "recommendation_id": str(uuid.uuid4()),
                   "flag_id": str(uuid.uuid4()), "ban_id": str(uuid.uuid4()),
                   **{name: str(uuid.uuid4()) for name in ("mission_id", "proof_id", "application_id", "item_id")}}
    return scene

def fingerprint(database_url: str) -> dict[str, Any]:
    """One number per table for all that stands in it."""
    with psycopg.connect(database_url) as connection:
        tables = [row[0] for row in connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'")]
        assert all(re.fullmatch(r"\w+", table) for table in tables)
        return {table: connection.execute(
            f"SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} t").fetchone()
            for table in tables}
