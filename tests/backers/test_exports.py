"""The list as a file: every cell read back, no formula in it, the same memory for many as for few."""

import csv
import io
import json
import re
import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import openpyxl
import pytest
import sqlalchemy as sa

from backers import exports, queries, services
from core.db import db, transaction
from core.postgres import conninfo
from tests.factories import analyze, make_person, make_pledge, make_project, make_reward, scalar

# W-15: what a spreadsheet would take for a formula, alone, behind spaces and quotes, and in full width.
FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\tx", "\rx", "\nx", "＝1+1", "＋1", "－1", "＠SUM",
            " =1+1", "  +1", " -1", " @A1", '"=1+1', "'=1+1", '"+1', "'-1", '" =1', "' @A1", "\u00a0=1", "\u3000=1",
            "\u200b=1", "\ufeff=1", "“=1", "’=1", '=HYPERLINK("http://x.example","y")', "=cmd|' /C calc'!A0",
            "+31 6 12345678", "-", "=", "@", "@handle", '"""=1', " \t=1", "=1;2\n3,4", '=1,"2"', "＝", "\x0b=1"]
HARMLESS = ["Noor Bakker", "Żółć 日本 👩‍🎤", "a=1", "1-2", "Jean-Luc", 'He said "hi"', "two\nlines", "comma, semicolon;",
            "\\N", "\\.", "NULL", "O'Neil", "ünter", "Ærø", "x" * 80, "100% {a} %(b)s", "5 + 5"]


def rows_of(app, project, kind="csv"):
    body = b"".join(services.export(app, project, None, kind))
    if kind == "csv":
        return list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    if kind == "ndjson":
        return [json.loads(line) for line in body.decode().splitlines()]
    sheet = openpyxl.load_workbook(io.BytesIO(body), read_only=True).active
    head, *rows = [[cell.value for cell in row] for row in sheet.rows]
    return [dict(zip(head, row, strict=True)) for row in rows if any(cell is not None for cell in row)]


@pytest.fixture
def risky(app):
    """A project whose every text column holds every vector once."""
    project = make_project()
    vectors = FORMULAS + HARMLESS
    for n, text in enumerate(vectors):
        reward = make_reward(project, title=text[:60])
        recruiter = make_person(text) if n % 2 else None
        backer = make_person(text, email=f"{text}.{n}@example.org"[:200])
        make_pledge(project, backer, reward, recruiter=recruiter)
    return project, vectors


def test_no_text_of_a_csv_is_a_formula_and_nothing_else_is_changed(app, risky):
    project, vectors = risky
    assert len(FORMULAS) >= 40
    rows = rows_of(app, project)
    assert len(rows) == len(vectors)
    for n, (row, text) in enumerate(zip(rows, vectors, strict=True)):
        recruiter = text if n % 2 else ""
        for column, typed in (("Name", text), ("E-mail", f"{text}.{n}@example.org"), ("Reward", text[:60]),
                              ("Recruiter", recruiter)):
            expected = "'" + typed if text in FORMULAS and typed else typed
            assert row[column] == expected, (column, text)
    for row in rows:
        for cell in row.values():
            assert not re.match(r"[\s\"'\u200b\ufeff“’]*[=+\-@＝＋－＠]", cell) or cell.startswith("'"), cell


def test_a_worksheet_holds_texts_as_they_are_and_neither_formula_nor_link(app, risky):
    project, vectors = risky
    make_pledge(project, make_person("http://x.example"), make_reward(project, title="mailto:a@b.example"))
    body = b"".join(services.export(app, project, None, "xlsx"))
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        names = book.namelist()
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet and "<f " not in sheet and "<hyperlink" not in sheet.lower()
    assert not [name for name in names if "sheet1.xml.rels" in name]
    rows = rows_of(app, project, "xlsx")
    for row, text in zip(rows, vectors, strict=False):
        if text.isprintable() and text == text.strip():
            assert row["Name"] == text
    assert isinstance(rows[0]["Total"], (int, float)) and rows[0]["Total"] == 25
    assert isinstance(rows[0]["Backer number"], (int, float))


def test_each_column_says_what_it_should(app):
    project = make_project(zone="Asia/Tokyo")
    mug = make_reward(project, 4_000, title="Mug")
    noor, mo, els = make_person("Noor Bakker"), make_person("Mo El Idrissi"), make_person("Els Kramer")
    at = datetime(2026, 11, 21, 20, 30, 5, tzinfo=UTC)
    make_pledge(project, noor, mug, bonus=550, at=at)
    make_pledge(project, mo, None, amount=1_234, recruiter=noor)
    make_pledge(project, els, mug, state="errored", recruiter=noor)
    make_pledge(project, make_person(), mug, state="cancelled", recruiter=noor)
    make_pledge(project, make_person(), mug, state="held")
    make_pledge(project, make_person(), mug, state="expired")
    rows = rows_of(app, project)
    assert [row["Backer number"] for row in rows] == ["1", "2", "3", "4"]
    first = rows[0]
    assert first == {
        "Backer number": "1", "Name": "Noor Bakker", "E-mail": noor.email, "Reward": "Mug", "Add-ons": "",
        "Reward amount": "40.00", "Bonus": "5.50", "Total": "45.50", "Currency": "EUR", "Status": "pledged",
        "Pledged at (UTC)": "2026-11-21T20:30:05Z", "Pledged at (local)": "2026-11-22 05:30:05", "Recruiter": "",
        "Recruiter number": "", "Recruits": "2", "Recruits amount": "52.34",
        "Unlocked by sharing": ""}
    assert rows[1]["Recruiter"] == "Noor Bakker" and rows[1]["Recruiter number"] == "1"
    assert (rows[1]["Reward"], rows[1]["Reward amount"], rows[1]["Bonus"], rows[1]["Total"]) == ("", "0.00", "12.34", "12.34")
    assert [row["Status"] for row in rows] == ["pledged", "pledged", "errored", "cancelled"]


@pytest.mark.parametrize(("currency", "text"), [("JPY", "2500"), ("EUR", "25.00"), ("KWD", "2.500")])
def test_amounts_have_the_decimals_of_their_currency(app, currency, text):
    project = make_project(currency=currency)
    make_pledge(project, amount=2_500)
    assert rows_of(app, project)[0]["Total"] == text
    assert rows_of(app, project, "xlsx")[0]["Total"] == float(text)
    assert rows_of(app, project, "ndjson")[0]["total"] == float(text)


def test_a_credit_that_was_struck_is_in_no_column_and_on_no_page(app, client):
    project, noor = make_project(), make_person("Noor Bakker")
    make_pledge(project, noor)
    struck = make_pledge(project, make_person(), amount=3_000, recruiter=noor)
    with transaction() as session:
        session.execute(sa.text("UPDATE recruit SET struck_at = clock_now(), struck_why = 'card' WHERE pledge_id = :p"),
                        {"p": struck.id})
    rows = rows_of(app, project)
    assert [row["Recruits"] for row in rows] == ["0", "0"] and [row["Recruiter"] for row in rows] == ["", ""]
    known = queries.summary(project)
    assert known.brought == 0 and queries.backers(project, queries.Wanted(brought=True)) == []
    assert [line.brought for line in queries.backers(project, queries.Wanted())] == [0, 0]


def test_who_cancelled_and_came_back_shows_the_recruits_once(app):
    project, noor = make_project(), make_person("Noor Bakker")
    make_pledge(project, noor, state="cancelled")
    make_pledge(project, noor)
    make_pledge(project, make_person(), amount=3_000, recruiter=noor)
    rows = rows_of(app, project)
    assert [row["Recruits"] for row in rows] == ["0", "1", "0"]
    assert [row["Recruits amount"] for row in rows] == ["0.00", "30.00", "0.00"]
    assert rows[2]["Recruiter number"] == "2"


def test_a_recruiter_who_never_pledged_has_a_name_and_no_number(app):
    project, fan = make_project(), make_person("Only A Fan")
    make_pledge(project, make_person(), recruiter=fan)
    row = rows_of(app, project)[0]
    assert (row["Recruiter"], row["Recruiter number"]) == ("Only A Fan", "")


def test_the_lines_of_ndjson_are_json_whatever_is_in_them(app):
    project = make_project()
    names = ['quote " and \\ back', "two\nlines\ttab", "日本 👩‍🎤", "=1+1", "\\."]
    for name in names:
        make_pledge(project, make_person(name, email=f"{len(name)}{names.index(name)}@example.org"))
    rows = rows_of(app, project, "ndjson")
    assert [row["name"] for row in rows] == names
    assert rows[0]["backer_number"] == 1 and rows[0]["recruiter"] is None


@pytest.mark.parametrize("kind", exports.FORMATS)
def test_a_project_without_backers_gives_a_head_and_nothing_else(app, kind):
    project = make_project()
    assert rows_of(app, project, kind) == []
    body = b"".join(services.export(app, project, None, kind))
    assert body.startswith(b"Backer number,Name") if kind == "csv" else body[:2] == b"PK" if kind == "xlsx" else not body
    assert scalar("SELECT rows FROM export_log WHERE format = :f LIMIT 1", f=kind) == 0


def test_only_this_project_is_in_the_list(app):
    ours, theirs = make_project(), make_project()
    make_pledge(ours)
    make_pledge(theirs, make_person("Somebody Else"))
    assert [row["Name"] for row in rows_of(app, theirs)] == ["Somebody Else"]
    assert len(rows_of(app, ours)) == 1


def test_whoever_stops_listening_leaves_an_entry_without_an_end(app):
    project = make_project()
    fill(project, 3_000)
    parts = services.export(app, project, None, "csv")
    next(parts)
    parts.close()
    assert scalar("SELECT count(*) FROM export_log WHERE finished_at IS NULL AND rows IS NULL") == 1
    assert scalar("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'backers-export' AND state = 'active'"
                  ) == 0


def fill(project, n):
    """Many backers in few statements. The statistics between them matter: with a plan made for a handful of people, the
    check that a pledge's backer exists would read the whole table for each of them."""
    reward, mark = make_reward(project), f"m{project.slug[-6:]}"
    with transaction() as session:
        session.execute(sa.text("""
            INSERT INTO person (name, email, handle, fs_uniquifier, password)
            SELECT 'Backer ' || i, i || :p || '@example.org', :p || i, gen_random_uuid()::text, '*'
              FROM generate_series(1, :n) i"""), {"n": n, "p": mark})
        analyze(session, "person")
        session.execute(sa.text("""
            INSERT INTO pledge (project_id, backer_id, reward_id, state, number, amount, currency, token, pledged_at)
            SELECT :project, id, :reward, 'pledged', row_number() OVER (), 2500, 'EUR', gen_random_uuid(), clock_now()
              FROM person WHERE handle LIKE :p || '%'"""), {"p": mark, "project": project.id, "reward": reward.id})


_MEASURE = """
import resource, sys
from uuid import UUID
from backers import exports
url, project, kind = sys.argv[1:]
def run():
    parts, size = exports.pieces(url, exports.Source(UUID(project), "EUR", "Europe/Amsterdam"), kind), 0
    while True:
        try:
            size += len(next(parts))
        except StopIteration as end:
            return end.value
empty = UUID(int=0)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
list(exports.pieces(url, exports.Source(empty, "EUR", "Europe/Amsterdam"), kind))
before = peak()
print(run(), peak() - before)
"""


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_memory_stays_the_same_for_few_and_for_many(app, kind):
    small, large = make_project(), make_project()
    fill(small, 500)
    fill(large, 20_000)
    grown, ids = {}, [str(small.id), str(large.id)]
    db.session.rollback()  # no transaction of ours idles while the others work
    for project_id in ids:
        done = subprocess.run([sys.executable, "-c", _MEASURE, conninfo(app), project_id, kind],
                              capture_output=True, text=True, timeout=120, check=True)
        rows, kilobytes = map(int, done.stdout.split())
        grown[rows] = kilobytes / 1024
    assert set(grown) == {500, 20_000}
    assert grown[20_000] < 50, grown
    assert grown[20_000] - grown[500] < 12, grown


@pytest.mark.parametrize("kind", exports.FORMATS)
def test_what_was_unlocked_by_sharing_stands_in_a_column_of_its_own(app, kind):
    from tests.sharing.steps import become, bring, follow, make_sharer, make_step

    with app.test_request_context():
        project = make_project()
        make_step(project, 1, title="=Signed photo")
        make_step(project, 2, title="Sound-check")
        make_step(project, 3, title="Dinner")
    noor = make_sharer(project)
    make_pledge(project, noor, state="cancelled", number=900)
    friends = bring(project, noor, 3)
    own = db.session.execute(sa.text("SELECT id FROM pledge WHERE backer_id = :p AND state = 'pledged'"), {"p": noor.id}).all()
    become([*friends[:2], *own], "collected", days_ago=20)
    follow(noor, project=project)
    column = "unlocked" if kind == "ndjson" else "Unlocked by sharing"
    found = [row[column] for row in rows_of(app, project, kind)]
    assert found[0] == ("'" if kind == "csv" else "") + "=Signed photo; Sound-check"  # the third is kept, not theirs yet
    assert not any(found[1:]) and len(found) == 5
