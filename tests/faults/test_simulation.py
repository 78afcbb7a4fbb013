"""C-32: whole lives of a project by chance, with everything that Stripe, banks, people and dying workers can do to it.

After each step all invariants hold. In the end, when everything has settled, our books are Stripe's to the cent.
`make test` plays the same few lives each time; `make faults` plays long ones and prints their seed: SIMULATION_SEED=n
plays them again, LIVES and STEPS say how many and how long.
"""

import os
import random
import signal
import sys
import uuid
from collections import Counter
from contextlib import contextmanager

import hypothesis
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, reproduce_failure, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backing import changes, fixing, refunding, running
from backing.models import Pledge
from backing.placing import Choice, place_pledge
from core.db import db
from core.errors import Refusal
from core.jobs import drain
from payments import answering, cards, gateway, inbox, reconciling, refunds, safety, sweeping, warnings
from projects import launching
from projects.models import Project
from tests.conftest import empty
from tests.factories import back, check_money, end_project, make_person, make_project, make_reward, scalar
from tests.faults.ear import listening
from tests.faults.operations import OPERATIONS
from tests.payments.payouts import follow, go, make_account, ripen
from tests.races import bury_the_dead, crashed

ALL = os.environ.get("FAULTS") == "all"
BY_SEED = ALL or "SIMULATION_SEED" in os.environ
SEED = int(os.environ.get("SIMULATION_SEED") or random.SystemRandom().randrange(2 ** 32))
LIVES = int(os.environ.get("LIVES") or (60 if ALL else 5))
STEPS = int(os.environ.get("STEPS") or (50 if ALL else 22))
CARDS = {
    "fine": "4242424242424242", "fails later": "4000000000000341", "asks always": "4000002760003184",
    "asks once": "4000002500003155", "asks, then has no money": "4000008260003178", "declined": "4000000000000002",
    "disputed": "4000000000000259", "inquiry": "4000000000001976", "warned of": "4000000000005423",
    "refunds slowly": "4000000000007726", "refund fails": "4000000000005126", "available at once": "4000000000000077"}
CALLS = ("POST /v1/payment_intents", "POST */confirm", "POST /v1/refunds", "POST /v1/transfers", "POST */reversals",
         "POST /v1/checkout/sessions", "POST /v1/customers", "GET /v1/payment_intents/*", "GET /v1/refunds*",
         "GET /v1/disputes/*", "GET /v2/core/accounts/*", "GET *", "POST *")
FAULTS = ("drop_after", "drop_before", "500_after", "500_before", "429", "409", "lock_timeout", "decline",
          "refund_pending", "refund_fails")
POINTS = sorted({point for one in OPERATIONS.values() for point in one.points} | {"after-lease", "after-transfer-lease"})
MOVES = ("under_review", "won", "lost", "needs_response", "warning_under_review", "warning_closed", "prevented",
         "appeal_needs_response", "appeal_under_review")
TIMES = {"a minute": 1, "16 minutes": 16, "25 hours": 25 * 60, "3 days": 3 * 1440, "8 days": 8 * 1440, "15 days": 15 * 1440}
index = st.integers(0, 11)


def rows(sql, **values):
    found = list(db.session.scalars(sa.text(sql), values))
    db.session.rollback()
    return found


class Life(RuleBasedStateMachine):
    """One project from its first pledge to its last cent."""

    app = stripe = url = ear = None  # set by the test

    def __init__(self):
        super().__init__()
        db.session.rollback()
        empty(self.url)
        self.stripe.post("reset")
        self.app.extensions.pop("stripe_breaker", None)
        self.app.extensions.pop("money_mode", None)
        self.ear.bugs.clear()
        self.heard = set()

    @initialize(stage=st.sampled_from(("live", "ended", "ended", "paid out")),
                numbers=st.lists(st.sampled_from(sorted(set(CARDS) - {"declined"})), min_size=1, max_size=4),
                reserve=st.sampled_from((0, 1_000)))
    def begin(self, stage, numbers, reserve):
        self.people = [make_person().id for _ in range(6)]
        self.staff = make_person(is_staff=True).id
        project = make_project(goal=3_000, reserve_bp=reserve)
        self.project = project.id
        self.rewards = [None, make_reward(project, 2_500, quantity=2).id, make_reward(project, 1_200).id]
        self.account = make_account(self.stripe, project.creator)
        for n, name in enumerate(numbers):
            person = db.session.get_one(type(project.creator), self.people[n])
            back(self.stripe, project, person, bonus=3_000 + 100 * n, number=CARDS[name])
        if stage != "live":
            end_project(self.app, project)
            follow(self.stripe)
        if stage == "paid out":
            go(self.stripe, 15)
            self._drain()
        db.session.rollback()

    # What people do

    @rule(who=st.integers(0, 5), reward=st.integers(0, 2), bonus=st.sampled_from((0, 50, 1_000, 3_333)))
    def place(self, who, reward, bonus):
        with self._may_refuse():
            place_pledge(Choice(self.project, self.people[who], self.rewards[reward], bonus, uuid.uuid4()))

    @rule(n=index, card=st.sampled_from(sorted(CARDS)), is_heard=st.booleans())
    def save_card(self, n, card, is_heard):
        pledge = self._pledge(n, "'held', 'pledged', 'errored', 'expired'")
        if pledge is None:
            return
        with self._may_refuse():
            cards.open_card_form(
                subject_id=pledge.id, project_id=pledge.project_id, person=pledge.backer, currency="EUR", description="x",
                locale="en", return_url="http://localhost/back", cancel_url="http://localhost/")
            session_id = scalar("SELECT session_id FROM card_setup WHERE subject_id = :p ORDER BY created_at DESC LIMIT 1",
                                p=pledge.id)
            db.session.rollback()
            if session_id and self._at_stripe(f"checkout/{session_id}/complete", number=CARDS[card]) and is_heard:
                cards.settle_card(session_id)

    @rule(n=index, reward=st.integers(0, 2), bonus=st.sampled_from((0, 500, 4_000)))
    def change(self, n, reward, bonus):
        pledge = self._pledge(n, "'pledged', 'collecting', 'collected'")
        if pledge is not None:
            with self._may_refuse():
                changes.change_pledge(pledge.id, changes.Change(self.rewards[reward], bonus, pledge.version), pledge.backer_id)

    @rule(n=index)
    def cancel(self, n):
        pledge = self._pledge(n, "'held', 'pledged', 'collecting', 'errored', 'collected'")
        if pledge is not None:
            with self._may_refuse():
                changes.cancel_pledge(pledge.id, pledge.backer_id)

    @rule(n=index, lets_in=st.sampled_from((True, True, False, None)))
    def see_the_bank(self, n, lets_in):
        """The backer goes to their bank's page, which lets them in, refuses them, or is left open."""
        pledge = self._pledge(n, "'errored'")
        if pledge is None:
            return
        with self._may_refuse():
            url = fixing.authenticate(pledge, "http://localhost/back")
            if url and lets_in is not None:
                self._at_stripe(f"intents/{url.rsplit('/', 1)[1]}/authenticate",
                                authenticate="complete" if lets_in else "fail")

    @rule(n=index)
    def press_retry(self, n):
        pledge = self._pledge(n, "'errored'")
        if pledge is not None:
            with self._may_refuse():
                running.retry_pledge(pledge.id, self.staff)

    @rule(n=index, part=st.sampled_from((None, 1, 333, 2_000)), times=st.integers(1, 2))
    def refund(self, n, part, times):
        payment_id = self._payment(n)
        if payment_id:
            for _ in range(times):
                with self._may_refuse():
                    refunds.ask_refund(payment_id, part, "asked", by_id=self.staff)

    @precondition(lambda self: self._state() == "successful")
    @rule()
    def refund_everyone(self):
        with self._may_refuse():
            refunding.refund_everyone(db.session.get_one(Project, self.project), "change", "", self.staff)

    @rule(does=st.sampled_from(("pause", "resume")))
    def steer(self, does):
        with self._may_refuse():
            getattr(running, f"{does}_run")(self.project, by_id=self.staff)

    @precondition(lambda self: self._state() == "live")
    @rule(sure=st.integers(0, 5))
    def stop_the_project(self, sure):
        if sure == 5:
            with self._may_refuse():
                project = db.session.get_one(Project, self.project)
                launching.cancel(project, project.creator)

    @rule(n=index, does=st.sampled_from(("answer", "accept")))
    def answer_dispute(self, n, does):
        ids = rows("SELECT id FROM dispute ORDER BY id")
        if ids:
            with self._may_refuse():
                one = ids[n % len(ids)]
                if does == "answer":
                    answering.submit_evidence(one, {"uncategorized_text": "It was sent."}, self.staff)
                else:
                    answering.accept_dispute(one, self.staff)

    @rule(n=index, decision=st.sampled_from((warnings.REFUND, warnings.KEEP)))
    def decide_warning(self, n, decision):
        ids = rows("SELECT id FROM fraud_warning ORDER BY id")
        if ids:
            with self._may_refuse():
                warnings.decide(ids[n % len(ids)], decision, self.staff)

    # What Stripe and banks do

    @rule(n=index, status=st.sampled_from(("needs_response", "warning_needs_response", "lost", "won")),
          share=st.sampled_from((1, 2)))
    def dispute(self, n, status, share):
        charges = [one for one in self.stripe.get("state/charge") if one["status"] == "succeeded"]
        if charges:
            one = charges[n % len(charges)]
            self._at_stripe("disputes", charge=one["id"], status=status, amount=one["amount"] // share)

    @rule(n=index, to=st.sampled_from(MOVES))
    def move_dispute(self, n, to):
        """Not to take once more what went back already: a refund ends an inquiry."""
        def move(one):
            charge = self.stripe.get(f"state/charge/{one['charge']}")
            if not one["status"].startswith("warning") or charge["amount_refunded"] + one["amount"] <= charge["amount"]:
                self._at_stripe("disputes", dispute=one["id"], status=to)

        self._of("dispute", n, move)

    @rule(n=index)
    def warn(self, n):
        self._of("charge", n, lambda one: self._at_stripe("fraud_warnings", charge=one["id"]))

    @rule(n=index, outcome=st.sampled_from(("settle", "fail")))
    def decide_refund(self, n, outcome):
        self._of("refund", n, lambda one: self._at_stripe(f"refunds/{one['id']}/{outcome}"))

    @rule(does=st.sampled_from(("activate", "restrict")))
    def move_account(self, does):
        self._at_stripe(f"accounts/{self.account}/{does}")

    @rule(whose=st.sampled_from(("creator", "platform")), share=st.sampled_from((1, 2)))
    def pay_to_the_bank(self, whose, share):
        books = self.stripe.get("books")
        amount = books["accounts"].get(self.account, {}).get("eur", 0) if whose == "creator" else books["available"].get("eur", 0)
        if amount >= share:
            self._at_stripe("payouts", amount=amount // share, currency="eur",
                            **({"account": self.account} if whose == "creator" else {}))

    @rule(call=st.sampled_from(CALLS), kind=st.sampled_from(FAULTS), times=st.sampled_from((1, 1, 3)))
    def plant_fault(self, call, kind, times):
        self.stripe.post("faults", match=call, kind=kind, times=times)

    @rule()
    def heal(self):
        self.stripe.call("DELETE", "faults")

    @rule(chance=st.integers(0, 2 ** 16), share=st.sampled_from((0.3, 1.0)), copies=st.integers(1, 3), old=st.booleans())
    def news(self, chance, share, copies, old):
        """Webhooks: some lost, some doubled, in any order, old ones again."""
        chance = random.Random(chance)
        events = self.stripe.get("state/event")
        some = [one for one in events if (old or one["id"] not in self.heard) and chance.random() < share] * copies
        chance.shuffle(some)
        for event in some:
            self.heard.add(event["id"])
            inbox.receive(event)

    # What time and workers do

    @rule(span=st.sampled_from(sorted(TIMES)))
    def wait(self, span):
        go(self.stripe, minutes=TIMES[span])

    @rule()
    def work(self):
        self._drain()

    @rule(point=st.sampled_from(POINTS), count=st.integers(1, 2))
    def work_and_die(self, point, count):
        """A worker that is killed at this point, if it comes to it; later its leases are over."""
        self._revive()
        code = crashed(self.app, lambda: (drain(self.app), drain(self.app, ticking=False)), point, count)
        assert code in (0, -signal.SIGKILL), code
        bury_the_dead()

    @rule(full=st.booleans())
    def reconcile(self, full):
        self._revive()
        try:
            if full:
                reconciling.reconcile(full=True)
            else:
                sweeping.sweep()
                reconciling.watch()
        except gateway.GatewayError:
            db.session.rollback()

    # Help

    @contextmanager
    def _may_refuse(self):
        """A refusal is an answer to a person, and no answer is none of our doing; all else is a bug."""
        try:
            yield
        except (Refusal, gateway.GatewayError):
            pass
        finally:
            db.session.rollback()

    def _at_stripe(self, path, **body):
        try:
            self.stripe.post(path, **body)
        except RuntimeError:
            return False  # a card that is declined, a move that is not legal
        return True

    def _of(self, kind, n, act):
        known = self.stripe.get(f"state/{kind}")
        if known:
            act(known[n % len(known)])

    def _pledge(self, n, states):
        ids = rows(f"SELECT id FROM pledge WHERE state IN ({states}) ORDER BY id")
        return db.session.get_one(Pledge, ids[n % len(ids)], populate_existing=True) if ids else None

    def _payment(self, n):
        ids = rows("SELECT id FROM payment WHERE state = 'succeeded' ORDER BY id")
        return ids[n % len(ids)] if ids else None

    def _state(self):
        state = scalar("SELECT state FROM project WHERE id = :id", id=self.project)
        db.session.rollback()
        return state

    def _revive(self):
        """The circuit to Stripe rests by the real clock, which does not pass here."""
        self.app.extensions.pop("stripe_breaker", None)
        db.session.rollback()

    def _drain(self, times=1):
        for _ in range(times):
            self._revive()
            drain(self.app)
        db.session.rollback()

    # What must be true, always

    @invariant()
    def all_holds(self):
        if not hasattr(self, "project"):
            return
        db.session.rollback()
        db.session.expire_all()
        assert not self.ear.bugs, self.ear.bugs
        try:
            check_money()
        except AssertionError:
            self.tell()
            raise
        oversold = rows("""
            SELECT r.id FROM reward r JOIN pledge p ON p.reward_id = r.id AND p.state IN
                   ('held', 'pledged', 'collecting', 'collected', 'errored', 'refunded')
             WHERE r.quantity IS NOT NULL GROUP BY r.id HAVING count(*) > r.quantity OR r.claimed > r.quantity""")
        assert not oversold, oversold
        db.session.rollback()
        self.at_stripe()

    def at_stripe(self):
        """Stripe's own objects: nothing twice."""
        assert self.stripe.get("books")["imbalance"] == {}
        charges = [one for one in self.stripe.get("state/charge") if one["status"] == "succeeded"]
        for kind, found in {
                "intents of a pledge": [one["metadata"]["subject"] for one in self.stripe.get("state/payment_intent")
                                        if one["status"] != "canceled"],
                "charges of an intent": [one["payment_intent"] for one in charges],
                "refunds": [one["metadata"].get("refund") for one in self.stripe.get("state/refund")],
                "transfers": [one["metadata"].get("transfer") for one in self.stripe.get("state/transfer")],
                "reversals": [one["metadata"].get("reversal") for one in self.stripe.get("state/transfer_reversal")]}.items():
            twice = [one for one, n in Counter(found).items() if n > 1]
            assert not twice, (kind, twice)
        assert not charges or self._state() == "successful"

    def tell(self):
        """Where everything stands, for whoever reads the failure."""
        db.session.rollback()
        for table in ("pledge", "payment", "refund", "transfer", "transfer_reversal", "dispute", "mismatch"):
            for row in db.session.execute(sa.text(f"SELECT to_jsonb(t) FROM {table} t ORDER BY id")):
                print(table, {key: value for key, value in row[0].items() if value not in (None, "", [], {})})
        for one in self.stripe.get("state/dispute"):
            print("at Stripe", one["id"], one["status"], one["amount"], [e["amount"] for e in one["balance_transactions"]])
        for one in self.stripe.get("state/refund"):
            print("at Stripe", one["id"], one["status"], one["amount"], one["metadata"])

    def teardown(self):
        if not hasattr(self, "project") or sys.exc_info()[0] is not None:
            return  # it did not begin, or has failed already
        self.settle()
        self.all_holds()
        self.agree()

    def settle(self):
        """Nobody does anything any more, Stripe answers, and time passes."""
        self.stripe.call("DELETE", "faults")
        self._at_stripe(f"accounts/{self.account}/activate")
        if safety.look().is_safe_mode:
            reconciling.reconcile(full=True)
            safety.release("the simulation looked", self.staff)
        running.resume_run(self.project, by_id=self.staff)
        for minutes in (3, 3, 70, 25 * 60):
            bury_the_dead()
            ripen()
            go(self.stripe, minutes=minutes)
            sweeping.sweep()
            sweeping.requeue_stuck()
            self._drain(2)

    def agree(self):
        """All is known, and our books are Stripe's."""
        for table, states in (("payment", "'confirming', 'unknown'"), ("refund", "'created', 'unknown'"),
                              ("transfer", "'unknown'"), ("transfer_reversal", "'unknown'")):
            assert not rows(f"SELECT state FROM {table} WHERE state IN ({states})"), table
        assert not rows("SELECT id FROM pledge WHERE state = 'collecting'")
        assert not rows("SELECT name FROM mail WHERE state NOT IN ('sent', 'dropped')")
        report = reconciling.reconcile(full=True)
        left = list(map(tuple, db.session.execute(sa.text(
            "SELECT kind, ours, theirs FROM mismatch WHERE settled_at IS NULL AND kind NOT IN ('refund_failed')"))))
        assert not left, (left, [line for line in report.lines if line.left])
        assert reconciling.unequal()[0] == []
        check_money()


def test_whatever_happens_in_whatever_order_no_cent_is_lost_doubled_or_bent(app, stripe, database_url):
    was = gateway.stripe.HTTPClient.INITIAL_DELAY
    gateway.stripe.HTTPClient.INITIAL_DELAY = 0.02
    print(f"SIMULATION_SEED={SEED}")
    life = settings(
        max_examples=LIVES, stateful_step_count=STEPS, deadline=None, database=None, derandomize=not BY_SEED, print_blob=True,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
        phases=[Phase.generate] if BY_SEED or os.environ.get("NO_SHRINK") else [Phase.generate, Phase.shrink])
    with listening() as ear:
        Life.app, Life.stripe, Life.url, Life.ear = app, stripe, database_url, ear
        play = seed(SEED)(Life) if BY_SEED else Life
        if os.environ.get("BLOB"):
            play = reproduce_failure(hypothesis.__version__, os.environ["BLOB"].encode())(Life)
        try:
            run_state_machine_as_test(play, settings=life)
        finally:
            gateway.stripe.HTTPClient.INITIAL_DELAY = was
