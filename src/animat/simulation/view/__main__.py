"""The process behind the live view: ``python -m animat.simulation.view RUN``."""

from __future__ import annotations

import sys
from pathlib import Path

from animat.errors import AnimatError
from animat.simulation.view.live import watch

if __name__ == "__main__":
    try:
        watch(Path(sys.argv[1]))
    except AnimatError as error:
        sys.exit(str(error))
