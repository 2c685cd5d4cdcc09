#!/usr/bin/env python3
"""Draws the pictures of the demo shop. Needs `rsvg-convert` (Debian: librsvg2-bin).

Run it in this folder after a change: `python3 draw.py`. Everything that the hero wears is drawn on
the hero's own canvas, so the game only has to lay the pictures on top of each other.
"""

import random
import subprocess

SKIN, HAIR, LEATHER, GOLD, STEEL = "#f2c8a2", "#57362a", "#5d3b2a", "#e9b44c", "#c3cfdd"

HERO = f"""
<ellipse cx="200" cy="462" rx="104" ry="13" fill="#05060f" opacity=".35"/>
<path d="M150 236 Q104 320 98 424 Q150 446 200 440 Q250 446 302 424 Q296 320 250 236Z" fill="#8f3550"/>
<path d="M200 236 L302 424 Q250 446 200 440Z" fill="#7b2c45"/>
<rect x="160" y="378" width="34" height="72" rx="10" fill="#39325a"/>
<rect x="206" y="378" width="34" height="72" rx="10" fill="#322b50"/>
<path d="M150 462 v-18 q0-14 14-14 h24 q10 0 10 10 v22z" fill="{LEATHER}"/>
<path d="M202 462 v-22 q0-10 10-10 h24 q14 0 14 14 v18z" fill="#4f3123"/>
<path d="M147 250 Q200 218 253 250 L266 392 Q200 412 134 392Z" fill="#2f8573"/>
<path d="M200 229 Q230 234 253 250 L266 392 Q232 402 200 402Z" fill="#287363"/>
<path d="M137 338 Q200 354 263 338 L265 358 Q200 374 135 358Z" fill="{LEATHER}"/>
<rect x="185" y="343" width="30" height="26" rx="6" fill="{GOLD}"/>
<rect x="193" y="350" width="14" height="12" rx="3" fill="{LEATHER}"/>
<path d="M156 262 L110 330" stroke="#2f8573" stroke-width="36" stroke-linecap="round"/>
<path d="M244 262 L290 330" stroke="#287363" stroke-width="36" stroke-linecap="round"/>
<circle cx="104" cy="340" r="18" fill="{SKIN}"/>
<circle cx="296" cy="340" r="18" fill="{SKIN}"/>
<path d="M172 238 Q200 262 228 238 L228 216 L172 216Z" fill="#e0b18a"/>
<circle cx="127" cy="176" r="13" fill="#e0b18a"/><circle cx="273" cy="176" r="13" fill="#e0b18a"/>
<path d="M130 150 Q130 92 200 92 Q270 92 270 150 V176 Q270 242 200 242 Q130 242 130 176Z" fill="{SKIN}"/>
<path d="M122 168 Q112 76 202 74 Q292 74 279 168 Q268 132 232 126 Q176 132 148 122 Q132 138 122 168Z" fill="{HAIR}"/>
<path d="M202 74 Q292 74 279 168 Q268 132 232 126 Q222 92 202 74Z" fill="#492c22"/>
<ellipse cx="173" cy="184" rx="9" ry="12" fill="#2a2138"/><ellipse cx="227" cy="184" rx="9" ry="12" fill="#2a2138"/>
<circle cx="176" cy="180" r="3.2" fill="#fff"/><circle cx="230" cy="180" r="3.2" fill="#fff"/>
<ellipse cx="153" cy="207" rx="11" ry="6" fill="#e79a86" opacity=".7"/>
<ellipse cx="247" cy="207" rx="11" ry="6" fill="#e79a86" opacity=".7"/>
<path d="M186 212 Q200 224 214 212" stroke="#8c4a3c" stroke-width="5" fill="none" stroke-linecap="round"/>
"""

# Upright, the grip's middle at 0,0: the hero holds it there.
SWORD = f"""
<path d="M-13 -36 V-236 L0 -262 L13 -236 V-36Z" fill="#eef4fb"/>
<path d="M0 -36 V-262 L13 -236 V-36Z" fill="{STEEL}"/>
<rect x="-2.5" y="-226" width="5" height="176" rx="2.5" fill="#9fb0c6"/>
<rect x="-7" y="-24" width="14" height="46" rx="5" fill="{LEATHER}"/>
<rect x="-40" y="-40" width="80" height="17" rx="8.5" fill="{GOLD}"/>
<circle cx="0" cy="-31" r="6.5" fill="#e2574c"/>
<circle cx="0" cy="28" r="11" fill="{GOLD}"/>
"""

# Its middle at 0,0.
SHIELD = f"""
<path d="M-62 -72 Q0 -94 62 -72 V0 Q56 68 0 98 Q-56 68 -62 0Z" fill="{GOLD}"/>
<path d="M-50 -62 Q0 -80 50 -62 V0 Q45 56 0 83 Q-45 56 -50 0Z" fill="#9a6438"/>
<path d="M0 -75 Q28 -72 50 -62 V0 Q45 56 0 83Z" fill="#87552d"/>
<path d="M-25 -70 V66 M25 -70 V66" stroke="#6d4323" stroke-width="4"/>
<path d="M0 -44 L11 -14 L42 -12 L18 8 L26 38 L0 21 L-26 38 L-18 8 L-42 -12 L-11 -14Z" fill="#f4d27c"/>
<path d="M0 -44 L11 -14 L42 -12 L18 8 L26 38 L0 21Z" fill="{GOLD}"/>
"""

# On the hero's canvas: the head's middle at 200,170.
HELMET = f"""
<path d="M200 84 Q188 34 236 22 Q306 8 332 84 Q340 118 318 146 Q318 92 262 72 Q228 66 212 90Z" fill="#d8434e"/>
<path d="M212 90 Q228 66 262 72 Q318 92 318 146 Q300 100 252 92 Q228 88 212 90Z" fill="#b5323f"/>
<path d="M116 166 Q112 74 200 72 Q288 74 284 166Z" fill="#dbe4ee"/>
<path d="M200 72 Q288 74 284 166 H200Z" fill="{STEEL}"/>
<path d="M116 160 H140 Q146 206 152 238 Q118 226 116 160Z" fill="{STEEL}"/>
<path d="M284 160 H260 Q254 206 248 238 Q282 226 284 160Z" fill="#aab8c9"/>
<path d="M110 150 H290 V170 Q200 160 110 170Z" fill="{GOLD}"/>
<path d="M191 80 H209 V194 Q200 204 191 194Z" fill="{GOLD}"/>
<path d="M200 80 H209 V194 Q204 199 200 199Z" fill="#cf9836"/>
"""

# Its ring, which hangs on the hook, at 0,0.
LANTERN = f"""
<path d="M0 0 Q-30 6 -30 34 M0 0 Q30 6 30 34" stroke="#39323f" stroke-width="6" fill="none"/>
<path d="M-34 42 Q-30 26 0 24 Q30 26 34 42Z" fill="#4a4152"/>
<rect x="-30" y="42" width="60" height="66" rx="8" fill="#ffd873"/>
<path d="M0 54 Q22 82 10 98 Q0 106 -10 98 Q-22 82 0 54Z" fill="#ff9a3c"/>
<path d="M0 72 Q11 88 5 97 Q0 101 -5 97 Q-11 88 0 72Z" fill="#fff3c4"/>
<path d="M-30 42 V108 M30 42 V108 M-10 42 V52 M10 42 V52" stroke="#39323f" stroke-width="6"/>
<path d="M-38 104 H38 V116 Q0 126 -38 116Z" fill="#4a4152"/>
"""

POST = """
<ellipse cx="92" cy="472" rx="54" ry="10" fill="#05060f" opacity=".35"/>
<rect x="80" y="66" width="24" height="408" rx="6" fill="#6b4630"/>
<rect x="92" y="66" width="12" height="408" rx="5" fill="#593826"/>
<path d="M30 96 H150" stroke="#6b4630" stroke-width="16" stroke-linecap="round"/>
<path d="M92 150 L44 98" stroke="#593826" stroke-width="12" stroke-linecap="round"/>
<path d="M40 104 v10 q0 8 -8 8" stroke="#39323f" stroke-width="6" fill="none" stroke-linecap="round"/>
<path d="M60 470 q14-30 26-4 q8-40 22-2 q14-26 22 8z" fill="#2b5a45"/>
"""


def ridge(rng, width, top, height, step):
    """A mountain range."""
    points, x = [f"0,{top + height}"], 0
    while x < width + step:
        points.append(f"{x},{top + rng.randint(0, height)}")
        x += rng.randint(step // 2, step)
    return " ".join(points) + f" {width},720 0,720"


def pine(x, base, height, color):
    """A pine of three tiers."""
    tiers = []
    for tier in range(3):
        y = base - height * (0.15 + 0.27 * tier)
        half = height * (0.26 - 0.06 * tier)
        tip = y - height * 0.36
        tiers.append(f'<path d="M{x - half:.0f} {y:.0f} L{x} {tip:.0f} L{x + half:.0f} {y:.0f}Z"/>')
    trunk = f'<rect x="{x - height * 0.03:.0f}" y="{base - height * 0.2:.0f}" width="{height * 0.06:.0f}" height="{height * 0.25:.0f}"/>'
    return f'<g fill="{color}">{trunk}{"".join(tiers)}</g>'


def background():
    rng, width = random.Random(7), 2400
    stars = "".join(
        f'<circle cx="{rng.randint(0, width)}" cy="{rng.randint(0, 330)}" r="{rng.choice([1, 1.3, 1.8, 2.4])}"'
        f' opacity="{rng.choice([0.35, 0.6, 0.9])}"/>'
        for _ in range(190)
    )
    far = "".join(pine(x, 548 + rng.randint(-8, 8), rng.randint(90, 150), "#2a3563") for x in range(-10, width, 46))
    # A clearing around the middle, where the hero stands.
    near = "".join(
        pine(x, 590, rng.randint(180, 290), "#1c2850")
        for x in range(-20, width, 92)
        if not 1020 < x < 1420
    )
    grass = "".join(
        f'<path d="M{x} {y} q3 -{h} 1 -{h + 4} q8 {h // 2} 5 {h + 4}z" fill="{rng.choice(["#3f7a5b", "#2f6a50", "#4c8a63"])}"/>'
        for x, y, h in ((rng.randint(0, width), rng.randint(612, 716), rng.randint(7, 15)) for _ in range(420))
    )
    stones = "".join(
        f'<ellipse cx="{x}" cy="{y}" rx="{r}" ry="{r * 0.6}" fill="#5a6688"/>'
        for x, y, r in ((rng.randint(0, width), rng.randint(630, 705), rng.randint(5, 13)) for _ in range(26))
    )
    return f"""
<defs>
<linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
<stop offset="0" stop-color="#1a1f4d"/><stop offset=".45" stop-color="#4a3a82"/>
<stop offset=".72" stop-color="#b05a86"/><stop offset=".86" stop-color="#f0986f"/></linearGradient>
<linearGradient id="ground" x1="0" y1="0" x2="0" y2="1">
<stop offset="0" stop-color="#34705a"/><stop offset="1" stop-color="#1e4a45"/></linearGradient>
<radialGradient id="halo"><stop offset="0" stop-color="#fff1cf" stop-opacity=".5"/>
<stop offset="1" stop-color="#fff1cf" stop-opacity="0"/></radialGradient>
</defs>
<rect width="{width}" height="720" fill="url(#sky)"/>
<g fill="#fff">{stars}</g>
<circle cx="1385" cy="138" r="150" fill="url(#halo)"/>
<circle cx="1385" cy="138" r="50" fill="#fff1cf"/>
<circle cx="1370" cy="126" r="9" fill="#efdcae"/><circle cx="1398" cy="152" r="12" fill="#efdcae"/><circle cx="1400" cy="118" r="5" fill="#efdcae"/>
<polygon points="{ridge(rng, width, 300, 120, 210)}" fill="#6b4a8e" opacity=".75"/>
<polygon points="{ridge(rng, width, 390, 90, 150)}" fill="#493f7d"/>
{far}
<rect y="545" width="{width}" height="175" fill="#263a5c"/>
{near}
<path d="M0 604 Q600 566 1200 592 T{width} 590 V720 H0Z" fill="url(#ground)"/>
<path d="M1060 720 Q1120 640 1215 592 Q1290 640 1400 720Z" fill="#8a7a62" opacity=".55"/>
{stones}{grass}
"""


GLOW = """
<defs><radialGradient id="g"><stop offset="0" stop-color="#ffe9a8" stop-opacity=".95"/>
<stop offset=".18" stop-color="#ffcf74" stop-opacity=".5"/><stop offset=".5" stop-color="#ff9f4a" stop-opacity=".18"/>
<stop offset="1" stop-color="#ff8a3c" stop-opacity="0"/></radialGradient></defs>
<circle cx="256" cy="256" r="256" fill="url(#g)"/>
"""


def icon(drawing, transform, top, bottom):
    """A tile for a shop card; the same drawing as in the scene."""
    return f"""
<defs><linearGradient id="t" x1="0" y1="0" x2="0" y2="1">
<stop offset="0" stop-color="{top}"/><stop offset="1" stop-color="{bottom}"/></linearGradient></defs>
<rect width="112" height="112" rx="22" fill="url(#t)"/>
<g transform="{transform}">{drawing}</g>
"""


def held(drawing, transform, hand):
    """Held by the hero: the hand goes over it."""
    return f'<g transform="{transform}">{drawing}</g><circle cx="{hand}" cy="340" r="17" fill="{SKIN}"/>'


PICTURES = {
    "background": (2400, 720, background()),
    "hero": (400, 480, HERO),
    "hero_sword": (400, 480, held(SWORD, "translate(104 340) rotate(-13)", 104)),
    "hero_shield": (400, 480, f'<g transform="translate(300 340) rotate(4)">{SHIELD}</g>'),
    "hero_helmet": (400, 480, HELMET),
    "post": (184, 480, POST),
    "lantern": (88, 128, f'<g transform="translate(44 3)">{LANTERN}</g>'),
    "glow": (512, 512, GLOW),
    "icon_sword": (112, 112, icon(SWORD, "translate(36 78) rotate(40) scale(.36)", "#5b4a9c", "#3d3273")),
    "icon_shield": (112, 112, icon(SHIELD, "translate(56 54) scale(.5)", "#2f7d6b", "#1f5a52")),
    "icon_helmet": (112, 112, icon(HELMET, "translate(-23 -1) scale(.38)", "#4a6fa5", "#30507f")),
    "icon_lantern": (112, 112, icon(LANTERN, "translate(56 13) scale(.72)", "#b0653f", "#7d4230")),
}

for name, (width, height, drawing) in PICTURES.items():
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">{drawing}</svg>'
    # Icons are shown at 60 pixels: exactly half is what scales down cleanly.
    width = 120 if name.startswith("icon") else width
    command = ["rsvg-convert", "-w", str(width), "-o", f"{name}.png"]
    subprocess.run(command, input=svg.encode(), check=True)
