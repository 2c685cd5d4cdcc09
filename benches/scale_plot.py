"""Draws what `cargo bench --bench scale` prints: memory and processor time by the number of players.

    cargo bench --bench scale | python3 scale_plot.py > ../docs/images/scale.svg
"""

import re
import sys

WIDTH, HEIGHT, LEFT, TOP, GAP = 300, 240, 60, 44, 220
COLOURS = {1: "#4c78a8", 10: "#e45756", 30: "#54a24b"}


def seconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(s|ms|µs|ns)", text).groups()
    return float(number) * {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]


def rows():
    for line in sys.stdin:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) >= 10 and cells[0].isdigit() and cells[0] != "0":
            players, orders = int(cells[0]), int(cells[1])
            work = seconds(cells[5]) + seconds(cells[8])
            yield players, orders // players, int(cells[2]) / 2**20, work


def panel(x, title, points, unit):
    top = max(value for _, _, value in points)
    most = max(players for players, _, _ in points)
    left = lambda players: x + players / most * WIDTH
    down = lambda value: TOP + HEIGHT - value / top * HEIGHT
    yield f'<text x="{x}" y="{TOP - 22}" font-weight="bold">{title}</text>'
    yield f'<path d="M{x} {TOP}V{TOP + HEIGHT}H{x + WIDTH}" fill="none" stroke="#888"/>'
    for share in (0.25, 0.5, 0.75, 1):
        y = down(top * share)
        yield f'<text x="{x - 6}" y="{y + 4:.0f}" text-anchor="end">{top * share:.1f}</text>'
        yield f'<path d="M{x} {y:.0f}H{x + WIDTH}" stroke="#8883"/>'
    for players in sorted({players for players, _, _ in points}):
        yield f'<text x="{left(players):.0f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{players}</text>'
    for each in sorted({each for _, each, _ in points}):
        line = sorted((players, value) for players, e, value in points if e == each)
        path = " ".join(f"{left(players):.0f},{down(value):.0f}" for players, value in [(0, 0), *line])
        yield f'<polyline points="{path}" fill="none" stroke="{COLOURS[each]}" stroke-width="2"/>'
        players, value = line[-1]
        for players, value in line:
            yield f'<circle cx="{left(players):.0f}" cy="{down(value):.0f}" r="3.5" fill="{COLOURS[each]}"/>'
        name = "1 order each" if each == 1 else f"{each} orders each"
        yield (
            f'<text x="{left(players) + 10:.0f}" y="{down(value) + 4:.0f}" '
            f'fill="{COLOURS[each]}">{name}: {value:.1f} {unit}</text>'
        )


table = list(rows())
memory = [(players, each, heap) for players, each, heap, _ in table]
work = [(players, each, spent) for players, each, _, spent in table]
size = f'width="{2 * WIDTH + LEFT + GAP + 170}" height="{TOP + HEIGHT + 44}"'
print(f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" fill="#777">')
print('<rect width="100%" height="100%" fill="#fff"/>')
for line in panel(LEFT, "Heap, MiB, by players", memory, "MiB"):
    print(line)
for line in panel(LEFT + WIDTH + GAP, "Processor time until all is granted, s, by players", work, "s"):
    print(line)
print("</svg>")
