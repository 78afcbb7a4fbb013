"""Two accounts of one person become one."""

from typing import Any

import pytest

from core.db import db, transaction
from core.errors import Refusal
from payments.models import PayoutAccount, StripeCustomer
from people import services
from tests.factories import make_member, make_person, make_pledge, make_project, scalar, sign_in


def test_the_closed_account_is_signed_out_and_signs_in_no_more(app: Any, client: Any) -> None:
    into, gone = make_person(), make_person(email="old@example.org")
    sign_in(client, gone)
    assert client.get("/me").status_code == 200
    services.merge(into, gone)
    assert client.get("/me").status_code == 302
    db.session.expire_all()
    assert (gone.active, gone.password, gone.merged_into_id, gone.is_staff) == (False, None, into.id, False)
    assert gone.email == "old@example.org"  # kept: nobody else can come to have it
    assert app.test_client().get(f"/people/{gone.handle}").status_code == 404
    assert scalar("SELECT action FROM audit_entry") == "people:merge"


@pytest.mark.parametrize("case", ["itself", "again", "closed", "paid twice", "own project", "open card"])
def test_what_cannot_be_joined_is_refused_in_plain_words(app: Any, case: str) -> None:
    into, gone = make_person(), make_person()
    if case == "itself":
        gone = into
    elif case == "again":
        services.merge(make_person(), gone)
    elif case == "closed":
        with transaction():
            into.active = False
    elif case == "paid twice":
        with transaction() as session:
            session.add_all([PayoutAccount(person_id=person.id, country="NL") for person in (into, gone)])
    elif case == "own project":
        make_pledge(make_project(into), gone)
    else:
        make_pledge(make_project(), gone)
        with transaction() as session:
            session.add_all([StripeCustomer(person_id=person.id, stripe_id=f"cus_{person.id.hex}") for person in (into, gone)])
    was = scalar("SELECT string_agg(id::text || active || coalesce(merged_into_id::text, ''), ',' ORDER BY id) FROM person")
    with pytest.raises(Refusal) as refused:
        services.merge(into, gone)
    assert refused.value.sentence.endswith(".") and "%" not in refused.value.sentence
    assert was == scalar("SELECT string_agg(id::text || active || coalesce(merged_into_id::text, ''), ',' ORDER BY id) FROM person")


def test_projects_teams_and_stripes_rows_move(app: Any) -> None:
    into, gone = make_person(), make_person()
    own, team, both, run = make_project(gone), make_project(), make_project(), make_project(into)
    make_member(team, gone)
    for person in (into, gone):
        make_member(both, person)
    make_member(run, gone)
    with transaction() as session:
        session.add(StripeCustomer(person_id=gone.id, stripe_id="cus_1"))
        session.add(PayoutAccount(person_id=gone.id, country="NL"))
    services.merge(into, gone)
    db.session.expire_all()
    assert own.creator_id == into.id
    assert scalar("SELECT count(*) FROM project_member WHERE person_id = :p", p=into.id) == 2
    assert scalar("SELECT count(*) FROM project_member WHERE person_id = :p", p=gone.id) == 0
    assert scalar("SELECT person_id FROM stripe_customer") == scalar("SELECT person_id FROM payout_account") == into.id


def test_the_command_asks_for_the_address(app: Any) -> None:
    into, gone = make_person(email="new@example.org"), make_person(email="old@example.org")
    db.session.rollback()

    def run(*args: str, typed: str = "") -> Any:
        return app.test_cli_runner().invoke(args=["people", "merge", *args], input=typed)

    wrong = run("old@example.org", "new@example.org", typed="new@example.org\n")
    assert wrong.exit_code == 1 and "Nothing was changed" in wrong.output
    assert "Nobody has an account" in run("nobody@example.org", "new@example.org", "--yes").output
    done = run("OLD@example.org", "new@example.org", typed="old@example.org\n")
    assert done.exit_code == 0 and "has it all" in done.output
    db.session.expire_all()
    assert gone.merged_into_id == into.id
    assert run("old@example.org", "new@example.org", "--yes").exit_code == 1
