"""Numbers of docs/checkpoints.md: `python docs/figures/checkpoints.py` (half a minute).

The hash's time is that of the processor, a checkpoint's the shortest of ten: other programs on the machine show little.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tables import animat, fill

PAGE = Path(__file__).parents[1] / "checkpoints.md"
RUN = ("run", "mouse-joystick", "--set", "brain.engine=compact", "--set", "compare=null")
SAVING = ("--checkpoint-every", "100 ms", "--no-report", "--out", "run")

#: Seconds of the processor for a GB, the best of five.
HASH = """
import hashlib, sys, time
data, found = bytes(range(256)) * 400_000, []
for _ in range(5):
    began = time.process_time()
    hashlib.sha256(data).digest()
    found.append((time.process_time() - began) / len(data) * 1e9)
print(min(found))
"""
#: What OpenSSL is told so that it takes no instructions for SHA (bit 29 of the processor's second word of features).
WITHOUT = {"OPENSSL_ia32cap": ":~0x20000000"}


def main() -> None:
    assert hashlib.sha256, "the hash that a checkpoint is checked by"
    with tempfile.TemporaryDirectory() as place:
        animat(*RUN, *SAVING, folder=Path(place))
        run = Path(place) / "run"
        summary = json.loads((run / "summary.json").read_text())
        events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
        taken = [float(event["seconds"]) for event in events if event["kind"] == "checkpoint"]
        size = sum(file.stat().st_size for file in (run / "checkpoints" / "500ms").rglob("*") if file.is_file())
    network = f"{summary['neurons']:,} neurons with {summary['synapses'] / 1e6:.1f} million synapses"
    fill(PAGE, "size", f"{network}, has {size / 1e6:.1f} MB and takes {min(taken):.2f} s")
    seconds, slow = (
        float(subprocess.run([sys.executable, "-c", HASH], env=env, check=True, capture_output=True).stdout)
        for env in ({}, WITHOUT)
    )
    if slow < 1.5 * seconds:
        text = f"{seconds:.1f} s per GB on a processor that has no instructions for SHA"
    else:
        text = f"{seconds:.1f} s per GB where the processor has instructions for SHA, {slow:.1f} s where it has none"
    fill(PAGE, "hash", text)


if __name__ == "__main__":
    main()
