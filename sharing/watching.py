"""What fairness hears from the rooms below and from the tallies: cards, addresses, disputes, refunds, credits."""

import backing.hooks
import payments.hooks
from sharing import fairness, judging, tallies


def connect() -> None:
    payments.hooks.card_saved.connect(fairness.follow_card)
    payments.hooks.dispute_changed.connect(judging.follow_dispute)
    payments.hooks.refund_changed.connect(judging.follow_refund)
    if judging.watch not in tallies.FOLLOWERS:
        tallies.FOLLOWERS.append(judging.watch)
    backing.hooks.address_known.connect(fairness.follow_address)
