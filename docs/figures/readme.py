"""Picture and numbers of README.md: `python docs/figures/readme.py` (three minutes on two cores).

The main experiment as `make run` runs it, and with other seeds; its report in a browser (Chromium and its driver).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from selenium import webdriver
from tables import animat, fill

README = Path(__file__).parents[2] / "README.md"
IMAGE = Path(__file__).parents[1] / "images" / "report.png"
SEED, OTHERS = 1, (2, 3, 4, 5)
#: Of the page, in its own pixels, and how many of the picture's these are; the time of the run that it stands at, in s.
WIDTH, HEIGHT, SCALE, AT = 1180, 1720, 0.83, 0.84


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        found = {seed: run(folder, seed) for seed in (SEED, *OTHERS)}
        draw(folder / str(SEED) / "report.html")
    fill(README, "push", told(found[SEED]))
    pushes = np.array([one["comparison"]["mean"] for seed, one in found.items() if seed in OTHERS]) * 1e3
    spikes = [found[seed]["spikes"] for seed in OTHERS]
    fill(
        README,
        "chance",
        f"{pushes.min():.1f} to {pushes.max():.1f} mm with {min(spikes):,} to {max(spikes):,} spikes",
    )


def run(folder: Path, seed: int) -> dict[str, Any]:
    animat("run", "mouse-joystick", "--set", f"seed={seed}", "--out", str(seed), folder=folder)
    return dict(json.loads((folder / str(seed) / "summary.json").read_text()))


def told(summary: dict[str, Any]) -> str:
    compared = summary["comparison"]
    mean, final = (f"{1e3 * compared[which]:.2f}" for which in ("mean", "final"))
    return f"{mean} mm on average, {final} mm at the end, with {summary['spikes']:,} spikes"


def draw(page: Path) -> None:
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", f"--force-device-scale-factor={SCALE}"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(shutil.which("chromedriver"))))
    try:
        browser.get(page.as_uri())
        browser.set_window_size(WIDTH, HEIGHT + browser_frame(browser))
        browser.execute_script(
            "if (clock.playing) document.getElementById('play').click(); Plot.seek(arguments[0]);"
            "document.getElementById('transport').style.display = 'none';",
            AT,
        )
        browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        browser.save_screenshot(str(IMAGE))
    finally:
        browser.quit()
    print(f"wrote {IMAGE.name}")


def browser_frame(browser: webdriver.Chrome) -> int:
    """Return how much higher the window is than the page in it."""
    return int(browser.execute_script("return window.outerHeight - window.innerHeight"))


if __name__ == "__main__":
    main()
