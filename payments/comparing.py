"""Where Stripe's side and ours differ: one SQL statement per thing, over all of it at once (S-50).

Each row of a statement is a difference: `heal` is what the one door can do about it by itself, `kind` the line of the
worklist that it becomes when that does not help. `%(ids)s` narrows a statement to some objects; NULL means all.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """One comparison: the table of theirs that it starts from, its statement, and where an object is looked up again."""

    name: str
    table: str
    sql: str


# What every statement returns: heal, kind, stripe_id, payment_id, project_id, ours, theirs.
INTENTS = Topic("payments", "intents", """
    SELECT CASE WHEN i.amount <> p.amount OR i.currency <> p.currency THEN ''
                WHEN i.status = 'succeeded' AND p.state <> 'succeeded' AND i.received = p.amount THEN 'record'
                WHEN i.status <> 'succeeded' AND p.state <> 'succeeded' THEN 'hear' ELSE '' END AS heal,
           CASE WHEN i.amount <> p.amount OR i.currency <> p.currency OR (i.status = 'succeeded' AND i.received <> p.amount)
                THEN 'amount' ELSE 'status' END AS kind,
           i.id AS stripe_id, p.id AS payment_id, p.project_id,
           jsonb_build_object('state', p.state, 'amount', p.amount, 'currency', p.currency) AS ours,
           jsonb_build_object('status', i.status, 'amount', CASE WHEN i.status = 'succeeded' AND i.received <> p.amount
                                                                    THEN i.received ELSE i.amount END,
                              'currency', i.currency, 'intent', i.id, 'charge', i.charge) AS theirs
      FROM their_intents i JOIN payment p ON p.stripe_id = i.id
     WHERE (%(ids)s::text[] IS NULL OR i.id = ANY(%(ids)s)) AND (
           i.amount <> p.amount OR i.currency <> p.currency
        OR (i.status = 'succeeded') <> (p.state = 'succeeded')
        OR (i.status = 'succeeded' AND i.received <> p.amount)
        OR (i.status = 'requires_action' AND p.state <> 'requires_action')
        OR (i.status = 'processing' AND p.state <> 'processing')
        OR (i.status = 'canceled' AND p.state NOT IN ('failed', 'succeeded'))
        OR (i.status = 'requires_payment_method' AND p.state IN ('requires_action', 'processing')))""")

# An intent that no row names: of a row that knows none, beside the row's own, or of nothing that we know.
STRAYS = Topic("intents that no payment names", "intents", """
    SELECT CASE WHEN i.status = 'succeeded' THEN
                     CASE WHEN q.state <> 'succeeded' AND i.received = q.amount AND i.currency = q.currency
                          THEN 'adopt_paid' ELSE '' END
                WHEN q.stripe_id IS NULL AND q.state <> 'succeeded' AND i.amount = q.amount AND i.currency = q.currency
                THEN 'adopt'
                WHEN i.status = 'processing' THEN '' ELSE 'call_off' END AS heal,
           CASE WHEN i.status <> 'succeeded' THEN 'stray_intent'
                WHEN q.state = 'succeeded' THEN 'duplicate_charge' ELSE 'unknown_charge' END AS kind,
           CASE WHEN i.status = 'succeeded' THEN coalesce(i.charge, i.id) ELSE i.id END AS stripe_id,
           q.id AS payment_id, coalesce(q.project_id, j.id) AS project_id,
           jsonb_build_object('state', q.state, 'amount', q.amount, 'currency', q.currency, 'intent', q.stripe_id,
                              'charge', q.charge_id) AS ours,
           jsonb_build_object('status', i.status, 'amount', CASE WHEN i.status = 'succeeded' THEN i.received ELSE i.amount END,
                              'currency', i.currency, 'intent', i.id, 'charge', i.charge, 'subject', i.subject) AS theirs
      FROM their_intents i LEFT JOIN payment p ON p.stripe_id = i.id
      LEFT JOIN payment q ON q.subject_id = i.subject LEFT JOIN project j ON j.id = i.project
     WHERE p.id IS NULL AND (%(ids)s::text[] IS NULL OR i.id = ANY(%(ids)s))
       AND (i.subject IS NOT NULL OR i.project IS NOT NULL) AND i.status <> 'canceled'
       AND (i.status = 'succeeded' OR q.id IS NOT NULL)
       AND NOT EXISTS (SELECT 1 FROM payment o WHERE o.charge_id = i.charge)
       AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.duplicate_charge_id = i.charge)  -- failed: that is a line of its own
       """)

CHARGES = Topic("charges", "charges", """
    SELECT CASE WHEN q.id IS NULL AND p.id IS NOT NULL AND p.state <> 'succeeded' THEN 'hear_intent' ELSE '' END AS heal,
           CASE WHEN q.id IS NOT NULL THEN CASE WHEN NOT c.is_paid THEN 'status' ELSE 'amount' END
                WHEN coalesce(p.state, s.state) = 'succeeded' THEN 'duplicate_charge' ELSE 'unknown_charge' END AS kind,
           c.id AS stripe_id, coalesce(q.id, p.id, s.id) AS payment_id,
           coalesce(q.project_id, p.project_id, s.project_id, j.id) AS project_id,
           jsonb_build_object('state', coalesce(q.state, p.state, s.state), 'amount', coalesce(q.amount, p.amount, s.amount),
                              'currency', coalesce(q.currency, p.currency, s.currency),
                              'charge', coalesce(q.charge_id, p.charge_id, s.charge_id)) AS ours,
           jsonb_build_object('status', CASE WHEN c.is_paid THEN 'succeeded' ELSE 'failed' END, 'amount', c.amount,
                              'currency', c.currency, 'intent', c.intent, 'subject', c.subject) AS theirs
      FROM their_charges c LEFT JOIN payment q ON q.charge_id = c.id
      LEFT JOIN payment p ON q.id IS NULL AND p.stripe_id = c.intent
      LEFT JOIN payment s ON q.id IS NULL AND p.id IS NULL AND s.subject_id = c.subject
      LEFT JOIN project j ON j.id = c.project
     WHERE (%(ids)s::text[] IS NULL OR c.id = ANY(%(ids)s))
       AND CASE WHEN q.id IS NOT NULL THEN NOT c.is_paid OR c.amount <> q.amount OR c.currency <> q.currency
                ELSE c.is_paid AND (coalesce(p.id, s.id, j.id) IS NOT NULL OR c.subject IS NOT NULL)
                     AND c.refunded < c.amount
                     AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.duplicate_charge_id = c.id)
                     -- what STRAYS tells already; told twice in other words, no settled line would ever stay settled
                     AND NOT EXISTS (SELECT 1 FROM their_intents i WHERE i.id = c.intent AND i.charge = c.id
                                        AND i.status = 'succeeded' AND coalesce(i.subject, i.project) IS NOT NULL
                                        AND p.id IS NULL) END""")

# What Stripe says went back of a charge, beside the refunds that we know of; open ones may be on either side.
REFUNDED = Topic("refunded sums", "charges", """
    SELECT 'hear_refunds' AS heal, 'refunded' AS kind, c.id AS stripe_id, q.id AS payment_id, q.project_id,
           jsonb_build_object('amount', r.known, 'currency', q.currency) AS ours,
           jsonb_build_object('amount', c.refunded, 'currency', c.currency) AS theirs
      FROM their_charges c JOIN payment q ON q.charge_id = c.id
     CROSS JOIN LATERAL (
           SELECT coalesce(sum(amount) FILTER (WHERE state IN ('pending', 'requires_action', 'succeeded')), 0) AS known
             FROM refund WHERE payment_id = q.id AND duplicate_charge_id IS NULL) r
     WHERE (%(ids)s::text[] IS NULL OR c.id = ANY(%(ids)s)) AND (c.refunded > 0 OR q.refunded > 0) AND c.refunded <> r.known""")

REFUNDS = Topic("refunds", "refunds", """
    SELECT CASE WHEN r.id IS NOT NULL AND r.amount = f.amount AND r.currency = f.currency
                 AND coalesce(r.stripe_id, f.id) = f.id THEN 'hear_refund' ELSE '' END AS heal,
           CASE WHEN r.id IS NULL OR r.stripe_id <> f.id THEN 'unknown_refund'
                WHEN r.amount <> f.amount OR r.currency <> f.currency THEN 'amount' ELSE 'status' END AS kind,
           f.id AS stripe_id, p.id AS payment_id, p.project_id,
           jsonb_build_object('state', r.state, 'amount', r.amount, 'currency', r.currency) AS ours,
           jsonb_build_object('status', f.status, 'amount', f.amount, 'currency', f.currency, 'charge', f.charge) AS theirs
      FROM their_refunds f
      LEFT JOIN refund a ON a.stripe_id = f.id LEFT JOIN refund r ON r.id = coalesce(a.id, f.row_id)
      LEFT JOIN payment c ON c.charge_id = f.charge LEFT JOIN payment i ON i.stripe_id = f.intent
      LEFT JOIN payment p ON p.id = coalesce(r.payment_id, c.id, i.id)
     WHERE (%(ids)s::text[] IS NULL OR f.id = ANY(%(ids)s)) AND p.id IS NOT NULL
       AND CASE WHEN r.id IS NULL OR r.stripe_id <> f.id THEN f.status NOT IN ('failed', 'canceled')
                ELSE r.state <> f.status OR r.amount <> f.amount OR r.currency <> f.currency END""")

# A charge of nobody that was booked, and then went back at Stripe: what was owed for it is owed no more.
STRANGERS = Topic("refunds of charges that nobody asked for", "refunds", """
    SELECT '' AS heal, 'stranger_refunded' AS kind, f.id AS stripe_id, NULL::uuid AS payment_id, t.project_id,
           '{}'::jsonb AS ours,
           jsonb_build_object('status', f.status, 'amount', f.amount, 'currency', f.currency, 'charge', f.charge) AS theirs
      FROM their_refunds f JOIN ledger_transaction t ON t.kind = 'adjustment' AND t.external_id = f.charge AND t.part = ''
     WHERE (%(ids)s::text[] IS NULL OR f.id = ANY(%(ids)s)) AND f.status = 'succeeded'
       AND NOT EXISTS (SELECT 1 FROM ledger_transaction b WHERE b.kind = 'adjustment' AND b.external_id = f.id)""")

TRANSFERS = Topic("transfers", "transfers", """
    SELECT CASE WHEN t.id IS NOT NULL AND t.amount = f.amount AND t.currency = f.currency
                 AND t.destination = f.destination AND coalesce(t.stripe_id, f.id) = f.id
                THEN 'hear_transfer' ELSE '' END AS heal,
           CASE WHEN t.id IS NULL OR t.stripe_id <> f.id THEN 'unknown_transfer'
                WHEN t.amount <> f.amount OR t.currency <> f.currency OR t.destination <> f.destination THEN 'amount'
                WHEN t.state <> 'succeeded' THEN 'status' ELSE 'reversed' END AS kind,
           f.id AS stripe_id, t.payment_id, coalesce(t.project_id, j.id) AS project_id,
           jsonb_build_object('state', t.state, 'amount', t.amount, 'currency', t.currency, 'destination', t.destination,
                              'reversed', v.known) AS ours,
           jsonb_build_object('status', 'succeeded', 'amount', f.amount, 'currency', f.currency,
                              'destination', f.destination, 'reversed', f.reversed) AS theirs
      FROM their_transfers f
      LEFT JOIN transfer a ON a.stripe_id = f.id LEFT JOIN transfer t ON t.id = coalesce(a.id, f.row_id)
      LEFT JOIN project j ON j.id = f.project
     CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS known FROM transfer_reversal
                          WHERE transfer_id = t.id AND state = 'succeeded') v
     WHERE (%(ids)s::text[] IS NULL OR f.id = ANY(%(ids)s))
       AND (t.id IS NULL OR t.stripe_id <> f.id OR t.state <> 'succeeded' OR t.amount <> f.amount OR t.currency <> f.currency
            OR t.destination <> f.destination OR f.reversed <> v.known)""")

DISPUTES = Topic("disputes", "disputes", """
    SELECT 'hear_dispute' AS heal,
           CASE WHEN d.id IS NULL THEN 'unknown_dispute' WHEN d.amount <> f.amount THEN 'amount' ELSE 'status' END AS kind,
           f.id AS stripe_id, p.id AS payment_id, p.project_id,
           jsonb_build_object('state', d.status, 'amount', d.amount, 'currency', d.currency) AS ours,
           jsonb_build_object('status', f.status, 'amount', f.amount, 'currency', f.currency, 'charge', f.charge) AS theirs
      FROM their_disputes f LEFT JOIN dispute d ON d.stripe_id = f.id
      LEFT JOIN payment c ON c.charge_id = f.charge LEFT JOIN payment i ON i.stripe_id = f.intent
      LEFT JOIN payment p ON p.id = coalesce(d.payment_id, c.id, i.id)
     WHERE (%(ids)s::text[] IS NULL OR f.id = ANY(%(ids)s)) AND p.id IS NOT NULL
       AND (d.id IS NULL OR d.status <> f.status OR d.amount <> f.amount)""")

WARNINGS = Topic("early fraud warnings", "warnings", """
    SELECT 'hear_warning' AS heal, 'unknown_warning' AS kind, f.id AS stripe_id, p.id AS payment_id, p.project_id,
           '{}'::jsonb AS ours, jsonb_build_object('charge', f.charge) AS theirs
      FROM their_warnings f JOIN payment p ON p.charge_id = f.charge
      LEFT JOIN fraud_warning w ON w.stripe_id = f.id
     WHERE (%(ids)s::text[] IS NULL OR f.id = ANY(%(ids)s)) AND w.id IS NULL""")

# Money on the balance: Stripe's own fee of a charge, and what comes or goes without any row of ours.
_FEE = """(SELECT coalesce(-sum(e.amount), 0) FROM ledger_transaction t
             JOIN ledger_entry e ON e.transaction_id = t.id AND e.what = 'processing fee' AND e.account = 'stripe_pending'
            WHERE t.subject_id = p.subject_id AND t.kind IN ('charge', 'fee'))"""
MOVEMENTS = Topic("balance transactions", "movements", f"""
    SELECT CASE WHEN p.id IS NOT NULL AND m.amount = p.amount AND {_FEE} = 0 THEN 'book_fee'
                WHEN m.type IN ('payout', 'payout_cancel', 'payout_failure') THEN 'book_payout'
                WHEN m.type IN ('stripe_fee', 'stripe_fx_fee', 'tax_fee') THEN 'book_stripe_fee' ELSE '' END AS heal,
           CASE WHEN p.id IS NULL THEN 'unknown_movement' WHEN m.amount <> p.amount THEN 'amount' ELSE 'fee' END AS kind,
           m.id AS stripe_id, p.id AS payment_id, p.project_id,
           jsonb_build_object('amount', p.amount, 'fee', {_FEE}, 'currency', p.currency) AS ours,
           jsonb_build_object('type', m.type, 'amount', m.amount, 'fee', m.fee, 'net', m.net, 'currency', m.currency,
                              'source', m.source) AS theirs
      FROM their_movements m LEFT JOIN payment p ON m.type IN ('charge', 'payment') AND p.charge_id = m.source
     WHERE (%(ids)s::text[] IS NULL OR m.id = ANY(%(ids)s))
       AND CASE WHEN p.id IS NOT NULL
                THEN m.amount <> p.amount OR (m.fee IS DISTINCT FROM p.processing_fee AND m.fee <> {_FEE})
                WHEN m.type IN ('charge', 'payment', 'refund', 'payment_refund', 'refund_failure', 'payment_failure_refund',
                                'transfer', 'transfer_refund', 'transfer_cancel', 'transfer_failure', 'adjustment')
                THEN false  -- those have lists of their own
                ELSE m.net <> 0 AND NOT EXISTS (SELECT 1 FROM ledger_transaction t
                           WHERE t.kind IN ('payout', 'stripe_fee', 'adjustment') AND t.external_id = m.id) END""")  # noqa: S608

TOPICS = (INTENTS, STRAYS, CHARGES, REFUNDS, REFUNDED, STRANGERS, TRANSFERS, DISPUTES, WARNINGS, MOVEMENTS)

# What we say Stripe has and its list does not show: list → (our table, its id at Stripe, payment, state, since when).
_OURS = {
    "intents": ("payment", "stripe_id", "id", "state", "created_at"),
    "charges": ("payment", "charge_id", "id", "state", "created_at"),
    "refunds": ("refund", "stripe_id", "payment_id", "state", "created_at"),
    "transfers": ("transfer", "stripe_id", "payment_id", "state", "created_at"),
    "disputes": ("dispute", "stripe_id", "payment_id", "status", "opened_at"),
}
_SINCE = "o.{id} IS NOT NULL AND (%(since)s::timestamptz IS NULL OR o.{at} >= %(since)s)"
OURS = {name: f"SELECT count(*) FROM {table} o WHERE {_SINCE.format(id=id, at=at)}"  # noqa: S608 -- names from above
        for name, (table, id, _payment, _state, at) in _OURS.items()}
MISSING = {name: f"""
    SELECT '' AS heal, 'missing_there' AS kind, o.{id} AS stripe_id, o.{payment} AS payment_id, o.project_id,
           jsonb_build_object('state', o.{state}, 'amount', o.amount, 'currency', o.currency) AS ours, '{{}}'::jsonb AS theirs
      FROM {table} o LEFT JOIN their_{name} f ON f.id = o.{id}
     WHERE f.id IS NULL AND {_SINCE.format(id=id, at=at)}"""  # noqa: S608
           for name, (table, id, payment, state, at) in _OURS.items()}

# Charges whose money has become available and that are still booked as pending.
RIPE = """
    SELECT m.id, m.net, m.currency, p.project_id, p.subject_id
      FROM their_movements m
      LEFT JOIN payment c ON c.charge_id = m.source
      LEFT JOIN LATERAL (SELECT payment_id FROM refund WHERE duplicate_charge_id = m.source LIMIT 1) r ON c.id IS NULL
      JOIN payment p ON p.id = coalesce(c.id, r.payment_id)
      LEFT JOIN ledger_transaction t ON t.kind = 'available' AND t.external_id = m.id AND t.part = ''
     WHERE m.type IN ('charge', 'payment') AND m.status = 'available' AND m.net <> 0 AND t.id IS NULL"""
FEES = "SELECT source, fee FROM their_movements WHERE type IN ('charge', 'payment') AND source = ANY(%(charges)s)"
