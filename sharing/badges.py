"""The badge for other people's sites: one small SVG that says how far a project is."""

from dataclasses import dataclass
from html import escape

from sharing.lettering import cut, face, is_leftward, wrap

HEIGHT, PAD, SIZE = 32, 10, 13
TOLD_SIZE, TOLD_LINE, TOLD_WIDTH = 11, 14, 280  # a disclosure has room for some words in a line
TITLE_WIDTH = 210
# static/tokens.css, both schemes; a picture in another site follows that site, not the reader's system.
SCHEMES = {
    "light": {"ground": "#FAF6EE", "line": "#857A6D", "ink": "#1A1613", "soft": "#5E554C", "orange": "#F55000", "bar": "#DDD3C3"},
    "dark": {"ground": "#1F1B17", "line": "#867B6D", "ink": "#F4EDE2", "soft": "#B9AEA0", "orange": "#FF6F2C", "bar": "#3B342C"},
}
_MARK = ('<path fill="{ink}" d="M18.2 2.2A14 14 0 1 0 18.2 29.8A16.5 16.5 0 0 1 18.2 2.2zM29.2 2.2A14 14 0 1 0 29.2 29.8'
         'A16.5 16.5 0 0 1 29.2 2.2z"/><circle fill="{orange}" cx="38" cy="16" r="14"/>')


@dataclass(frozen=True)
class Badge:
    """`said` is the second half; without a title the badge is grey and leads nowhere."""

    title: str
    said: str
    percent: int = 0
    url: str = ""
    lang: str = "en"
    scheme: str = "light"
    told: str = ""  # an ambassador's disclosure, under the rest


def svg_of(badge: Badge) -> str:
    colours = SCHEMES.get(badge.scheme, SCHEMES["light"])
    bold, plain = face("sans-bold", SIZE), face("sans", SIZE)
    title = cut(badge.title, bold, TITLE_WIDTH)
    # Widths by our own face; `textLength` makes whatever face the reader has keep to them.
    wide, more = bold.width(title), plain.width(badge.said)
    begin = PAD + 34
    half = begin + (wide + 12 if title else 0)
    width = max(round(half + more + PAD + 2), TOLD_WIDTH if badge.told else 0)
    fine = face("sans", TOLD_SIZE)
    told = wrap(badge.told, fine, width - 2 * PAD, len(badge.told)) or []
    height = HEIGHT + (TOLD_LINE * len(told) + 6 if told else 0)
    name = " ".join(part for part in (f"{badge.title}. {badge.said}" if title else badge.said, badge.told) if part)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
             f'role="img" aria-label="{escape(name)}" lang="{badge.lang}"><title>{escape(name)}</title>']
    if badge.url:
        parts.append(f'<a href="{escape(badge.url)}" target="_top">')
    parts.append(f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="6" fill="{colours["ground"]}" '
                 f'stroke="{colours["line"]}"/>')
    mark = _MARK.format(ink=colours["ink"], orange=colours["orange"] if title else colours["soft"])
    parts.append(f'<svg x="{PAD - 2}" y="8" width="28" height="16" viewBox="0 0 54 32">{mark}</svg>')
    family = 'font-family="Noto Sans,Segoe UI,Helvetica,Arial,sans-serif"'
    letters, small = f'{family} font-size="{SIZE}"', f'{family} font-size="{TOLD_SIZE}"'
    if title:
        turned = ' direction="rtl" text-anchor="end"' if is_leftward(title) else ""
        parts.append(f'<text x="{begin}" y="20.5" {letters} font-weight="700" fill="{colours["ink"]}"'
                     f'{turned} textLength="{wide:.1f}" lengthAdjust="spacingAndGlyphs">{escape(title)}</text>')
    if badge.said:
        parts.append(f'<text x="{half:.1f}" y="20.5" {letters} fill="{colours["soft"]}" textLength="{more:.1f}" '
                     f'lengthAdjust="spacingAndGlyphs">{escape(badge.said)}</text>')
    if title:
        long = width - begin - PAD - 2
        done = long * min(badge.percent, 100) / 100
        parts.append(f'<rect x="{begin}" y="25.5" width="{long:.1f}" height="1" fill="{colours["line"]}"/>')
        if done:
            parts.append(f'<rect x="{begin}" y="24.5" width="{max(done, 3):.1f}" height="3" rx="1.5" '
                         f'fill="{colours["orange"]}"/>')
    turned = f'x="{width - PAD}" direction="rtl"' if is_leftward(badge.told) else f'x="{PAD}"'
    for n, line in enumerate(told, 1):
        parts.append(f'<text class="told" {turned} y="{HEIGHT + TOLD_LINE * n}" {small} '
                     f'fill="{colours["ink"]}" textLength="{fine.width(line):.1f}" lengthAdjust="spacingAndGlyphs">{escape(line)}</text>')
    return "".join([*parts, "</a>" if badge.url else "", "</svg>"])
