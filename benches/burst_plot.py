"""Draws what `benches/compare/run.sh` prints of bursts: how long each client takes, with the fastest and slowest round.

    benches/compare/run.sh > tables && python3 benches/burst_plot.py < tables > docs/images/burst.svg
"""

import re
import sys

WIDTH, BAR, NAMES, PANEL_GAP, TOP = 420, 20, 270, 62, 30
OURS, THEIRS = "#4c78a8", "#bab0ac"


def panels():
    """The tables: a title, and for each client its name and the median, the lowest and the highest time in ms."""
    title, rows = None, []
    for line in sys.stdin:
        if found := re.match(r"Burst of \d+, (.*?), (live|waiting|known)", line):
            title, rows = f"{found[1]}, {found[2]}", []
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if title and len(cells) == 6 and re.fullmatch(r"[\d.]+", cells[1]):
            rows.append((cells[0], *(float(cell) for cell in cells[1:4])))
        elif title and rows and len(cells) != 6:
            yield title, rows
            title = None


def panel(y, title, rows):
    top = max(highest for *_, highest in rows)
    across = lambda value: NAMES + value / top * WIDTH
    yield f'<text x="{NAMES}" y="{y - 10}" font-weight="bold">{title}</text>'
    for place, (name, median, lowest, highest) in enumerate(rows):
        at = y + place * (BAR + 6)
        middle = at + BAR / 2
        colour = OURS if name.startswith("bevy_xsolla") else THEIRS
        yield f'<text x="{NAMES - 8}" y="{middle + 4:.0f}" text-anchor="end">{name}</text>'
        width = across(median) - NAMES
        yield f'<rect x="{NAMES}" y="{at}" width="{width:.0f}" height="{BAR}" fill="{colour}"/>'
        whisker = f"M{across(lowest):.0f} {middle}H{across(highest):.0f}"
        yield f'<path d="{whisker}" stroke="#444" stroke-width="2"/>'
        yield f'<text x="{across(highest) + 8:.0f}" y="{middle + 4:.0f}">{median:.0f} ms</text>'


y, lines = TOP, []
for title, rows in panels():
    lines.extend(panel(y, title, rows))
    y += len(rows) * (BAR + 6) + PANEL_GAP
size = f'width="{NAMES + WIDTH + 90}" height="{y - PANEL_GAP + 20}"'
print(f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" fill="#777">')
print('<rect width="100%" height="100%" fill="#fff"/>')
print("\n".join(lines))
print("</svg>")
