"""Our three faces for PDF and drawn pictures, cut from Noto: `python sharing/fonts/make.py NotoSans.ttf NotoSerif.ttf`.

The sources are the variable fonts of https://github.com/notofonts (SIL Open Font License, in OFL.txt beside this file).
Cut to Latin, Greek and Cyrillic letters, punctuation and currencies, without tables for shaping, each is a tenth of the
whole and quick to embed.
"""

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

LETTERS = (*range(0x20, 0x7F), *range(0xA0, 0x250), *range(0x2BB, 0x2BE), *range(0x370, 0x400), *range(0x400, 0x460),
           *range(0x490, 0x4C0), *range(0x1E00, 0x1F00), *range(0x2010, 0x2028), *range(0x2030, 0x203B), 0x2044,
           *range(0x20A0, 0x20C0), 0x2113, 0x2116, 0x2122, 0x2212, 0xFFFD)
FACES = (("sans", 0, 400), ("sans-bold", 0, 700), ("serif", 1, 400))


def cut(source: str, weight: int, name: str) -> None:
    font = instantiateVariableFont(TTFont(source), {"wght": weight, "wdth": 100})
    options = Options(layout_features=[], hinting=False, notdef_outline=True, name_IDs=[0, 1, 2, 4, 6, 13, 14],
                      drop_tables=["GSUB", "GPOS", "GDEF", "STAT", "DSIG"])
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=LETTERS)
    subsetter.subset(font)
    font.save(Path(__file__).parent / f"{name}.ttf")


if __name__ == "__main__":
    for face, which, weight in FACES:
        cut(sys.argv[1 + which], weight, face)
