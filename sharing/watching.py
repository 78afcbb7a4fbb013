"""What fairness hears from the rooms below and from the tallies: cards and their addresses, disputes, refunds, credits."""

import sqlalchemy as sa

import payments.hooks
from projects.models import ProjectMove
from sharing import fairness, judging, ranking, tallies


def connect() -> None:
    payments.hooks.card_saved.connect(fairness.follow_card)
    payments.hooks.card_changed.connect(fairness.follow_card)
    payments.hooks.dispute_changed.connect(judging.follow_dispute)
    payments.hooks.refund_changed.connect(judging.follow_refund)
    if judging.watch not in tallies.FOLLOWERS:
        tallies.FOLLOWERS.append(judging.watch)
    if ranking.touch_pages not in tallies.FOLLOWERS:
        tallies.FOLLOWERS.append(ranking.touch_pages)
    if not sa.event.contains(ProjectMove, "after_insert", ranking.follow_move):
        sa.event.listen(ProjectMove, "after_insert", ranking.follow_move)
