"""What sharing does on the clock."""

from core import rate
from core.jobs import every, task
from sharing import devices, judging, tallies, visits


@every(600, "sharing:forget_salts")
def forget_salts() -> None:
    visits.forget_salts()


@every(3600, "sharing:forget_devices")
def forget_devices() -> None:
    devices.forget_old()


@every(5, "sharing:judge")
def judge() -> None:
    judging.judge_due()


@every(0.5, "sharing:roll_up")
def roll_up() -> None:
    tallies.roll_up()


@task("sharing:follow_again")
def follow_again(follower: str, links: list[str]) -> None:
    tallies.follow_again(follower, links)


@every(3600, "sharing:forget_limits")
def forget_limits() -> None:
    rate.forget_limits()
