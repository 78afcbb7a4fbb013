"""What money asks of a project before its launch (S-60, S-71, S-72)."""

from flask import current_app, url_for
from flask_babel import gettext as _

from core.i18n import show_money
from payments import accounts, owing
from projects.hooks import Step
from projects.models import Project


def add_steps(project: Project, steps: list[Step]) -> None:
    """An account that can be paid; and, where they are in the way, its currency and what the creator owes."""
    account = accounts.account_of(project.creator_id)
    page = url_for("payments.payouts", slug=project.slug)
    steps.append(Step("payouts", _("Payout account"), page, bool(account and account.is_active),
                      _("Tell Stripe where the money goes"), 80))
    if sentence := accounts.obstacle(account, project.currency):
        steps.append(Step("currency", _("Currency of the account"), page, False, sentence, 81))
    for currency, amount in too_much_owed(project).items():
        steps.append(Step("debt", _("Money that you owe"), page, False, _(
            "%(money)s of earlier projects went back to backers and could not be taken from your account. It is asked "
            "for again every day.", money=show_money(amount, currency)), 82))


def too_much_owed(project: Project) -> dict[str, int]:
    """The creator's debts above the limit of this site, by currency."""
    limit = current_app.config["CREATOR_DEBT_LIMIT"]
    return {currency: amount for currency, amount in owing.debts_of(project.creator_id).items() if amount > limit}
