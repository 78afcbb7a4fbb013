"""What people read of a refusal: four kinds of words, never a code (S-33, S-35, S-37)."""

import re

import pytest
import sqlalchemy as sa

from backing.collecting import lease
from backing.models import Pledge
from core.db import db, transaction
from core.jobs import drain
from payments.gateway import Outcome
from payments.recording import News, record
from tests.backing.runs import make_run
from tests.factories import make_person, scalar, sign_in

TABLE = {
    "never": ["lost_card", "stolen_card", "pickup_card", "restricted_card", "revocation_of_authorization",
              "revocation_of_all_authorizations", "invalid_account", "incorrect_number", "card_not_supported",
              "transaction_not_allowed", "fraudulent", "merchant_blacklist", "highest_risk_level"],
    "act": ["authentication_required", "expired_card", "expired_payment_method", "incorrect_cvc", "incorrect_zip",
            "call_issuer"],
    "soft": ["insufficient_funds", "do_not_honor", "generic_decline", "card_velocity_exceeded",
             "withdrawal_count_limit_exceeded", "processing_error", "issuer_not_available", "reenter_transaction",
             "a_code_of_tomorrow"],
}
# Words that would tell what the bank said, in whatever spelling; the creator's and backer's own names hold none of them.
TELLING = re.compile(r"\b(lost|stolen|fraud\w*|pick.?up|restricted|revocation|revoked|blacklist|risk|velocity|cvc|zip code|"
                     r"insufficient|funds|honou?r|generic|declined?|issuer|expired card|invalid|withdrawal|advice)\b", re.I)


def _text(page):
    """What a person reads of a page, and what an attribute could tell."""
    return re.sub(r"(?s)<head>.*?</head>|<svg.*?</svg>|<footer.*?</footer>", "", page)


def _wait_again():
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET state = 'collecting', fix_until = NULL, retry_at = NULL"))
        session.execute(sa.text("DELETE FROM mail"))
        session.execute(sa.text("UPDATE card_setup SET dead_at = NULL, dead_why = NULL"))
        session.execute(sa.text("UPDATE payment SET state = 'confirming', attempts = attempts + 1, decline_class = NULL"))
        session.execute(sa.text("DELETE FROM payment_attempt"))
        session.execute(sa.text("INSERT INTO payment_attempt (payment_id, project_id, number, payment_method_id) "
                                "SELECT p.id, p.project_id, p.attempts, c.payment_method_id FROM payment p "
                                "JOIN pledge g ON g.payment_id = p.id JOIN card_setup c ON c.id = g.card_id"))


@pytest.mark.parametrize("way", TABLE)
def test_no_page_mail_or_file_tells_what_the_bank_said(app, stripe, way):
    creator, staff = make_person("Wannes Lievrouw"), make_person("Els Kramer", is_staff=True)
    project = make_run(stripe, 1, creator=creator)
    step = lease(project.id)[0]
    pledge = db.session.scalar(sa.select(Pledge))
    with transaction() as session:
        session.execute(sa.text("UPDATE person SET name = 'Noor Bakker', email = 'noor@example.org' WHERE id = :id"),
                        {"id": pledge.backer_id})
    fan, own, desk = (sign_in(app.test_client(), who) for who in (pledge.backer, creator, staff))
    path, slug = f"/pledges/{pledge.id}", project.slug
    seen = {}
    for code in TABLE[way]:
        _wait_again()
        number = scalar("SELECT attempts FROM payment")
        top = code if code in ("authentication_required", "expired_card", "incorrect_cvc") else "card_declined"
        record([News(step.payment_id, Outcome("pi_x", "requires_payment_method", code=top, decline_code=code,
                                              network_decline_code="05"), number)])
        assert scalar("SELECT state FROM pledge") == "errored"
        assert (scalar("SELECT dead_at FROM card_setup") is not None) is (way == "never"), code
        assert (scalar("SELECT retry_at FROM pledge") is not None) is (way == "soft"), code
        drain(app, ticking=False)
        from core.mail import send_due

        send_due()
        mail = db.session.execute(sa.text("SELECT subject, text, html FROM mail WHERE name = 'backing/card_problem'")).one()
        page = fan.get(path).get_data(as_text=True)
        texts = {"page": _text(page), "subject": mail.subject, "text": mail.text, "html": _text(mail.html),
                 "mine": _text(fan.get("/me").get_data(as_text=True))}
        for where in ("dashboard", "collection", "backers", "refunds", "payouts"):
            answer = own.get(f"/projects/{slug}/{where}")
            assert answer.status_code == 200, where
            texts[where] = _text(answer.get_data(as_text=True))
        texts["desk"] = _text(desk.get("/platform/collections").get_data(as_text=True))
        answer = own.get(f"/projects/{slug}/backers.csv")
        texts["file"] = answer.get_data(as_text=True)
        for where, text in texts.items():
            assert code not in text and code.replace("_", " ") not in text.lower(), (where, code)
            assert not (told := TELLING.search(re.sub(r"<[^>]*>", " ", text))), (where, code, told and told[0])
        # what happened, what comes next, one button
        orange = re.findall(r'btn btn-orange[^>]*>([^<]+)<', page[page.index('id="mend"'):page.index("</section>", page.index('id="mend"'))])
        assert len(orange) == 1, code
        assert "Nothing was charged" in page and "Nothing was charged." in mail.text
        assert orange[0] in mail.text, code
        if way == "soft":
            assert "We try again by ourselves on" in page and "We try again by ourselves on" in mail.text
        seen.setdefault(re.sub(r"\d\d:\d\d", "", mail.text), []).append(code)
    if way == "never":
        assert len(seen) == 1, "lost, stolen and suspected cards read alike"
    assert not TELLING.search("Another card works at once.") and TELLING.search("a stolen card")


def test_a_bank_that_wants_its_owner_leads_to_the_bank_and_nothing_else_does(app, stripe):
    project = make_run(stripe, 1)
    step = lease(project.id)[0]
    pledge = db.session.scalar(sa.select(Pledge))
    browser = sign_in(app.test_client(), pledge.backer)
    words = {}
    for code, refusals in (("authentication_required", 1), ("expired_card", 1), ("call_issuer", 1), ("insufficient_funds", 1)):
        _wait_again()
        record([News(step.payment_id, Outcome("pi_x", "requires_payment_method", code=code if refusals else None,
                                              decline_code=code), scalar("SELECT attempts FROM payment"))])
        page = browser.get(f"/pledges/{pledge.id}").get_data(as_text=True)
        words[code] = (re.search(r"<h1[^>]*>\s*([^<]+?)\s*</h1>", page)[1], "Confirm with my bank" in page,
                       "Try this card now" in page)
    assert words == {"authentication_required": ("Your bank wants to see you.", True, False),
                     "expired_card": ("This card will not do.", False, False),
                     "call_issuer": ("Your bank said no.", False, True),
                     "insufficient_funds": ("It did not work yet.", False, True)}
