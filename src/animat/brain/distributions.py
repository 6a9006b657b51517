"""How a value varies between neurons or synapses."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from animat.brain.numbers import Numbers, real_numbers

__all__ = [
    "Constant",
    "Distribution",
    "LogNormal",
    "Normal",
    "Uniform",
    "Values",
    "bounds",
    "distribution_faults",
    "mean",
    "mean_square",
    "scaled",
]


class Constant(msgspec.Struct, frozen=True, tag="constant"):
    """The same value everywhere."""

    value: float


class Uniform(msgspec.Struct, frozen=True, tag="uniform"):
    """Uniform between `low` and `high`, one draw per neuron or synapse."""

    low: float
    high: float


class Normal(msgspec.Struct, frozen=True, tag="normal"):
    """Normal with `mean` and standard deviation `sd`."""

    mean: float
    sd: float


class LogNormal(msgspec.Struct, frozen=True, tag="lognormal"):
    """exp of a normal with mean `mu` and standard deviation `sigma`."""

    mu: float
    sigma: float


class Values(msgspec.Struct, frozen=True, tag="values"):
    """One value for every neuron, or for every pair of an explicit list, in order.

    It takes any sequence or array of numbers and keeps them as `Numbers`.
    """

    values: Numbers | tuple[float, ...]

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "values", real_numbers(self.values))


Distribution = Constant | Uniform | Normal | LogNormal | Values


def mean(distribution: Distribution) -> float:
    """Return the expected value."""
    match distribution:
        case Constant(value):
            return value
        case Uniform(low, high):
            return (low + high) / 2
        case Normal(mean):
            return mean
        case LogNormal(mu, sigma):
            return _exp(mu + sigma**2 / 2)
        case Values(values):
            return float(np.mean(np.asarray(values)))
    raise AssertionError(distribution)


def mean_square(distribution: Distribution) -> float:
    """Return the expected square of the value."""
    match distribution:
        case Constant(value):
            return value**2
        case Uniform(low, high):
            return (low**2 + low * high + high**2) / 3
        case Normal(middle, sd):
            return middle**2 + sd**2
        case LogNormal(mu, sigma):
            return _exp(2 * mu + 2 * sigma**2)
        case Values(values):
            return float(np.mean(np.asarray(values) ** 2))
    raise AssertionError(distribution)


def scaled(distribution: Distribution, factor: float) -> Distribution:
    """Return the distribution of `factor` (above 0) times the value."""
    match distribution:
        case Constant(value):
            return Constant(value * factor)
        case Uniform(low, high):
            return Uniform(low * factor, high * factor)
        case Normal(mean, sd):
            return Normal(mean * factor, sd * factor)
        case LogNormal(mu, sigma):
            return LogNormal(mu + math.log(factor), sigma)
        case Values(values):
            return Values(real_numbers(np.asarray(values) * factor))
    raise AssertionError(distribution)


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def bounds(distribution: Distribution) -> tuple[float, float]:
    """Return between which values practically all lie: of a normal, 4 standard deviations around the mean."""
    match distribution:
        case Constant(value):
            return value, value
        case Uniform(low, high):
            return low, high
        case Normal(middle, sd):
            return middle - 4 * sd, middle + 4 * sd
        case LogNormal(mu, sigma):
            return _exp(mu - 4 * sigma), _exp(mu + 4 * sigma)
        case Values(values):
            found = np.asarray(values)
            return (float(found.min()), float(found.max())) if found.size else (0.0, 0.0)
    raise AssertionError(distribution)


def distribution_faults(distribution: Distribution, count: int | None) -> Iterator[str]:
    """Yield what is wrong with a distribution; `count` is how many values a list must have (None: no list here)."""
    values = distribution.values if isinstance(distribution, Values) else msgspec.structs.astuple(distribution)
    if not np.isfinite(np.asarray(values, float)).all():
        yield f"values must be finite, got {distribution}"
    match distribution:
        case Uniform(low, high) if low > high:
            yield f"low {low} lies above high {high}"
        case Normal(sd=sd) if sd < 0:
            yield f"sd must not be negative, got {sd}"
        case LogNormal(sigma=sigma) if sigma < 0:
            yield f"sigma must not be negative, got {sigma}"
        case Values(values) if count is None:
            yield "a list of values goes with an explicit list of pairs only"
        case Values(values) if len(values) != count:
            yield f"needs {count} values, got {len(values)}"
