"""What payments tells the rooms above it; each is sent inside the transaction that changed the money."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from core.hooks import Hook
from payments.models import CardSetup, Dispute, FraudWarning, PaymentState, Refund, Transfer
from projects.models import Project


@dataclass(frozen=True)
class PaymentNews:
    """A payment that reached another state, for rooms above."""

    payment_id: UUID
    subject_id: UUID
    state: PaymentState
    attempts: int
    decline_class: str | None
    way: str = ""  # where a refusal leads: never | act | soft | ours
    hours: int | None = None  # after which we try again by ourselves
    is_told: bool = True  # whether a refusal is worth a mail of its own


card_saved: Hook[[CardSetup]] = Hook("A card was saved for a subject; nothing is charged.")
card_changed: Hook[[CardSetup]] = Hook("Of a saved card the bank or its owner told something new: number, date, address.")
payments_changed: Hook[[Sequence[PaymentNews]]] = Hook("Payments reached another state; news comes by the dozen.")
refund_changed: Hook[[Refund]] = Hook("A refund was asked for, or reached another state.")
dispute_changed: Hook[[Dispute]] = Hook("A dispute of a payment was opened, or its state or its money moved.")
warning_changed: Hook[[FraudWarning]] = Hook("A payment was warned of, or staff decided what to do about it.")
subjects_asked: Hook[[dict[UUID, str]]] = Hook(
    "A page or mail names payments by their subjects: rooms above put in what each key is called (“Backer 12”).")
evidence_asked: Hook[[UUID, dict[str, str]]] = Hook(
    "Staff answer a bank about this subject: rooms above fill in Stripe's texts of evidence from what they know.")
bundle_asked: Hook[[UUID, dict[str, bytes]]] = Hook(
    "Staff take along all that is known of this subject: rooms above put in files by name.")
transfer_changed: Hook[[Transfer]] = Hook("A transfer to a creator reached another state.")
payout_asked: Hook[[Project, list[str]]] = Hook(
    "A project's payout would begin: rooms above add a word for each reason why not yet (`collecting`).")
