import threading

from core.db import db
from sharing import services
from tests.factories import make_person, make_project
from tests.sharing.scenes import count


def test_a_person_has_one_link_per_project_even_when_twenty_ask_at_once(app):
    person, project = make_person(), make_project()
    ids = person.id, project.id
    db.session.rollback()
    codes, gate = [], threading.Barrier(20)

    def ask():
        with app.app_context():
            gate.wait()
            codes.append(services.link_of(*ids).code)
            db.session.remove()

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(codes) == 20 and len(set(codes)) == 1 and count("share_link") == 1


def test_links_differ_by_person_and_by_project(app):
    noor, mo, one, two = make_person(), make_person(), make_project(), make_project()
    assert len({services.link_of(person, project).code for person in (noor, mo) for project in (one, two)}) == 4
