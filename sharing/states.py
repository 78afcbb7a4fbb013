"""What a credited pledge counts as, in words of SQL: for the roll-up, its check, and whatever sums pledges itself.

Of a collected pledge only what is still there is collected. What went back, by a refund or because a bank decided for the
backer, is refunded; when all of it did, the pledge stands for nobody's recruit, although its own state may still be
`collected` (a lost dispute moves no pledge). While a bank has not decided, nothing has gone back. `money_back` is a view
of 0044_money_back.
"""


def back_of_all(project: str, pledge: str = "p") -> str:
    """The same join for all pledges of a project at once; `project` is how the statement names it."""
    return f"""LEFT JOIN (SELECT payment_id, sum(amount)::bigint AS back FROM money_back WHERE project_id = {project}
                   GROUP BY 1) b ON b.payment_id = {pledge}.payment_id AND {pledge}.state = 'collected'"""  # noqa: S608 -- ours


def back_of(pledge: str = "p") -> str:
    """Beside a pledge: how much of it went back, by index; for few pledges, or inside of a row."""
    return f"""LATERAL (SELECT least({pledge}.amount, coalesce(sum(y.amount), 0))::bigint AS back FROM money_back y
                   WHERE {pledge}.state = 'collected' AND y.payment_id = {pledge}.payment_id) b"""  # noqa: S608 -- ours


def stands(pledge: str = "p") -> str:
    """Beside either: the pledge stands, and something of it is there."""
    return f"{pledge}.state IN ('pledged', 'collecting', 'collected', 'errored') AND coalesce(b.back, 0) < {pledge}.amount"


# What a pledge counts as; nothing when it was cancelled, lapsed, expired or never stood.
COUNTS_AS = """CASE WHEN p.state IN ('pledged', 'collecting', 'errored') THEN 'pledged'
                     WHEN p.state = 'collected' AND b.back >= p.amount THEN 'refunded'
                     WHEN p.state IN ('collected', 'dropped', 'refunded') THEN p.state END"""
# How much of that, and how much is refunded beside it.
AMOUNT = "CASE WHEN b.back < p.amount THEN p.amount - b.back ELSE p.amount END"
REFUNDED = "CASE WHEN b.back < p.amount THEN b.back ELSE 0 END"
DAY = "CAST(coalesce(p.pledged_at, p.placed_at) AT TIME ZONE 'UTC' AS date)"
BACK, STANDS, LEFT = back_of(), stands(), "(p.amount - coalesce(b.back, 0))"
