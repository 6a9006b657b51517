"""Times of many steps in a few numbers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

__all__ = ["Spread", "spread"]


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds of all steps but the first."""

    median: float
    p95: float
    mean: float


def spread(seconds: Sequence[float]) -> Spread:
    """Return the spread of times in seconds."""
    values = 1000 * np.asarray(seconds)
    return Spread(median=float(np.median(values)), p95=float(np.percentile(values, 95)), mean=float(values.mean()))
