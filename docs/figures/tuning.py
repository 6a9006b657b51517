"""Output and numbers of docs/tuning.md: `python docs/figures/tuning.py` (a minute on two cores).

The network and the table of targets are those that stand in the page.
"""

from __future__ import annotations

import csv
import json
import re
import tempfile
from pathlib import Path

from tables import animat, fill, printed

PAGE = Path(__file__).parents[1] / "tuning.md"
#: Of `animat tune`: that of the page, and others that show what chance does.
SEED, OTHERS = 1, (2, 3, 4, 5)
TUNE = ("tune", "network.yaml", "--targets", "rates.csv")


def main() -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "network.yaml").write_text(next(block for block in blocks if "populations:" in block))
        (folder / "rates.csv").write_text(next(block for block in blocks if block.startswith("population,rate_hz")))
        said = animat(*TUNE, folder=folder)
        fill(PAGE, "tune", printed(f"$ animat {' '.join(TUNE)}\n{said}"))
        written = (folder / "adjustments.csv").read_text()
        fill(PAGE, "adjustments", printed(written))
        fill(PAGE, "nest", nest(folder))
        fill(PAGE, "chance", chance(folder, written))


def nest(folder: Path) -> str:
    """Return the rates that NEST and another seed give with what compact tuned."""
    words = ("--engine", "nest", "--seed", "3", "--after", "500 ms", "--duration", "2 s", "--json")
    said = animat("bench", "rates", "network.yaml", "--set", "adjustments=adjustments.csv", *words, folder=folder)
    rates = {row["population"]: row["rate_hz"] for row in json.loads(said)["rows"]}
    first, second, third = (f"{rates[name]:.1f}" for name in ("E", "I", "Out"))
    return f"{first}, {second} and {third} Hz"


def chance(folder: Path, written: str) -> str:
    """Return how far what was found depends on seed and processor."""
    found: dict[str, list[float]] = {}
    for seed in OTHERS:
        output = f"seed-{seed}.csv"
        animat(*TUNE, "--seed", str(seed), "--output", output, folder=folder)
        for row in csv.DictReader((folder / output).open()):
            found.setdefault(f"{row['knob']} {row['name']}", []).append(float(row["new"]))
    animat(*TUNE, "--output", "plain.csv", folder=folder, ANIMAT_INSTRUCTION_SET="plain")
    same = (folder / "plain.csv").read_text() == written
    drive_e, drive_i, gain = (
        f"{min(found[name]):.4g} to {max(found[name]):.4g}" for name in ("drive E", "drive of 5 I", "gain E->Out")
    )
    return (
        f"With the seeds {OTHERS[0]} to {OTHERS[-1]} the drive of `E` came out at {drive_e} Hz, that of `I` at "
        f"{drive_i} Hz, the gain at {gain}. Between processors: compact's slowest set of instructions "
        "(`ANIMAT_INSTRUCTION_SET=plain`) "
        + ("gave the same table, to the last digit." if same else "gave another table, as another seed does.")
    )


if __name__ == "__main__":
    main()
