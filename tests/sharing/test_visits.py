import re
from datetime import timedelta

import psycopg
import pytest

from core import clock
from core.jobs import run_due_ticks
from sharing import queries, services, visits
from tests.factories import make_person, make_project
from tests.sharing.scenes import FIREFOX, count


@pytest.fixture
def link(app):
    visits.forget_here()
    made = services.link_of(make_person(), make_project())
    return queries.find_link(made.code)


def test_ten_thousand_replayed_hits_of_one_client_are_one_visit(link):
    counted = [visits.note_visit(link, "203.0.113.7", FIREFOX, {}) for _ in range(10_000)]
    assert sum(counted) == 1 == count("share_visit")


def test_another_process_knows_a_visitor_by_the_same_salt(link):
    for _ in range(3):
        visits._salt = None
        visits._seen.clear()
        visits.note_visit(link, "203.0.113.7", FIREFOX, {})
    assert count("share_visit") == 1 == count("visit_salt")


def test_a_visitor_counts_again_in_the_next_half_hour_by_the_clock(link):
    visits.note_visit(link, "203.0.113.7", FIREFOX, {})
    clock.move_clock(timedelta(minutes=30))
    assert visits.note_visit(link, "203.0.113.7", FIREFOX, {})
    assert count("share_visit") == 2


def test_another_network_browser_or_link_is_another_visit(link):
    other = queries.find_link(services.link_of(make_person(), make_project()).code)
    assert visits.note_visit(link, "203.0.113.7", FIREFOX, {})
    assert visits.note_visit(link, "203.0.113.8", FIREFOX, {})
    assert visits.note_visit(link, "203.0.113.7", FIREFOX + " phone", {})
    assert visits.note_visit(other, "203.0.113.7", FIREFOX, {})


@pytest.mark.parametrize("agent", ["curl/8.14.1", "Wget/1.25.0", "python-requests/2.32.5", "okhttp/5.3.0",
    "", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Twitterbot/1.0",
    "facebookexternalhit/1.1", "WhatsApp/2.23.20.0", "TelegramBot (like TwitterBot)", "Slackbot-LinkExpanding 1.0",
    "Mastodon/4.5.0 (http.rb/5.3; +https://mastodon.social/)", "Mozilla/5.0 (compatible; Bluesky Cardyb/1.1)",
    "LinkedInBot/1.0", "Mozilla/5.0 (compatible; AhrefsBot/7.0)", "Baiduspider/2.0", "Yahoo! Slurp"])
def test_robots_are_not_visitors(link, agent):
    assert not visits.note_visit(link, "203.0.113.7", agent, {})
    assert count("share_visit") == 0


def test_a_cubot_is_a_telephone(link):
    assert visits.note_visit(link, "203.0.113.7", "Mozilla/5.0 (Linux; Android 9; CUBOT_X19) Chrome/138", {})


@pytest.mark.parametrize("headers", [
    {"Sec-Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Moz": "prefetch"},
    {"Sec-Fetch-Dest": "image"}, {"Sec-Fetch-Dest": "iframe"}])
def test_what_nobody_looks_at_is_no_visit(link, headers):
    assert not visits.note_visit(link, "203.0.113.7", FIREFOX, headers)


def test_a_burst_from_one_network_is_a_machine(link):
    counted = sum(visits.note_visit(link, "198.51.100.9", f"{FIREFOX} {n}", {}) for n in range(200))
    assert counted == visits.BURST
    assert visits.note_visit(link, "203.0.113.7", FIREFOX, {})


def test_no_table_holds_an_address(link, database_url):
    visits.note_visit(link, "203.0.113.77", FIREFOX, {})
    assert count("share_visit") == 1
    with psycopg.connect(database_url) as connection:
        tables = [row[0] for row in connection.execute(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")]
        dump = b"".join(bytes(part) for table in tables
                        for part in connection.cursor().copy(f"COPY {table} TO STDOUT").__enter__())
    assert b"203.0.113.77" not in dump and b"Firefox" not in dump
    assert not re.search(rb"cb007[01]4d", dump)  # the same address as bytes


def test_salts_go_after_two_days_so_that_nobody_can_be_recognised(app, link):
    visits.note_visit(link, "203.0.113.7", FIREFOX, {})
    clock.move_clock(timedelta(days=1))
    visits.forget_salts()
    assert count("visit_salt") == 1
    clock.move_clock(timedelta(days=1))
    run_due_ticks(app, {}, 0.0)
    assert count("visit_salt") == 0 and count("share_visit") == 1
