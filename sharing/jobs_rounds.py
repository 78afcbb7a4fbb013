"""What ambassador rounds do on the clock."""

from core.jobs import every
from sharing import rounds


@every(10, "sharing:advance_rounds")
def advance_rounds() -> None:
    rounds.advance_due()


@every(3_600, "sharing:end_old_rounds")
def end_old_rounds() -> None:
    rounds.end_long_over()
