"""What /metrics says of money; each has a level at which somebody should be woken (O-09)."""

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Gauge

from core.db import db

# name, what it is, one number. Levels: lag > 120 s, unknown > 0 for 15 min, mismatches > 0, imbalance > 0, safe mode 1,
# reconciled > 1200 s.
FIGURES = (
    ("achterban_webhook_lag_seconds", "How long the longest waiting event has waited",
     "SELECT coalesce(extract(epoch FROM clock_now() - min(received_at)), 0) FROM stripe_event WHERE handled_at IS NULL"),
    ("achterban_unknown_charges", "Charges whose end is not known", "SELECT count(*) FROM payment WHERE state = 'unknown'"),
    ("achterban_unknown_charge_seconds", "How long the oldest of them has not been known",
     "SELECT coalesce(extract(epoch FROM clock_now() - min(changed_at)), 0) FROM payment WHERE state = 'unknown'"),
    ("achterban_mismatches", "Open lines of the worklist", "SELECT count(*) FROM mismatch WHERE settled_at IS NULL"),
    ("achterban_ledger_imbalance", "Sum of all ledger entries, which is zero",
     "SELECT coalesce(sum(abs(total)), 0) FROM (SELECT sum(amount) AS total FROM ledger_entry GROUP BY currency) t"),
    ("achterban_money_safe_mode", "1 while no money may move",
     "SELECT coalesce((SELECT is_safe_mode::int FROM money_mode WHERE id = 1), 0)"),
    ("achterban_reconciled_seconds", "How long ago Stripe and our books were compared",
     "SELECT coalesce(extract(epoch FROM clock_now() - run_at), 0) FROM (VALUES (1)) one "
     "LEFT JOIN stripe_cursor ON name = 'reconcile'"),
)


def measure(registry: CollectorRegistry) -> None:
    """Hooked to core.health.measured."""
    for name, what, sql in FIGURES:
        Gauge(name, what, registry=registry).set(float(db.session.scalar(sa.text(sql)) or 0))
