"""The limits over HTTP: Flask with nothing around it, under the same gunicorn, on the same database.

`/ready` returns bytes that lie ready after one indexed SELECT; `/page` makes a page of the same size and rows with five
ORM SELECTs; `POST /pledge` runs the statements of a pledge as one function of the database.
"""

import hashlib
import os
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg_pool
import sqlalchemy as sa
from flask import Flask, Response, redirect, request
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from core.db import sqlalchemy_url


class Base(DeclarativeBase):
    pass


class Project(Base):
    __tablename__ = "project"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str]
    creator_id: Mapped[UUID]
    title: Mapped[str]
    blurb: Mapped[str]
    story: Mapped[str]
    place: Mapped[str]
    goal: Mapped[int]
    currency: Mapped[str]


class Person(Base):
    __tablename__ = "person"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    handle: Mapped[str]
    bio: Mapped[str]


class Reward(Base):
    __tablename__ = "reward"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID]
    position: Mapped[int]
    title: Mapped[str]
    description: Mapped[str]
    price: Mapped[int]
    quantity: Mapped[int | None]
    claimed: Mapped[int]


class Update(Base):
    __tablename__ = "project_update"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID]
    number: Mapped[int]
    title: Mapped[str]
    body: Mapped[str]


class Faq(Base):
    __tablename__ = "project_faq"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID]
    position: Mapped[int]
    question: Mapped[str]
    answer: Mapped[str]


PAGE = """<!doctype html><html lang="en"><head><title>{{ project.title }}</title></head><body>
<h1>{{ project.title }}</h1><p>{{ project.blurb }}</p><p>{{ project.place }}, {{ project.goal }} {{ project.currency }}</p>
<p><a href="/people/{{ creator.handle }}">{{ creator.name }}</a> {{ creator.bio }}</p>
<div>{{ project.story }}</div>
{% for r in rewards %}<article id="r-{{ r.id }}"><h3>{{ r.title }}</h3><p>{{ r.price }} {{ project.currency }}</p>
<ul>{% for line in r.description.splitlines() %}<li>{{ line }}</li>{% endfor %}</ul>
{% if r.quantity %}<p>{{ r.quantity - r.claimed }} left of {{ r.quantity }}</p>{% endif %}
<a href="/projects/{{ project.slug }}/pledge?reward={{ r.id }}">Choose</a></article>{% endfor %}
{% for u in updates %}<article><h3>{{ u.number }} {{ u.title }}</h3><p>{{ u.body[:220] }}</p></article>{% endfor %}
{% for f in faq %}<details><summary>{{ f.question }}</summary><p>{{ f.answer }}</p></details>{% endfor %}
{{ filler }}</body></html>"""


def bare() -> Flask:
    app = Flask(__name__)
    url = os.environ["DATABASE_URL"]
    engine = sa.create_engine(sqlalchemy_url(url), connect_args={"prepare_threshold": 3})
    pool: psycopg_pool.ConnectionPool[Any] = psycopg_pool.ConnectionPool(
        url, min_size=1, max_size=4, open=True, kwargs={"autocommit": True, "prepare_threshold": 1})
    page = app.jinja_env.from_string(PAGE)
    ready = Path(os.environ["BENCH_PAGE"]).read_bytes() if "BENCH_PAGE" in os.environ else b""
    filler: dict[str, str] = {}

    @app.get("/ready/<slug>")
    def bytes_ready(slug: str) -> Response:
        with pool.connection() as connection:
            connection.execute("SELECT version FROM page_version WHERE topic = %s", (f"project:{slug}",)).fetchone()
        return Response(ready, mimetype="text/html")

    def render(slug: str) -> str:
        with Session(engine) as session:
            project = session.scalars(sa.select(Project).where(Project.slug == slug)).one()
            creator = session.scalars(sa.select(Person).where(Person.id == project.creator_id)).one()
            rewards = session.scalars(
                sa.select(Reward).where(Reward.project_id == project.id).order_by(Reward.position)).all()
            updates = session.scalars(sa.select(Update).where(Update.project_id == project.id)
                                      .order_by(Update.number.desc()).limit(2)).all()
            faq = session.scalars(sa.select(Faq).where(Faq.project_id == project.id).order_by(Faq.position)).all()
            return page.render(project=project, creator=creator, rewards=rewards, updates=updates, faq=faq,
                               filler=filler.get(slug, ""))

    @app.get("/page/<slug>")
    def made_page(slug: str) -> str:
        if slug not in filler:
            filler[slug] = "x" * max(0, len(ready) - len(render(slug).encode()))
        return render(slug)

    @app.post("/projects/<slug>/pledge")
    def pledge(slug: str) -> Any:
        reward, _colon, price = request.form["reward"].partition(":")
        sid = hashlib.sha256(request.cookies.get("__Host-session", "").encode()).digest()
        with pool.connection() as connection:
            row = connection.execute("SELECT bench_pledge(%s, %s, %s, %s, %s)",
                                     (sid, slug, UUID(reward), int(price), UUID(request.form["token"]))).fetchone()
        return redirect(row[0] if row else "/", 303)

    return app
