"""The memory of a link over days, devices and people, through the pages themselves."""

from datetime import timedelta

import pytest
from flask_security.utils import hash_password

from backing.models import Pledge
from core import clock
from core.db import db, transaction
from sharing import queries, services, visits
from tests.factories import csrf_token, make_person, make_project, save_card, scalar, sign_in
from tests.sharing.scenes import count, open_link

PASSWORD = "seven lazy herons wade"


@pytest.fixture(autouse=True)
def fresh(app):
    visits.forget_here()
    queries._kept.clear()


def log_in(client, person):
    with transaction():
        person.password = hash_password(PASSWORD)
    answer = client.post("/login", data={"csrf_token": csrf_token(client, "/login"), "email": person.email,
                                         "password": PASSWORD})
    assert answer.status_code == 302, answer.get_data(as_text=True)[:400]


def send_pledge(client, stripe, project, **headers):
    """Through the form, and the card saved by the webhook, which knows no cookie."""
    page = client.get(f"/projects/{project.slug}/pledge", headers=headers).get_data(as_text=True)
    said = {"csrf_token": page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0],
            "token": page.split('name="token" value="')[1].split('"')[0], "reward": "", "other": "12"}
    assert client.post(f"/projects/{project.slug}/pledge", data=said, headers=headers).status_code == 303
    pledge_id = scalar("SELECT id FROM pledge ORDER BY placed_at DESC LIMIT 1")
    save_card(stripe, pledge_id)
    db.session.expire_all()
    return db.session.get_one(Pledge, pledge_id)


def credited(pledge):
    return scalar("SELECT recruiter_id FROM recruit WHERE pledge_id = :p AND struck_at IS NULL", p=pledge.id)


def test_a_friend_signs_in_a_week_later_and_pledges_on_another_device(app, stripe):
    project, noor, friend = make_project(), make_person(), make_person()
    phone, laptop = app.test_client(), app.test_client()
    open_link(phone, services.link_of(noor, project).code)
    clock.move_clock(timedelta(days=7))
    log_in(phone, friend)
    assert count("share_touch") == 1
    sign_in(laptop, friend)
    pledge = send_pledge(laptop, stripe, project)
    assert credited(pledge) == noor.id and pledge.source == "share"


def test_a_link_of_one_project_says_nothing_of_another(app, client, stripe):
    one, other, noor, friend = make_project(), make_project(), make_person(), make_person()
    open_link(client, services.link_of(noor, one).code)
    sign_in(client, friend)
    assert credited(send_pledge(client, stripe, other)) is None and count("recruit") == 0
    assert credited(send_pledge(client, stripe, one)) == noor.id


def test_two_people_at_one_laptop(app, client, stripe):
    project, noor, mo, els = make_project(), make_person(), make_person(), make_person()
    open_link(client, services.link_of(els, project).code)
    sign_in(client, noor)
    first = send_pledge(client, stripe, project)
    assert credited(first) == els.id
    client.delete_cookie("session")
    open_link(client, services.link_of(noor, project).code)  # she shows it to him
    sign_in(client, mo)
    second = send_pledge(client, stripe, project)
    # One browser: nobody is told off, and a person looks at it before it counts.
    assert credited(second) in (None, noor.id)
    assert scalar("SELECT last_link_id = :l FROM attribution WHERE pledge_id = :p", p=second.id,
                  l=services.link_of(noor, project).id)


def test_first_and_last_touch_travel_from_the_cookie_to_the_pledge(app, client, stripe):
    project, els, noor, friend = make_project(), make_person(), make_person(), make_person()
    first, last = services.link_of(els, project), services.link_of(noor, project)
    open_link(client, first.code)
    clock.move_clock(timedelta(days=3))
    client.get(f"/s/{last.code}?utm_source=newsletter", headers={"User-Agent": "Mozilla/5.0 Firefox/140.0"})
    sign_in(client, friend)
    pledge = send_pledge(client, stripe, project)
    found = db.session.execute(db.text("SELECT * FROM attribution WHERE pledge_id = :p"), {"p": pledge.id}).one()
    assert (found.first_link_id, found.last_link_id, found.utm) == (first.id, last.id, {"utm_source": "newsletter"})
    assert credited(pledge) == noor.id and (found.last_at - found.first_at).days == 3


def test_a_forged_cookie_credits_nobody(app, client, stripe):
    project, noor, friend = make_project(), make_person(), make_person()
    services.link_of(noor, project)
    client.set_cookie("via", "eyJ4IjpbXX0.forged")
    sign_in(client, friend)
    assert credited(send_pledge(client, stripe, project)) is None and count("share_touch") == 0
