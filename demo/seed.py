"""The demo's content, made by the services that people use, against the sandbox: every pledge has a card.

What took weeks is then dated back, since nobody waits that long for a demo; history rows keep the true time.
"""

import io
import random
import sys
import uuid
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from flask import current_app
from flask_security.utils import hash_password

from backing import totals
from backing.changes import cancel_pledge
from backing.collecting import run_collection
from backing.consenting import consent_from
from backing.placing import Choice, SoldOut, place_pledge
from core import clock, media
from core.db import db, transaction
from demo import stories
from demo.model import Person as Part
from demo.model import Project as Plot
from demo.pictures import PICTURES, draw
from demo.sandbox_clock import control
from payments import accounts, cards
from people.models import Person
from projects.closing import close_due
from projects.launching import launch
from projects.models import Category, MemberRole, Project
from projects.news import publish_update
from projects.pitch import create_project, edit_basics, edit_faq, edit_story, set_picture, story_line
from projects.team import add_member
from rewards.models import Reward, RewardKind
from rewards.services import add_reward
from sharing import recommendations
from sharing.queries import standing_pledge
from sharing.services import link_of
from sharing.steps import add_step
from sharing.tallies import rebuild

CARD = "4242424242424242"
SOURCES = ("direct", "direct", "discover", "search", "nieuwsblad.example", "muziek.example")


def seed() -> bool:
    """Fill the database unless it holds a project already; False if it does."""
    if db.session.scalar(sa.select(sa.func.count()).select_from(Project)):
        return False
    luck = random.Random(2026)  # the same demo every time
    password = hash_password(stories.PASSWORD)
    crowd = [_person(part, password) for part in stories.crowd()]
    fan = _person(stories.FAN, password)
    organiser = _person(stories.ORGANISER, password)
    for number, plot in enumerate(stories.PROJECTS, 1):
        _say(f"{number} of {len(stories.PROJECTS)}: {plot.title}")
        creator = _person(plot.creator, password)
        _payouts(creator, plot.country)
        project = _pitch(plot, creator)
        for member, _role in plot.collaborators:
            add_member(project, _person(member, password).email, MemberRole.COLLABORATOR)
        add_member(project, organiser.email, MemberRole.ORGANISER)
        extra = [fan] if plot.key in ("record", "newsroom") else []
        _back(plot, project, [*extra, *luck.sample(crowd, len(crowd))], luck)
        _news(plot, project, creator)
        _date_back(plot, project)
    _visits()
    _forget_mails()
    return True


def _say(words: str) -> None:
    print(f"  making the demo: {words} …", file=sys.stderr, flush=True)


def _person(part: Part, password: str) -> Person:
    known = db.session.scalar(sa.select(Person).where(Person.email == part.email))
    if known:
        return known
    with transaction() as session:
        person = Person(email=part.email, name=part.name, handle=part.handle, bio=part.bio, password=password,
                        fs_uniquifier=uuid.uuid4().hex, active=True, confirmed_at=clock.now())
        session.add(person)
    return person


def _payouts(creator: Person, country: str) -> None:
    base = current_app.config["BASE_URL"]
    accounts.onboarding(creator, country, f"{base}/", f"{base}/")
    account = accounts.account_of(creator.id)
    assert account is not None
    control(f"accounts/{account.stripe_id}/activate", {})
    accounts.refresh_account(creator.id)


def _png(name: str) -> io.BytesIO:
    out = io.BytesIO()
    draw(name).save(out, "PNG", compress_level=1)
    out.seek(0)
    return out


def _pitch(plot: Plot, creator: Person) -> Project:
    project = create_project(creator, plot.title, category=Category(plot.category), blurb=plot.blurb,
                             place=plot.place, country=plot.country, currency=plot.currency, zone=_zone(plot))
    days = max(plot.days_left, 2)
    edit_basics(project, title=plot.title, blurb=plot.blurb, category=Category(plot.category), place=plot.place,
                goal=plot.goal, deadline=clock.now() + timedelta(days=days, hours=11), zone=_zone(plot))
    story = plot.story
    for name in stories.story_pictures(plot):
        with transaction():
            picture = media.store(_png(name), creator.id)
            key = picture.key
        story = _place_picture(story, name, key)
    edit_story(project, story, by=creator)
    set_picture(project, _png(plot.cover), PICTURES[plot.cover].alt, creator)
    edit_faq(project, [(faq.ask, faq.answer) for faq in plot.faq])
    today = clock.now().date()
    for tier in plot.rewards:
        month = today.month - 1 + tier.months
        add_reward(project, tier.title, tier.price, description="\n".join(tier.lines), quantity=tier.quantity,
                   delivery_on=date(today.year + month // 12, month % 12 + 1, 1),
                   picture=_png(tier.picture) if tier.picture else None,
                   picture_alt=PICTURES[tier.picture].alt if tier.picture else "", by=creator)
    for friends, title, text, quantity in plot.milestones:
        add_step(project, friends, title, description=text, quantity=quantity, by=creator)
    return launch(project, creator)


def _zone(plot: Plot) -> str:
    return {"US": "America/Chicago", "BE": "Europe/Brussels"}.get(plot.country, "Europe/Amsterdam")


def _place_picture(story: str, name: str, key: str) -> str:
    lines = [story_line(key, line[2:line.index("]")]) if f"(picture:{name})" in line else line
             for line in story.splitlines()]
    return "\n".join(lines)


def _back(plot: Plot, project: Project, people: list[Person], luck: random.Random) -> None:
    """Pledges until the wanted percentage, a third of them through the links of earlier backers."""
    offers = [(r.id, r.price) for r in db.session.scalars(sa.select(Reward).where(
        Reward.project_id == project.id, Reward.kind == RewardKind.PLEDGE))]
    weights = [10_000 / price for _id, price in offers]
    project_id, wanted = project.id, (project.goal or 0) * plot.percent // 100
    raised, codes = 0, []  # type: ignore[var-annotated]
    for number, person in enumerate(people):
        if raised >= wanted:
            break
        reward_id, price = luck.choices(offers, weights)[0] if luck.random() > 0.06 else (None, 0)
        bonus = luck.choice((0, 0, 0, 500, 1000, 2500)) if reward_id else luck.choice((500, 1000, 2000))
        ref = luck.choice(codes[: max(3, len(codes) // 3)]) if codes and luck.random() < 0.36 else None
        try:
            placed = place_pledge(Choice(project_id, person.id, reward_id, bonus, uuid.uuid4(), ref,
                                         "share" if ref else luck.choice(SOURCES),
                                         consent=consent_from(f"198.51.100.{number % 250}", "Firefox")))
        except SoldOut:
            continue
        _save_card(placed.pledge_id, project_id, person, project.currency, number)
        if number % 3 == 0:
            codes.append(link_of(person, project_id).code)
        if number % 31 == 30:
            cancel_pledge(placed.pledge_id, person.id, luck.choice(("price", "doubt", "money", "")))
        else:
            raised += price + bonus
    totals.roll_up()
    _recommend(project_id, people)


REASONS = ("The drawing made me stop, the story made me stay.", "They answered my question within the hour.",
           "It is small, and they know exactly what it costs.", "My sister sent me the link and she is usually right.",
           "I like people who say what could go wrong.")


def _recommend(project_id: Any, people: list[Person]) -> None:
    """Every third of the first backers has a link already, and now says why; the last text is the first to be read."""
    for person, text in reversed(list(zip(people[:len(REASONS) * 3:3], REASONS, strict=False))):
        if standing_pledge(person.id, project_id):
            recommendations.save(person.id, db.session.get_one(Project, project_id), text, is_shown=True)


# In the project that is collected, a few cards fail as cards do.
FAILING = {17: "4000000000000341", 41: "4000002760003184", 66: "4000000000000341"}


def _save_card(pledge_id: Any, project_id: Any, person: Person, currency: str, number: int) -> None:
    url = cards.open_card_form(subject_id=pledge_id, project_id=project_id, person=person, currency=currency,
                               description="Demo", locale="en", return_url="http://localhost/", cancel_url="http://localhost/")
    assert url
    session_id = db.session.scalar(sa.text("SELECT session_id FROM card_setup WHERE subject_id = :p"), {"p": pledge_id})
    control(f"checkout/{session_id}/complete", {"number": FAILING.get(number, CARD)})
    cards.settle_card(str(session_id))


def _news(plot: Plot, project: Project, creator: Person) -> None:
    for update in plot.updates:
        publish_update(project, creator, update.title, update.text)


def _date_back(plot: Plot, project: Project) -> None:
    """Spread pledges and news over the days they would have taken, and let ended projects end."""
    project_id, gone = project.id, plot.days - max(plot.days_left, 0) if plot.days_left >= 0 else plot.days
    ago = max(-plot.days_left, 0)
    with transaction() as session:
        # Crowds come early and late and little in between: the curve of nearly every project.
        session.execute(sa.text("""
            WITH spread AS (
                SELECT id, clock_now() - make_interval(secs => :ago * 86400.0)
                       - make_interval(secs => :days * 86400.0 *
                         (1 - CASE WHEN part < 0.4 THEN part * 0.55 ELSE 0.22 + (part - 0.4) * 1.3 END)) AS at
                  FROM (SELECT id, row_number() OVER (ORDER BY placed_at) / (1.0 + count(*) OVER ()) AS part
                          FROM pledge WHERE project_id = :project) numbered)
            UPDATE pledge SET placed_at = spread.at, pledged_at = CASE WHEN pledged_at IS NULL THEN NULL
                              ELSE spread.at + interval '70 seconds' END
              FROM spread WHERE pledge.id = spread.id"""), {"project": project_id, "days": gone * 0.995, "ago": ago})
        session.execute(sa.text("""
            UPDATE project SET launched_at = clock_now() - make_interval(days => :gone),
                               created_at = clock_now() - make_interval(days => :gone + 14) WHERE id = :project"""),
            {"project": project_id, "gone": gone + ago})
        for update in plot.updates:
            session.execute(sa.text("""
                UPDATE project_update SET published_at = least(clock_now() - interval '3 hours',
                       clock_now() - make_interval(days => :gone) + make_interval(days => :day, hours => 9))
                 WHERE project_id = :project AND title = :title"""),
                {"project": project_id, "gone": gone + ago, "day": update.day, "title": update.title})
        if plot.state != "live":
            session.execute(sa.text("UPDATE project SET deadline = clock_now() - interval '1 second' WHERE id = :p"),
                            {"p": project_id})
    if plot.state == "live":
        return
    close_due()
    run_collection(project_id)
    totals.roll_up()
    with transaction() as session:
        when = {"p": project_id, "ago": ago}
        session.execute(sa.text("""
            UPDATE project SET deadline = clock_now() - make_interval(days => :ago),
                               closed_at = clock_now() - make_interval(days => :ago) WHERE id = :p"""), when)
        session.execute(sa.text("""
            UPDATE pledge SET collected_at = clock_now() - make_interval(days => :ago) WHERE project_id = :p
               AND state = 'collected'"""), when)


def _visits() -> None:
    """Visits by the links, some for each pledge that came of them; the visitors are random bytes, as in life."""
    with transaction() as session:
        session.execute(sa.text("""
            INSERT INTO share_visit (link_id, project_id, visitor, half_hour, at)
            SELECT r.link_id, r.project_id, uuid_send(gen_random_uuid()), date_trunc('hour', p.placed_at), p.placed_at
              FROM recruit r JOIN pledge p ON p.id = r.pledge_id, generate_series(1, 1 + (p.number * 7) % 5)"""))
        shared = session.scalars(sa.text("SELECT DISTINCT project_id FROM recruit")).all()
    for project_id in shared:
        rebuild(project_id)  # the pledges were spread over days after they were counted


def _forget_mails() -> None:
    """The demo's mailbox starts with the newest few, not with some hundred receipts."""
    with transaction() as session:
        session.execute(sa.text("""
            UPDATE mail SET state = 'dropped' WHERE state = 'queued' AND id NOT IN (
                   SELECT id FROM mail WHERE state = 'queued' ORDER BY id DESC LIMIT 12)"""))

