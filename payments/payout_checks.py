"""What must always hold of payouts (C-28, C-29, S-63, S-64, S-65)."""

from flask import Flask

from payments.checks import counted, register, total

# What a payment leaves for its creator in the end, whoever holds it now: the charge less all that it cost, and what was
# set off between it and others.
_PART = """
    SELECT t.subject_id, -sum(e.amount) AS part FROM ledger_transaction t
      JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'creator_payable'
     WHERE t.kind IN ('charge', 'refund', 'dispute', 'shortfall', 'set off') AND t.subject_id IS NOT NULL GROUP BY 1"""


def init_app(app: Flask) -> None:
    days = int(app.config["PAYOUT_DAYS"])
    register("transferred less taken back is at most charge less fees, refunds and disputes", f"""
        WITH part AS ({_PART}),
        sent AS (SELECT payment_id, sum(amount) AS amount FROM transfer
                  WHERE state = 'succeeded' OR next_at IS NOT NULL GROUP BY 1),
        back AS (SELECT f.payment_id, sum(r.amount) AS amount FROM transfer_reversal r JOIN transfer f ON f.id = r.transfer_id
                  WHERE r.state = 'succeeded' OR r.next_at IS NOT NULL GROUP BY 1)
        SELECT p.id, sent.amount, back.amount, part.part FROM sent JOIN payment p ON p.id = sent.payment_id
          LEFT JOIN part ON part.subject_id = p.subject_id LEFT JOIN back ON back.payment_id = p.id
         WHERE sent.amount - coalesce(back.amount, 0) > greatest(0, coalesce(part.part, 0))""",  # noqa: S608 -- ours
        counted("transfers", "transfer"))
    register("transfers on their way are the open transfers", """
        SELECT project_id FROM (
            SELECT project_id, -sum(amount) AS amount FROM ledger_entry WHERE account = 'transfers_payable' GROUP BY 1
            UNION ALL
            SELECT project_id, -sum(amount) FROM transfer WHERE state <> 'succeeded' AND next_at IS NOT NULL GROUP BY 1) sides
         GROUP BY 1 HAVING sum(amount) <> 0""",
        counted("open transfers", "transfer WHERE state <> 'succeeded' AND next_at IS NOT NULL"))
    register("every transfer that arrived is booked once, at its amount", """
        SELECT f.id FROM transfer f LEFT JOIN ledger_transaction t ON t.kind = 'transfer' AND t.part = 'posted'
               AND t.external_id = f.id::text
          LEFT JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'stripe_available'
         GROUP BY f.id HAVING coalesce(-sum(e.amount), 0) <> CASE WHEN f.state = 'succeeded' THEN f.amount ELSE 0 END""",
        counted("transfers", "transfer WHERE state = 'succeeded'"))
    register("every reversal that came back is booked once, at its amount", """
        SELECT r.id FROM transfer_reversal r LEFT JOIN ledger_transaction t ON t.kind = 'reversal' AND t.external_id = r.id::text
          LEFT JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'stripe_available'
         GROUP BY r.id HAVING coalesce(sum(e.amount), 0) <> CASE WHEN r.state = 'succeeded' THEN r.amount ELSE 0 END""",
        counted("reversals", "transfer_reversal"))
    register("no more is taken back from a transfer than it brought", """
        SELECT f.id FROM transfer f JOIN transfer_reversal r ON r.transfer_id = f.id
         WHERE r.state = 'succeeded' OR r.next_at IS NOT NULL GROUP BY f.id HAVING sum(r.amount) > f.amount""",
        counted("reversals", "transfer_reversal"))
    register("debts of creators are the refused reversals and what fees left over", """
        SELECT project_id FROM (
            SELECT e.project_id, sum(e.amount) AS amount FROM ledger_entry e JOIN ledger_transaction t ON t.id = e.transaction_id
             WHERE e.account = 'creator_debt' AND t.kind IN ('debt', 'reversal') GROUP BY 1
            UNION ALL
            SELECT r.project_id, -sum(r.amount) FROM transfer_reversal r
              JOIN ledger_transaction d ON d.kind = 'debt' AND d.external_id = r.id::text AND d.reverses_id IS NULL
             WHERE r.state <> 'succeeded' AND r.next_at IS NOT NULL GROUP BY 1) sides
         GROUP BY 1 HAVING sum(amount) <> 0
        UNION ALL
        SELECT project_id FROM ledger_entry WHERE account = 'creator_debt' GROUP BY 1 HAVING sum(amount) < 0""",
        total("amount", "ledger_entry WHERE account = 'creator_debt'"))
    register("no transfer before the days after the deadline are over", f"""
        SELECT t.id FROM transfer t JOIN project p ON p.id = t.project_id
         WHERE t.created_at < p.deadline + interval '{days} days' OR p.state <> 'successful'""",  # noqa: S608 -- a number
        counted("transfers", "transfer"))
    register("a transfer is in its payment's currency and project", """
        SELECT t.id FROM transfer t JOIN payment p ON p.id = t.payment_id
         WHERE t.currency <> p.currency OR t.project_id <> p.project_id""",
        counted("transfers", "transfer"))
