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
merge_asked: Hook[[Person, Person]] = Hook(
    "Two accounts are to become one, (the one that stays, the one that goes): rooms raise Refusal for what cannot be joined.")
people_merged: Hook[[Person, Person]] = Hook(
    "Two accounts become one, in this transaction: rooms move what belongs to the second to the first.")
