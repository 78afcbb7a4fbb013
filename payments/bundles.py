"""The bundle of one payment: what all rooms know of it, in one ZIP for staff (S-69)."""

import io
import json
import zipfile
from uuid import UUID

from core import clock
from core.audit import note
from core.db import transaction
from payments import cases
from payments.hooks import bundle_asked
from payments.models import Dispute, Payment


def take_along(payment: Payment, dispute: Dispute, by_id: UUID) -> io.BytesIO:
    """Build it and write down who took it along."""
    subject_id, project_id, dispute_id = payment.subject_id, payment.project_id, dispute.id
    files: dict[str, bytes] = {"payment.json": _payment_file(payment, dispute)}
    bundle_asked.send(subject_id, files)
    with transaction():
        note("payments:download_bundle", "dispute", dispute_id, by_id=by_id, project_id=project_id, files=sorted(files))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        moment = clock.now().timetuple()[:6]
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, moment), files[name], zipfile.ZIP_DEFLATED)
    content.seek(0)
    return content


def _payment_file(payment: Payment, dispute: Dispute) -> bytes:
    """Stripe's names and our sums; no number of a card."""
    return json.dumps({
        "payment": {"stripe": payment.stripe_id, "charge": payment.charge_id, "amount": payment.amount,
                    "currency": payment.currency, "refunded": payment.refunded, "paid_at": payment.changed_at.isoformat()},
        "dispute": {"stripe": dispute.stripe_id, "amount": dispute.amount, "status": dispute.status.value,
                    "reason": dispute.reason, "opened_at": dispute.opened_at.isoformat(),
                    "evidence_due_at": dispute.evidence_due_at.isoformat() if dispute.evidence_due_at else None,
                    "states": [{"at": move.at.isoformat(), "to": move.to_status} for move in cases.moves_of(dispute.id)]},
    }, indent=2, ensure_ascii=False).encode()
