"""Output and numbers of docs/network.md and docs/sonata.md: `python docs/figures/network.py` (half a minute)."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tables import animat, fill, printed

PAGE = Path(__file__).parents[1] / "network.md"
SONATA_PAGE = PAGE.with_name("sonata.md")
PATCH = ("network", "rodent-brain", "--set", "regions=M1", "--set", "size=0.4 mm")
#: Populations that the page shows of those that are printed.
SHOWN = 4

#: Writes the patch as SONATA; prints seconds of the processor and the largest memory in MB.
SONATA = """
import json, sys, time
from pathlib import Path
from animat.brain.peak_memory import peak_memory_mb
from animat.brain.sonata import write_sonata
from animat.library import load_network
network = load_network({"library": "rodent-brain", "regions": ["M1"], "size": "0.4 mm"})
began = time.process_time()
write_sonata(network, Path(sys.argv[1]), seed=1, progress=lambda *_: None)
print(json.dumps([time.process_time() - began, peak_memory_mb()]))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        said = animat(*PATCH, folder=Path(place)).rstrip().splitlines()
        fill(PAGE, "holds", printed("\n".join(["$ animat " + " ".join(map(quoted, PATCH)), *shown(said)])))
        folder = Path(place) / "m1"
        done = subprocess.run([sys.executable, "-c", SONATA, str(folder)], check=True, capture_output=True)
        seconds, memory = json.loads(done.stdout)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    fill(SONATA_PAGE, "sonata", f"{size / 1e6:.0f} MB, {seconds:.0f} s of computing and {memory:.0f} MB of memory")


def quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def shown(lines: list[str]) -> list[str]:
    """Return the beginning of each part of what was printed."""
    populations = next(place for place, line in enumerate(lines) if line.startswith("populations"))
    know = next(place for place, line in enumerate(lines) if line.startswith("what to know"))
    rule = next(place for place, line in enumerate(lines[populations:], populations) if set(line) == {"─"})
    return [
        *lines[:2], "...", "", *lines[populations : rule + 1 + SHOWN], "...", "", *lines[know : know + 2], "...", "",
        *(line for line in lines if line.startswith("memory with")),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
