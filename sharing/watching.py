"""What fairness hears from the rooms below and from the tallies: cards, addresses, disputes, refunds, credits."""

import sqlalchemy as sa

import backing.hooks
import payments.hooks
from projects.models import ProjectMove
from sharing import fairness, judging, ranking, tallies


def connect() -> None:
    payments.hooks.card_saved.connect(fairness.follow_card)
    payments.hooks.dispute_changed.connect(judging.follow_dispute)
    payments.hooks.refund_changed.connect(judging.follow_refund)
    if judging.watch not in tallies.FOLLOWERS:
        tallies.FOLLOWERS.append(judging.watch)
    if ranking.touch_pages not in tallies.FOLLOWERS:
        tallies.FOLLOWERS.append(ranking.touch_pages)
    backing.hooks.address_known.connect(fairness.follow_address)
    if not sa.event.contains(ProjectMove, "after_insert", ranking.follow_move):
        sa.event.listen(ProjectMove, "after_insert", ranking.follow_move)
