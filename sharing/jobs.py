"""What sharing does on the clock."""

from core.jobs import every
from sharing import visits


@every(600, "sharing:forget_salts")
def forget_salts() -> None:
    visits.forget_salts()
