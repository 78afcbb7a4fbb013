"""The desk of staff for disputes and warnings: who may see it, what it shows, what it refuses; and the command line."""

import io
import json
import re
import uuid
import zipfile
from datetime import timedelta

import pytest

from core import clock
from core.db import db
from core.jobs import drain
from payments import answering
from payments.models import Dispute, FraudWarning
from projects.models import Project
from tests.factories import check_money, csrf_token, make_member, make_person, scalar, sign_in
from tests.payments.bank import agree, dispute_at, heard, paid


@pytest.fixture
def staff(client):
    person = make_person(is_staff=True)
    sign_in(client, person)
    return person


def enter(client, staff):
    """Again, since the clock went on by days."""
    sign_in(client, staff)


def opened(app, stripe, status="needs_response", **more):
    payment = paid(app, stripe)
    return payment, heard(stripe, dispute_at(stripe, payment, status, **more))


def text_of(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True)))


def token(client):
    return csrf_token(client, "/platform/disputes?show=")


def test_an_empty_list_says_what_would_stand_there(client, staff):
    page = text_of(client.get("/platform/disputes"))
    assert "Nothing waits for you" in page and "No bank has asked anything" in page


def test_the_list_says_whose_charge_it_is_why_and_what_comes_next(app, stripe, client, staff):
    payment, _dispute = opened(app, stripe, reason="product_not_received", amount=4_000)
    enter(client, staff)
    page = text_of(client.get("/platform/disputes"))
    for words in ("1 case waits for you", "Backer 1", db.session.get(Project, payment.project_id).title,
                  "The reward did not come", "€40.00", "Answer needed", "Send evidence, or accept the loss", "days left"):
        assert words in page, words
    assert client.get("/platform/warnings").location.endswith("show=warnings")
    assert "Nothing here" in text_of(client.get("/platform/disputes?show=warnings"))
    for wrong in ("?show=all", "?page=0", "?page=x", "?page=2", "?page=99999999"):
        assert client.get(f"/platform/disputes{wrong}").status_code == 404


def test_the_page_of_a_dispute_shows_money_history_deadline_and_what_to_say(app, stripe, client, staff):
    _payment, dispute = opened(app, stripe)
    enter(client, staff)
    answer = client.get(f"/platform/disputes/{dispute.id}")
    page = text_of(answer)
    for words in ("The cardholder says they did not pay this", "held by Stripe until the bank has decided", "days left",
                  "Fee, borne by the creator", "€20.00", "Taken by the bank", "Send to the bank", "Accept the loss",
                  "What the backer did on this site", dispute.stripe_id):
        assert words in page, words
    person = scalar("SELECT p.name FROM pledge g JOIN person p ON p.id = g.backer_id")
    html = answer.get_data(as_text=True)
    assert person in html and "A pledge of €100.00 to the crowdfunding project" in html  # filled in
    assert "4242" not in html


def test_evidence_is_sent_from_the_page_and_the_form_is_gone_then(app, stripe, client, staff):
    _payment, dispute = opened(app, stripe)
    enter(client, staff)
    send = f"/platform/disputes/{dispute.id}/evidence"
    form = {"csrf_token": token_of(client, dispute), "uncategorized_text": "They came back twice to change it."}
    assert client.post(send, data=form).status_code == 303
    page = text_of(client.get(f"/platform/disputes/{dispute.id}"))
    assert "on its way to the bank" in page and "Send to the bank" not in page
    drain(app)
    page = text_of(client.get(f"/platform/disputes/{dispute.id}"))
    assert "They came back twice to change it." in page and "The bank decides, in two to three months" in page
    assert client.post(send, data=form).status_code == 409
    assert stripe.get(f"state/dispute/{dispute.stripe_id}")["evidence_details"]["submission_count"] == 1
    agree(stripe)


def token_of(client, dispute):
    return csrf_token(client, f"/platform/disputes/{dispute.id}")


def test_what_was_typed_stays_when_it_is_refused(app, stripe, client, staff):
    _payment, dispute = opened(app, stripe)
    enter(client, staff)
    form = {"csrf_token": token_of(client, dispute), "service_date": "In <March>", "product_description": "x" * 20_001}
    answer = client.post(f"/platform/disputes/{dispute.id}/evidence", data=form)
    assert answer.status_code == 422 and "In &lt;March&gt;" in answer.get_data(as_text=True)
    answer = client.post(f"/platform/disputes/{dispute.id}/evidence", data={"csrf_token": form["csrf_token"]})
    assert answer.status_code == 422 and "Write at least one text" in text_of(answer)
    assert scalar("SELECT count(*) FROM dispute_answer") == 0


def test_giving_money_up_takes_a_second_look(app, stripe, client, staff):
    _payment, dispute = opened(app, stripe)
    enter(client, staff)
    page = f"/platform/disputes/{dispute.id}/acceptance"
    assert "Give up €100.00" in text_of(client.get(page))
    form = {"csrf_token": csrf_token(client, page)}
    assert client.post(page, data=form).status_code == 422
    assert scalar("SELECT count(*) FROM dispute_answer") == 0
    assert client.post(page, data={**form, "sure": "y"}).status_code == 303
    drain(app)
    assert scalar("SELECT status FROM dispute") == "lost"
    assert client.get(page).status_code == 409
    assert "went to the cardholder" in text_of(client.get(f"/platform/disputes/{dispute.id}"))
    agree(stripe)


@pytest.mark.parametrize("decision", ["refund", "keep"])
def test_a_warning_has_two_buttons(app, stripe, client, staff, decision):
    from payments import warnings

    payment = paid(app, stripe, "4000000000005423")
    enter(client, staff)
    warnings.hear_of_warning(stripe.get("state/radar.early_fraud_warning")[0]["id"])
    page = client.get("/platform/disputes?show=warnings")
    assert "Refund €100.00" in text_of(page) and "Keep the charge" in text_of(page)
    warning = db.session.scalar(db.select(FraudWarning))
    send = f"/platform/warnings/{warning.id}/decision"
    form = {"csrf_token": csrf_token(client, "/platform/disputes?show=warnings")}
    assert client.post(send, data=form).status_code == 422
    assert client.post(send, data={**form, "decision": decision}).status_code == 303
    assert client.post(send, data={**form, "decision": decision}).status_code == 409
    assert scalar("SELECT decision FROM fraud_warning") == decision
    drain(app)
    db.session.expire_all()
    assert payment.refunded == (payment.amount if decision == "refund" else 0)
    check_money()


def test_a_late_warning_is_marked(app, stripe, client, staff):
    from payments import warnings

    paid(app, stripe, "4000000000005423")
    enter(client, staff)
    warnings.hear_of_warning(stripe.get("state/radar.early_fraud_warning")[0]["id"])
    clock.move_clock(timedelta(hours=25))
    enter(client, staff)
    assert "Late since" in text_of(client.get("/platform/disputes"))


def test_the_bundle_holds_everything_but_the_card_and_its_download_is_written_down(app, stripe, client, staff):
    _payment, dispute = opened(app, stripe)
    enter(client, staff)
    answer = client.get(f"/platform/disputes/{dispute.id}/bundle")
    assert answer.mimetype == "application/zip" and answer.headers["Cache-Control"] == "no-store"
    files = zipfile.ZipFile(io.BytesIO(answer.data))
    assert set(files.namelist()) == {"summary.txt", "payment.json", "pledge.json", "history.csv", "mails.csv", "updates.csv",
                                     "refund-policy.txt"}
    assert json.loads(files.read("payment.json"))["dispute"]["amount"] == 10_000
    assert not [name for name in files.namelist() if b"4242" in files.read(name)]
    assert scalar("SELECT by_id FROM audit_entry WHERE action = 'payments:download_bundle'") == staff.id


PAGES = [("GET", "/platform/disputes"), ("GET", "/platform/warnings"), ("GET", "/platform/disputes/{d}"),
         ("GET", "/platform/disputes/{d}/bundle"), ("GET", "/platform/disputes/{d}/acceptance"),
         ("POST", "/platform/disputes/{d}/acceptance"), ("POST", "/platform/disputes/{d}/evidence"),
         ("POST", "/platform/warnings/{w}/decision")]


@pytest.mark.parametrize("who", ["nobody", "stranger", "creator", "organiser", "backer"])
def test_only_staff_come_in(app, stripe, client, who):
    from payments import warnings

    payment, dispute = opened(app, stripe)
    stripe.post("fraud_warnings", charge=payment.charge_id)
    warnings.hear_of_warning(stripe.get("state/radar.early_fraud_warning")[0]["id"])
    warning = db.session.scalar(db.select(FraudWarning))
    project = db.session.get(Project, payment.project_id)
    person = {"nobody": lambda: None, "stranger": make_person, "creator": lambda: project.creator,
              "organiser": lambda: make_member(project),
              "backer": lambda: db.session.get(type(project.creator), payment.person_id)}[who]()
    paths = [(method, path.format(d=dispute.id, w=warning.id)) for method, path in PAGES]
    form = {"sure": "y", "decision": "refund", "uncategorized_text": "x"}
    if person:
        sign_in(client, person)
        form["csrf_token"] = csrf_token(client, "/me")
    for method, path in paths:
        answer = client.open(path, method=method, data=form if method == "POST" else None)
        assert answer.status_code == (403 if person else 302 if method == "GET" else 400), (method, path)
    assert scalar("SELECT count(*) FROM dispute_answer") == 0
    assert scalar("SELECT count(*) FROM refund") == 0


def test_what_does_not_exist_is_not_found(app, client, staff):
    form = {"csrf_token": csrf_token(client, "/me"), "sure": "y", "decision": "keep"}
    for method, path in PAGES[2:]:
        assert client.open(path.format(d=uuid.uuid4(), w=uuid.uuid4()), method=method,
                           data=form if method == "POST" else None).status_code == 404, path
    assert client.get("/platform/disputes/1").status_code == 404


def test_the_creator_gets_a_mail_when_money_is_held_comes_back_or_is_lost(app, stripe):
    payment, _dispute = opened(app, stripe)
    drain(app)
    for status in ("won", "lost"):
        clock.move_clock(timedelta(seconds=1))
        heard(stripe, dispute_at(stripe, payment, status))
        drain(app)
    creator = db.session.get(Project, payment.project_id).creator
    mails = db.session.execute(db.text("SELECT name, state, recipient, subject, text, html FROM mail "
                                       "WHERE name LIKE 'payments/dispute%' ORDER BY created_at, id")).all()
    assert [(mail.name, mail.state) for mail in mails] == [
        ("payments/dispute_frozen", "sent"), ("payments/dispute_returned", "sent"),
        ("payments/dispute_frozen", "dropped"), ("payments/dispute_lost", "sent")]
    for mail in mails:
        if mail.state == "sent":
            assert mail.recipient == creator.email and "€100.00" in mail.subject and "Backer 1" in mail.text
            assert "fraud" not in (mail.text + mail.html).lower()
    check_money()


def test_the_command_lists_what_waits_and_accepts_a_loss(app, stripe, flask):
    _payment, dispute = opened(app, stripe)
    dispute_id = dispute.id
    db.session.rollback()
    listed = flask("payments", "disputes").stdout
    assert str(dispute_id) in listed and "needs_response" in listed and "Backer 1" in listed and "until" in listed
    assert flask("payments", "dispute-accept", str(uuid.uuid4()), "--yes", check=False).returncode == 2
    assert flask("payments", "dispute-accept", str(dispute_id), check=False, input="n\n").returncode == 1
    assert scalar("SELECT count(*) FROM dispute_answer") == 0
    db.session.rollback()
    flask("payments", "dispute-accept", str(dispute_id), "--yes")
    drain(app)
    assert scalar("SELECT status FROM dispute") == "lost"
    db.session.rollback()
    assert flask("payments", "dispute-accept", str(dispute_id), "--yes", check=False).returncode == 1
    assert "Nothing waits." in flask("payments", "disputes").stdout
    assert "lost" in flask("payments", "disputes", "--all").stdout
    check_money()


def test_the_desk_counts_what_waits(app, stripe, client, staff):
    _payment, dispute = opened(app, stripe)
    enter(client, staff)
    assert re.search(r"Disputes <span class=\"count\">1</span>", client.get("/platform/disputes").get_data(as_text=True))
    answering.submit_evidence(dispute.id, {"uncategorized_text": "x"}, staff.id)
    assert not re.search(r"Disputes <span class=\"count\">1</span>", client.get("/platform/disputes?show=waiting").get_data(as_text=True).split("</section>")[0])


def test_dutch_staff_read_dutch_without_a_broken_page(app, stripe, client, staff):
    _payment, dispute = opened(app, stripe)
    enter(client, staff)
    for path in ("/platform/disputes?lang=nl", f"/platform/disputes/{dispute.id}?lang=nl"):
        assert client.get(path).status_code == 200
    assert db.session.get(Dispute, dispute.id)


def test_creator_and_backer_read_a_neutral_line_where_the_pledge_stands(app, stripe, client):
    payment = paid(app, stripe, "4000000000005423")
    from payments import warnings

    warnings.hear_of_warning(stripe.get("state/radar.early_fraud_warning")[0]["id"])
    project = db.session.get(Project, payment.project_id)
    creator, backer, slug = project.creator, db.session.get(type(project.creator), payment.person_id), project.slug
    sign_in(client, creator)
    page = text_of(client.get(f"/projects/{slug}/backers"))
    assert "This charge is being checked. Please send nothing to this backer until that is done." in page
    sign_in(client, backer)
    own = client.get(f"/pledges/{payment.subject_id}")
    assert own.status_code == 200 and "being checked" not in text_of(own)
    heard(stripe, dispute_at(stripe, payment))
    sign_in(client, creator)
    page += text_of(client.get(f"/projects/{slug}/backers"))
    assert "A bank is looking at this charge. €100.00 waits until it has decided." in page
    sign_in(client, backer)
    page += text_of(client.get(f"/pledges/{payment.subject_id}"))
    assert page.count("A bank is looking at this charge") == 2
    assert "fraud" not in page.lower() and "stolen" not in page.lower()


def test_an_inquiry_leads_to_a_refund_instead(app, stripe, client, staff):
    _payment, dispute = opened(app, stripe, "warning_needs_response")
    enter(client, staff)
    page = client.get(f"/platform/disputes/{dispute.id}").get_data(as_text=True)
    path = re.search(r'href="([^"]+)">Refund instead', page)[1]
    assert client.get(path).status_code == 200
