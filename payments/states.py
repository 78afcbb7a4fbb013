"""The states that money goes through; `models` says which moves are legal."""

import enum


class PaymentState(enum.StrEnum):
    CREATED = "created"  # our row; perhaps an unconfirmed intent at Stripe
    CONFIRMING = "confirming"  # a confirm is under way
    PROCESSING = "processing"  # Stripe works on it (delayed methods)
    REQUIRES_ACTION = "requires_action"  # the backer's bank wants to see the backer
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # refused; another attempt may follow on the same intent
    UNKNOWN = "unknown"  # no answer came: neither yes nor no (S-09)


class CardSetupState(enum.StrEnum):
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


class RefundState(enum.StrEnum):
    CREATED = "created"  # our row; not sent yet
    UNKNOWN = "unknown"  # sent, and no answer came
    PENDING = "pending"  # Stripe works on it
    REQUIRES_ACTION = "requires_action"  # the backer has to do something at their bank
    SUCCEEDED = "succeeded"  # the money is on its way back
    FAILED = "failed"  # it did not arrive: the debt to the backer is open again
    CANCELED = "canceled"


class TransferState(enum.StrEnum):
    CREATED = "created"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # refused; it is tried again, for Stripe does not


class DisputeStatus(enum.StrEnum):
    """As Stripe names them."""

    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"
    PREVENTED = "prevented"
    APPEAL_NEEDS_RESPONSE = "appeal_needs_response"
    APPEAL_UNDER_REVIEW = "appeal_under_review"
