"""Plain functions that make things for tests: real rows through the session, committed."""

import itertools
import secrets
import uuid
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from core import clock
from core.db import db, transaction
from people.models import Person
from projects.models import Category, MemberRole, Project, ProjectMember, ProjectState, ProjectTotal
from rewards.models import Reward, RewardTotal

_count = itertools.count(1)
CAST = ["Noor Bakker", "Mo El Idrissi", "Ravi Doerga", "Puck de Boer", "Els Kramer", "Thijs Brouwer", "Ines Peeters"]


def make_person(name: str = "", **columns: Any) -> Person:
    """A confirmed account; the password hash is unusable, sign in with `sign_in`."""
    n = next(_count)
    name = name or CAST[n % len(CAST)]
    with transaction() as session:
        person = Person(**({"name": name, "email": f"{name.split()[0].lower()}{n}@example.org",
                            "handle": f"{name.split()[0].lower()}{n}", "fs_uniquifier": uuid.uuid4().hex,
                            "password": "*", "confirmed_at": clock.now()} | columns))
        session.add(person)
    return person


def make_project(creator: Person | None = None, *, state: ProjectState = ProjectState.LIVE, days: float = 9,
                 goal: int | None = 100_000, **columns: Any) -> Project:
    """A live project with nine days to go, unless told otherwise."""
    n = next(_count)
    creator = creator or make_person()
    with transaction() as session:
        project = Project(**({
            "slug": f"night-train-{n}", "creator_id": creator.id, "state": state, "title": f"Night train {n}",
            "blurb": "Eleven songs from eleven sleepers.", "story": "We *play* on trains.\n\n## Why\n\nBecause.",
            "category": Category.MUSIC, "place": "Utrecht", "goal": goal, "currency": "EUR", "fee_bp": 500,
            "deadline": clock.now() + timedelta(days=days), "zone": "Europe/Amsterdam",
            "launched_at": clock.now() - timedelta(days=20)} | columns))
        session.add(project)
        session.flush()
        session.add(ProjectTotal(project_id=project.id))
    return project


def make_reward(project: Project, price: int = 2_500, quantity: int | None = None, **columns: Any) -> Reward:
    with transaction() as session:
        reward = Reward(**({"project_id": project.id, "title": f"Signed CD {next(_count)}", "price": price,
                            "quantity": quantity, "description": "The album\nSigned by all of us"} | columns))
        session.add(reward)
        session.flush()
        session.add(RewardTotal(reward_id=reward.id, project_id=project.id))
    return reward


def make_member(project: Project, person: Person | None = None, role: MemberRole = MemberRole.ORGANISER) -> Person:
    person = person or make_person()
    with transaction() as session:
        session.add(ProjectMember(project_id=project.id, person_id=person.id, role=role))
    return person


_PLEDGE = sa.text("""
    INSERT INTO pledge (project_id, backer_id, reward_id, state, number, amount, bonus, currency, token, source,
                        placed_at, pledged_at, held_until)
    VALUES (:project, :backer, :reward, :state, :number, :amount, :bonus, :currency, gen_random_uuid(), :source,
            :at, :pledged_at, :held_until)
    RETURNING id""")


def make_pledge(project: Project, backer: Person | None = None, reward: Reward | None = None, *,
                state: str = "pledged", amount: int | None = None, number: int | None = None, bonus: int = 0,
                source: str = "direct", at: Any = None, recruiter: Person | None = None) -> Any:
    """A pledge as a row, past all services: nothing is counted, mailed or queued. Numbers follow by themselves."""
    backer = backer or make_person()
    at = at or clock.now()
    with transaction() as session:
        if number is None and state not in ("held", "expired"):
            number = session.scalar(sa.text("SELECT coalesce(max(number), 0) + 1 FROM pledge WHERE project_id = :p"),
                                    {"p": project.id})
        id_ = session.scalar(_PLEDGE, {
            "project": project.id, "backer": backer.id, "reward": reward.id if reward else None, "state": state,
            "number": number, "amount": amount or (reward.price if reward else 2_500) + bonus, "bonus": bonus,
            "currency": project.currency, "source": source, "at": at,
            "pledged_at": None if state in ("held", "expired") else at,
            "held_until": at + timedelta(minutes=15) if state == "held" else None})
        if recruiter:
            link = session.scalar(sa.text("""
                INSERT INTO share_link (code, project_id, person_id) VALUES (:code, :project, :person)
                ON CONFLICT (project_id, person_id) DO UPDATE SET code = share_link.code RETURNING id"""),
                {"code": secrets.token_hex(8), "project": project.id, "person": recruiter.id})
            session.execute(sa.text("""
                INSERT INTO recruit (pledge_id, project_id, link_id, recruiter_id, backer_id, path)
                SELECT :pledge, :project, id, :recruiter, :backer, path_of(:project, :recruiter) || n
                  FROM share_link WHERE id = :link"""), {
                "pledge": id_, "project": project.id, "link": link, "recruiter": recruiter.id, "backer": backer.id})
    from backing.models import Pledge

    return db.session.get_one(Pledge, id_)


def square() -> None:
    """Give pledges that were made as rows what the services would have written: lines, stock, totals."""
    with transaction() as session:
        session.execute(sa.text("""
            INSERT INTO pledge_line (pledge_id, project_id, kind, title, amount)
            SELECT id, project_id, 'bonus', 'made as a row', amount FROM pledge p
             WHERE NOT EXISTS (SELECT 1 FROM pledge_line l WHERE l.pledge_id = p.id)"""))
        session.execute(sa.text("""
            UPDATE reward r SET claimed = (SELECT count(*) FROM pledge p WHERE p.reward_id = r.id AND p.state IN
                   ('held', 'pledged', 'collecting', 'collected', 'errored', 'lapsed', 'refunded'))
             WHERE quantity IS NOT NULL AND kind = 'pledge'"""))
        session.execute(sa.text("""
            UPDATE project_total t SET (raised, backers) = (SELECT coalesce(sum(amount), 0), count(*) FROM pledge p
                    WHERE p.project_id = t.project_id
                      AND p.state IN ('pledged', 'collecting', 'collected', 'errored', 'lapsed'))
             WHERE NOT EXISTS (SELECT 1 FROM pledge_delta d WHERE d.project_id = t.project_id)"""))


def sign_in(client: Any, person: Person) -> Any:
    """Give this browser a signed-in session without the forms; returns the client."""
    from core.sessions import _WRITE, _hash, _json

    sid = secrets.token_urlsafe(32)
    content = {"_user_id": person.fs_uniquifier, "_fresh": True, "_person": person.id,
               "_permanent": True}
    with db.engine.begin() as connection:
        connection.execute(_WRITE, {"id": _hash(sid), "person": person.id, "content": _json.dumps(content)})
    client.set_cookie("session", sid, domain="localhost")
    return client


def csrf_token(client: Any, path: str) -> str:
    """The token of the form on this page."""
    import re

    page = client.get(path).get_data(as_text=True)
    match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert match, f"no form on {path}"
    return match[1]


def scalar(sql: str, **values: Any) -> Any:
    return db.session.execute(sa.text(sql), values).scalar()


def analyze(session: Any, *tables: str) -> None:
    """New statistics in the middle of a bulk insert, by the tables' owner: asked for by the application's role, PostgreSQL
    skips it with a warning. With a plan made for a handful of rows, each key check reads the whole table."""
    session.execute(sa.text("SET LOCAL ROLE NONE"))
    session.execute(sa.text(f"ANALYZE {', '.join(tables)}"))
    assert session.execute(sa.text("SELECT min(reltuples) FROM pg_class WHERE oid = ANY(CAST(:t AS regclass[]))"),
                           {"t": list(tables)}).scalar() >= 0
    session.execute(sa.text("SET LOCAL ROLE achterban_app"))


def hold(project: Project, backer: Person, reward: Reward | None = None, bonus: int = 0, **choice: Any) -> Any:
    """Place a pledge through the service; returns `Placed`."""
    from backing.placing import Choice, place_pledge

    return place_pledge(Choice(project.id, backer.id, reward.id if reward else None,
                               bonus or (0 if reward else 1_000), choice.pop("token", uuid.uuid4()), **choice))


def save_card(stripe: Any, pledge_id: Any, number: str = "4242424242424242", **more: Any) -> str:
    """Open Stripe's form for a pledge, type this card there as a person would, and take the news; the session's id."""
    from backing.models import Pledge
    from payments import cards

    pledge = db.session.get_one(Pledge, pledge_id)
    cards.open_card_form(subject_id=pledge.id, project_id=pledge.project_id, person=pledge.backer,
                         currency=pledge.currency, description="x", locale="en", return_url="http://localhost/back",
                         cancel_url="http://localhost/")
    session_id = scalar("SELECT session_id FROM card_setup WHERE subject_id = :p ORDER BY created_at DESC LIMIT 1",
                        p=pledge_id)
    stripe.post(f"checkout/{session_id}/complete", number=number, **more)
    cards.settle_card(session_id)
    return str(session_id)


def back(stripe: Any, project: Project, backer: Person | None = None, reward: Reward | None = None, bonus: int = 0,
         number: str = "4242424242424242", **choice: Any) -> Any:
    """A whole pledge: held, card saved, counting; returns the Pledge."""
    from backing.models import Pledge

    placed = hold(project, backer or make_person(), reward, bonus, **choice)
    save_card(stripe, placed.pledge_id, number)
    db.session.expire_all()
    return db.session.get_one(Pledge, placed.pledge_id)


def end_project(app: Any, project: Project) -> None:
    """Move the clock past the deadline and let the worker do what follows."""
    from core.jobs import drain

    left = project.deadline - clock.now()  # type: ignore[operator]
    clock.move_clock(left + timedelta(seconds=2))
    drain(app)
    drain(app)
    db.session.expire_all()


def check_money() -> None:
    """Every invariant holds."""
    from payments.checks import run_checks

    broken = [(name, rows) for name, rows in run_checks() if rows]
    assert not broken, broken
