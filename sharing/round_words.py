"""What states of rounds, applications and proofs are called: word, sign, tone."""

from flask_babel import gettext as _

from sharing.models_rounds import AmbassadorRound, ApplicationState, KitKind, ProofState, RoundState

R, A, P, K = RoundState, ApplicationState, ProofState, KitKind


def round_words(state: RoundState, is_announced: bool = False) -> tuple[str, str, str]:
    return {
        R.DRAFT: (_("Announced"), "megaphone", "tint") if is_announced else (_("Draft"), "pencil", "dim"),
        R.OPEN: (_("Call open"), "megaphone", "tint"),
        R.VOTING: (_("Vote and jury"), "check2-square", "busy"),
        R.CHOOSING: (_("Being chosen"), "hourglass-split", "wait"),
        R.RUNNING: (_("Running"), "flag", "good"),
        R.ENDED: (_("Ended"), "clock", "dim"),
        R.CANCELLED: (_("Cancelled"), "slash-circle", "outline"),
    }[state]


def application_words(state: ApplicationState) -> tuple[str, str, str]:
    return {
        A.SENT: (_("Applied"), "envelope", "tint"),
        A.WITHDRAWN: (_("Withdrawn"), "slash-circle", "outline"),
        A.ACCEPTED: (_("Ambassador"), "check-lg", "good"),
        A.WAITING: (_("Waiting list"), "hourglass-split", "wait"),
        A.DECLINED: (_("Not this time"), "x-lg", "dim"),
        A.LEFT: (_("Stepped back"), "arrow-left", "outline"),
    }[state]


def proof_words(state: ProofState) -> tuple[str, str, str]:
    return {
        P.HANDED_IN: (_("Waits for the organiser"), "hourglass-split", "wait"),
        P.ACCEPTED: (_("Accepted"), "check-lg", "good"),
        P.SENT_BACK: (_("Sent back"), "arrow-left", "bad"),
        P.TAKEN_BACK: (_("Taken back"), "slash-circle", "dim"),
    }[state]


def region_words(found: AmbassadorRound, region: str) -> str:
    """No region is elsewhere where places are spread over regions, and nothing where they are not."""
    return region or (_("Elsewhere") if found.quota_names("region") else "")


def kit_words(kind: KitKind) -> str:
    return {K.TEXT: _("Ready text"), K.EARLY: _("Early information"), K.PICTURE: _("Picture"), K.LINK: _("Link")}[kind]
