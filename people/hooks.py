"""What people tells the rooms above it."""

from typing import Any

from core.hooks import Hook
from people.models import Person

me_shown: Hook[[Person, dict[str, Any]]] = Hook(
    "The page /me is being made: rooms add what they know of this person to the template's context.")
signed_in: Hook[[Person]] = Hook("Somebody has just signed in, or registered, in this browser.")
