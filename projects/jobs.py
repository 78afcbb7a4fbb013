"""The rhythm of the deadline."""

from core.jobs import every
from projects import services


@every(10, "projects:close_due")
def close_due() -> None:
    """A scan, so that a worker that was away only delays the end, and nothing is decided twice (C-17)."""
    services.close_due()
