"""What must always hold of pledges, stock and totals (C-12, C-29)."""

from payments.checks import counted, register

# Lapsed pledges stood to the end: the counters of a project that missed its goal stay as they were.
_COUNTED = "('pledged', 'collecting', 'collected', 'errored', 'lapsed')"


def register_checks() -> None:
    register("stock: what is claimed is what is held or promised", """
        SELECT r.id FROM reward r LEFT JOIN pledge p ON p.reward_id = r.id AND p.state IN
               ('held', 'pledged', 'collecting', 'collected', 'errored', 'lapsed', 'refunded')
         WHERE r.quantity IS NOT NULL AND r.kind = 'pledge' GROUP BY r.id HAVING r.claimed <> count(p.id)""",
        counted("limited rewards", "reward WHERE quantity IS NOT NULL AND kind = 'pledge'"))
    register("totals: counters and waiting changes are the sum of the standing pledges", f"""
        SELECT t.project_id FROM project_total t
          LEFT JOIN (SELECT project_id, sum(pledge.amount) AS raised, count(*) AS backers,
                            sum(pledge.amount - coalesce(r.returned, 0)) FILTER (WHERE state = 'collected') AS collected
                       FROM pledge LEFT JOIN (SELECT payment_id, sum(amount) AS returned FROM refund
                                               WHERE state = 'succeeded' AND duplicate_charge_id IS NULL GROUP BY 1) r
                                   USING (payment_id)
                      WHERE state IN {_COUNTED} GROUP BY 1) s USING (project_id)
          LEFT JOIN (SELECT project_id, sum(raised) AS raised, sum(backers) AS backers, sum(collected) AS collected
                       FROM pledge_delta GROUP BY 1) d USING (project_id)
         WHERE t.raised + coalesce(d.raised, 0) <> coalesce(s.raised, 0)
            OR t.backers + coalesce(d.backers, 0) <> coalesce(s.backers, 0)
            OR t.collected + coalesce(d.collected, 0) <> coalesce(s.collected, 0)""",  # noqa: S608 -- a constant of ours
        counted("projects", "project_total"))
    register("a pledge's amount is the sum of the lines of its version", """
        SELECT p.id FROM pledge p LEFT JOIN pledge_line l ON l.pledge_id = p.id AND l.version = p.version
         GROUP BY p.id HAVING p.amount <> coalesce(sum(l.amount), 0)""",
        counted("pledges", "pledge"))
    register("a collected pledge has a succeeded payment of its amount", """
        SELECT p.id FROM pledge p LEFT JOIN payment m ON m.id = p.payment_id
         WHERE p.state = 'collected' AND (m.id IS NULL OR m.state <> 'succeeded' OR m.amount <> p.amount)""",
        counted("pledges", "pledge WHERE state = 'collected'"))
    register("a succeeded payment has a collected pledge", """
        SELECT m.id FROM payment m LEFT JOIN pledge p ON p.payment_id = m.id
         WHERE m.state = 'succeeded' AND (p.id IS NULL OR p.state NOT IN ('collected', 'refunded'))""",
        counted("payments", "payment WHERE state = 'succeeded'"))
    register("no payment on a project that is not successful", """
        SELECT m.id FROM payment m JOIN project p ON p.id = m.project_id WHERE p.state <> 'successful'""",
        counted("payments", "payment"))
    register("every pledge's state is where its history ends", """
        SELECT p.id FROM pledge p JOIN LATERAL (SELECT to_state FROM pledge_move m WHERE m.pledge_id = p.id
                                                 ORDER BY m.id DESC LIMIT 1) last ON true
         WHERE last.to_state <> p.state""",
        counted("pledges", "pledge"))
    register("a pledge is refunded when all of it went back, and only then", """
        SELECT p.id FROM pledge p LEFT JOIN (SELECT payment_id, sum(amount) AS returned FROM refund
                 WHERE state = 'succeeded' AND duplicate_charge_id IS NULL GROUP BY 1) r USING (payment_id)
         WHERE (p.state = 'refunded' AND coalesce(r.returned, 0) <> p.amount
                AND NOT EXISTS (SELECT FROM pledge o WHERE o.project_id = p.project_id AND o.backer_id = p.backer_id
                                   AND o.id <> p.id AND o.state IN ('held', 'pledged', 'collecting', 'collected', 'errored')))
            OR (p.state <> 'refunded' AND r.returned = p.amount)""",
        counted("pledges", "pledge WHERE state = 'refunded'"))
