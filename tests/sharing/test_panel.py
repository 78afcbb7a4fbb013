import pytest
from flask_babel import force_locale

from backing.models import PledgeState
from core.db import transaction
from sharing import ears, services, settings, tallies, visits
from tests.factories import csrf_token, make_member, make_person, make_project, sign_in, square
from tests.sharing.scenes import count, make_pledge, open_link


@pytest.fixture(autouse=True)
def fresh(app):
    visits.forget_here()


@pytest.fixture
def project(app):
    return make_project()


@pytest.fixture
def noor(app):
    return make_person("Noor Bakker")


@pytest.fixture
def link(project, noor):
    return services.link_of(noor, project)


def test_the_sharing_page_makes_the_link_by_a_button_and_shows_it(client, project):
    assert client.get(f"/projects/{project.slug}/share").status_code == 302
    fan = make_person()
    sign_in(client, fan)
    path = f"/projects/{project.slug}/share"
    page = client.get(path).get_data(as_text=True)
    assert "Make my link" in page and count("share_link") == 0
    assert client.post(path, data={}).status_code == 400
    assert client.post(path, data={"csrf_token": csrf_token(client, path)}).status_code == 303
    page = client.get(path).get_data(as_text=True)
    code = services.link_of(fan, project).code
    assert f"localhost/s/{code}" in page and f"/s/{code}.svg" in page and "https://wa.me/?text=" in page


def test_the_sharing_page_counts_visits_recruits_and_money(client, project, link, noor):
    open_link(client.application.test_client(), link.code)
    mo = make_pledge(project, make_person("Mo El Idrissi"), 6_000, ref=link.code)
    make_pledge(project, make_person("Ravi Doerga"), 2_500, ref=services.link_of(mo.backer_id, project).code)
    puck = make_pledge(project, make_person("Puck de Boer"), 900, ref=services.link_of(mo.backer_id, project).code)
    with transaction():
        services.link_of(puck.backer_id, project).is_named = True
    make_pledge(project, make_person("Els Kramer"), 1_500, ref=link.code, state=PledgeState.COLLECTED)
    make_pledge(project, make_person("Thijs Brouwer"), 9_900, ref=link.code, state=PledgeState.CANCELLED)
    tallies.roll_up()
    sign_in(client, noor)
    page = client.get(f"/projects/{project.slug}/share").get_data(as_text=True)
    assert "1 visit, 2 pledges, €15 collected, €60 pledged" in page
    assert all(name in page for name in ("Mo", "Els", "Puck", "A backer")) and "Idrissi" not in page
    assert "Ravi" not in page and "Thijs" not in page, "brought on by a friend without consent; cancelled"


def test_a_pledge_page_and_its_mails_are_told_the_link_and_its_results(app, project, link, noor):
    own = make_pledge(project, noor)
    mo = make_pledge(project, make_person("Mo El Idrissi"), 4_000, ref=link.code)
    make_pledge(project, make_person("Ravi Doerga"), 1_000, ref=link.code)
    make_pledge(project, make_person("Els Kramer"), 1_500, ref=services.link_of(mo.backer_id, project).code)
    context: dict = {}
    ears.on_pledge_shown(own, context)
    share = context["share"]
    assert share.link_url == f"http://localhost/s/{link.code}" and share.qr_png_url == f"{share.link_url}.png"
    assert (share.visits, share.recruits, share.pledged, share.collected) == (0, 2, 5_000, 0)
    assert share.brought == [{"first_name": "Mo", "amount": 4_000}, {"first_name": "Ravi", "amount": 1_000}]
    with force_locale("nl"):  # as a mail is written: no request, the reader's language
        assert share.headline and share.tree["children"][0]["name"] == "Mo" and share.result_text
        assert share.tree["children"][0]["children"][0]["name"] == "Een backer"
        assert share.links[0][0] == "WhatsApp"


def test_me_lists_my_links(client, project, link, noor):
    sign_in(client, noor)
    page = client.get("/me").get_data(as_text=True)
    assert f"localhost/s/{link.code}" in page and project.title in page


def test_organisers_see_who_brought_whom_and_nobody_else_does(app, client, project, link, noor):
    organiser, mo, ravi = make_member(project), make_person("Mo El Idrissi"), make_person("Ravi Doerga")
    make_pledge(project, mo, 6_000, ref=link.code)
    make_pledge(project, ravi, 2_500, ref=services.link_of(mo, project).code)
    make_pledge(project, make_person("Puck de Boer"), 1_000)
    tallies.roll_up()
    square()
    path = f"/projects/{project.slug}/recruits"
    assert client.get(path).status_code == client.get(f"{path}/tree").status_code == 302
    for person, status in ((organiser, 200), (project.creator, 200), (noor, 403), (make_person(is_staff=True), 403)):
        browser = sign_in(app.test_client(), person)
        assert browser.get(path).status_code == browser.get(f"{path}/tree").status_code == status
    page = sign_in(client, organiser).get(path).get_data(as_text=True)
    assert "€85 came through sharing links." in page
    assert "2 of 3 backers" in page
    assert "Noor Bakker" in page and "Mo El Idrissi" in page and "€60.00" in page and "€25.00" in page
    settings.show_name(services.link_of(ravi, project), project, True)
    drawn = client.get(f"{path}/tree?at={services.link_of(mo, project).id}").get_data(as_text=True)
    assert "Ravi" in drawn and "Doerga" not in drawn and "€25" in drawn
    assert client.get(f"{path}?page=x").status_code == client.get(f"{path}?page=99999999").status_code == 200
