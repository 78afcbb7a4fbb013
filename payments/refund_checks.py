"""What must always hold of refunds (C-27 to C-30, S-67)."""

from payments.checks import counted, register, total

_LIVE = "r.state NOT IN ('failed', 'canceled')"
_UNDER_WAY = "('created', 'unknown', 'pending', 'requires_action')"

register("what a payment counts as refunded is the sum of its refunds, and never above it", f"""
    SELECT p.id FROM payment p LEFT JOIN refund r ON r.payment_id = p.id AND r.duplicate_charge_id IS NULL AND {_LIVE}
     GROUP BY p.id HAVING p.refunded <> coalesce(sum(r.amount), 0) OR p.refunded > p.amount""",  # noqa: S608 -- words of ours
         total("refunded", "payment WHERE refunded > 0"))
register("each refund stands in the ledger as its state says", f"""
    SELECT r.id FROM refund r LEFT JOIN ledger_transaction t ON t.kind = 'refund' AND t.external_id = r.id::text
      LEFT JOIN ledger_entry e ON e.transaction_id = t.id AND e.currency = r.currency
     GROUP BY r.id
    HAVING coalesce(sum(e.amount) FILTER (WHERE e.account = 'refunds_payable'), 0)
               <> CASE WHEN r.state IN {_UNDER_WAY} THEN -r.amount ELSE 0 END
        OR coalesce(sum(e.amount) FILTER (WHERE e.account = 'stripe_available'), 0)
               <> CASE WHEN r.state = 'succeeded' THEN -r.amount ELSE 0 END
        OR coalesce(sum(e.amount) FILTER (WHERE e.account = 'platform_fee'), 0) <> CASE WHEN {_LIVE} THEN r.fee_back ELSE 0 END
        OR coalesce(sum(e.amount) FILTER (WHERE e.account IN ('creator_payable', 'backer_receivable')), 0)
               <> CASE WHEN {_LIVE} THEN r.amount - r.fee_back ELSE 0 END""",  # noqa: S608
         counted("refunds", "refund"))
register("the ledger knows no refund that we do not", """
    SELECT t.id FROM ledger_transaction t LEFT JOIN refund r ON r.id::text = t.external_id
     WHERE t.kind = 'refund' AND r.id IS NULL""",
         counted("transactions", "ledger_transaction WHERE kind = 'refund'"))
register("what is pending in the ledger of refunds is a refund under way, and the other way round", f"""
    SELECT p.id FROM ledger_transaction p LEFT JOIN refund r ON r.id::text = p.external_id
      LEFT JOIN ledger_transaction t ON t.resolves_id = p.id OR t.reverses_id = p.id
     WHERE p.kind = 'refund' AND p.is_pending
     GROUP BY p.id, r.state HAVING (count(t.id) = 0) <> (coalesce(r.state, '') IN {_UNDER_WAY})""",  # noqa: S608
         counted("pending transactions", "ledger_transaction WHERE is_pending"))
register("who got everything back got the platform's whole share back", f"""
    SELECT p.id FROM payment p JOIN refund r ON r.payment_id = p.id AND r.duplicate_charge_id IS NULL AND {_LIVE}
     WHERE p.refunded = p.amount GROUP BY p.id HAVING sum(r.fee_back) <> (p.amount * p.fee_bp + 5000) / 10000""",  # noqa: S608
         counted("payments", "payment WHERE refunded = amount"))
register("every refund's state is where its history ends", """
    SELECT r.id FROM refund r LEFT JOIN LATERAL (SELECT to_state FROM refund_move m WHERE m.refund_id = r.id
                                                  ORDER BY m.id DESC LIMIT 1) last ON true
     WHERE r.state <> coalesce(last.to_state, 'created')""",
         counted("refunds", "refund"))
