"""The tree as a picture: where each disc, line and word stands. Left to right, like a map of a railway.

Two steps below its root are drawn. A label stands at the line that leaves its disc: the name above, what it brought below.
The line is straight as far as a label may reach, and what is longer is cut, so that no line runs through a word.
"""

from dataclasses import dataclass

from sharing.lettering import cut, face
from sharing.tree import Node

LETTERS = 16  # the pages' letters are 15.5 px, and a reader's own face may be a little wider than ours
WIDE = 800
ROOT, OWN, THEIRS = 40, 22, 14  # radii
PITCH, FINE = 62, 38  # heights of a row: of theirs, and of those whom they brought
BELOW = 132  # the widest word below the root or who brought it
GAP = 8  # from a disc to its label
LABEL, FINE_LABEL = 190, 220  # what a label takes beside its disc: of theirs, and of those whom they brought


@dataclass(frozen=True)
class Disc:
    x: int
    y: float
    r: int
    node: Node
    step: int  # 0 the root, 1 whom it brought, 2 whom those brought


@dataclass(frozen=True)
class Rest:
    """“And nine more”, at the end of a branch."""

    x: int
    y: float
    count: int
    above: Node


@dataclass(frozen=True)
class Picture:
    tall: int
    discs: list[Disc]
    lines: list[tuple[str, str]]  # class, path
    rests: list[Rest]
    sender: Node | None
    wide: int


def draw(root: Node, sender: Node | None = None) -> Picture:
    """The picture of a node and its children, with the first of each of theirs."""
    start = 194 if sender else 70
    own_x = start + 190
    fine_x = own_x + OWN + LABEL + 60
    discs: list[Disc] = []
    lines: list[tuple[str, str]] = []
    rests: list[Rest] = []
    top = 8.0
    for child in root.children:
        rows = len(child.children) + (1 if child.more else 0)
        tall = max(PITCH, FINE * rows + (PITCH - FINE) // 2)
        y = top + tall / 2
        discs.append(Disc(own_x, y, OWN, child, 1))
        first = y - FINE * (rows - 1) / 2
        for n, theirs in enumerate(child.children):
            at = first + FINE * n
            discs.append(Disc(fine_x, at, THEIRS, theirs, 2))
            lines.append(("theirs", _branch(own_x + OWN, y, fine_x - THEIRS, at, LABEL)))
        if child.more:
            at = first + FINE * len(child.children)
            rests.append(Rest(fine_x, at, child.more, child))
            lines.append(("seen", _branch(own_x + OWN, y, fine_x - 4, at, LABEL)))
        top += tall
    high = max(top, 2 * ROOT + 64) + 8
    middle = min(max((discs[0].y + _last_own(discs)) / 2 if discs else high / 2, ROOT + 4), high - ROOT - 48)
    mine = [("mine", _branch(start + ROOT, middle, own_x - OWN, disc.y, BELOW // 2 - ROOT + 4)) for disc in discs if disc.step == 1]
    return Picture(int(high), [Disc(start, middle, ROOT, root, 0), *discs], [*mine, *lines], rests, sender,
                   max(WIDE, fine_x + THEIRS + GAP + FINE_LABEL + GAP))


def _last_own(discs: list[Disc]) -> float:
    return next(disc.y for disc in reversed(discs) if disc.step == 1)


def _branch(x: float, y: float, to_x: float, to_y: float, straight: int) -> str:
    """Straight on past the label, then over to its row."""
    turn = x + straight
    if abs(to_y - y) < 1:
        return f"M{x:g} {y:g}H{to_x:g}"
    half = (turn + to_x) / 2
    return f"M{x:g} {y:g}H{turn:g}C{half:g} {y:g} {half:g} {to_y:g} {to_x:g} {to_y:g}"


def letters_wide(text: str, is_bold: bool = False) -> float:
    return face("sans-bold" if is_bold else "sans", LETTERS).width(text)


def cut_to(text: str, width: float, is_bold: bool = False) -> str:
    """For the templates: a word as it fits beside its disc. The list below the picture has all of it."""
    return cut(str(text), face("sans-bold" if is_bold else "sans", LETTERS), width)
