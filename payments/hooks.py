"""What payments tells the rooms above it; each is sent inside the transaction that changed the money."""

from core.hooks import Hook
from payments.models import CardSetup, Payment

card_saved: Hook[[CardSetup]] = Hook("A card was saved for a subject; nothing is charged.")
payment_changed: Hook[[Payment]] = Hook("A payment reached another state.")
