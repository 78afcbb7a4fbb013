"""What backing tells the rooms above it; each is sent inside the transaction that moved the pledge."""

from typing import Any

from backing.models import Pledge
from core.hooks import Hook

pledge_confirmed: Hook[[Pledge]] = Hook("The card is saved: the pledge counts from now on.")
pledge_changed: Hook[[Pledge]] = Hook("The pledge's amount, reward or state changed.")
pledge_shown: Hook[[Pledge, dict[str, Any]]] = Hook(
    "A page or mail about this pledge is being made: rooms add what they know to the template's context.")
backing_asked: Hook[[Any, Any, dict[str, Any]]] = Hook(
    "The pledge form is shown or sent for (person, project): rooms add `ref` (a share code) and `sent_by`.")
