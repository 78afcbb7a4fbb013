"""What people tells the rooms above it."""

from typing import Any

from core.hooks import Hook
from people.models import Person

me_shown: Hook[[Person, dict[str, Any]]] = Hook(
    "The page /me is being made: rooms add what they know of this person to the template's context, and append the "
    "names of their templates to context['parts'].")
person_shown: Hook[[Person, dict[str, Any]]] = Hook(
    "The public page of a person is being made: rooms add what everybody may see of this person, and append the names "
    "of their templates to context['parts'].")
signed_in: Hook[[Person]] = Hook("Somebody has just signed in, or registered, in this browser.")
