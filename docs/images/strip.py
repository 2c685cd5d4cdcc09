"""Draws `strip.jpg`, the README's picture, from the pictures that the demo shop takes of itself.

    python3 -m pip install Pillow
    python3 docs/images/strip.py

The pictures come from `cargo run --example demo_shop -- --autoplay --screenshot FOLDER`, and the payment page from a
browser.
"""

from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).parent
# Each with the part of it that is shown: left, top, right, bottom.
PICTURES = {
    "waiting.png": (340, 0, 1280, 720),
    "payment_page.png": (394, 20, 886, 660),
    "unlocked.png": (324, 0, 1280, 720),
}
HEIGHT = 520
GAP = 12

parts = []
for name, box in PICTURES.items():
    part = Image.open(FOLDER / name).convert("RGB").crop(box)
    width = round(part.width * HEIGHT / part.height)
    parts.append(part.resize((width, HEIGHT), Image.Resampling.LANCZOS))

strip = Image.new("RGB", (sum(part.width + GAP for part in parts) - GAP, HEIGHT), (15, 17, 23))
left = 0
for part in parts:
    strip.paste(part, (left, 0))
    left += part.width + GAP
strip.save(FOLDER / "strip.jpg", quality=90, optimize=True, subsampling=0)
