"""Invented projects, people and drawings to fill a fresh Achterban with."""
