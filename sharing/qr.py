"""QR codes: dark on white with their quiet zone, in both schemes and on paper."""

import io

import segno

DARK, LIGHT = "#1A1613", "#FFFFFF"


def draw_qr(content: str, kind: str) -> bytes:
    """As `svg` or `png`."""
    out = io.BytesIO()
    segno.make(content, error="m", micro=False).save(out, kind=kind, scale=8, border=4, dark=DARK, light=LIGHT)
    return out.getvalue()


def qr_rows(content: str) -> list[list[bool]]:
    """The modules, row by row, without a quiet zone: for whoever draws them as shapes."""
    return [[bool(module) for module in row] for row in segno.make(content, error="m", micro=False).matrix]
