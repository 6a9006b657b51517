"""The tuning procedure: every population by itself, then all together, until rates are as wanted."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from animat.bench.rates import measure_rates
from animat.brain.adjustments import KNOBS, Adjustment, adjusted
from animat.brain.network import Network, Population
from animat.brain.protocol import Progress
from animat.errors import AnimatError
from animat.tuning.alone import alone
from animat.tuning.dial import Dial, error_of, turned
from animat.tuning.targets import Knob, Target, knob_of

__all__ = ["Tuning", "TuningRow", "tune", "write_tuning"]

#: Hz; where a background drive begins that the description lacks.
_NEW_DRIVE_HZ = 10.0

#: Standard deviations of a count of spikes within which an error is taken for chance.
_CHANCE = 1.0

#: Runs of the populations by themselves, at most: before the first run of all together, and before each other one.
_ROUNDS_ALONE, _ROUNDS_AGAIN = 20, 8

#: How far a knob is first turned when populations are tuned by themselves again.
_STEP_AGAIN = 0.05

#: Errors (`error_of`) that are not worth another run of the populations by themselves.
_NEAR = 0.1

#: An error, and what of it may be chance.
Error = tuple[float, float]


class TuningRow(msgspec.Struct, frozen=True, kw_only=True):
    """A population before and after: its rates in Hz, and its knob in Hz, pA or as a factor."""

    population: str
    region: str
    size: int
    knob: str
    old: float | None
    new: float | None
    unit: str
    before_hz: float
    after_hz: float
    target_hz: float
    low_hz: float
    high_hz: float
    reason: str


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: a row for every target, and the adjustments that `animat.brain.adjustments` applies.

    `rates_seed` is that of the rates found: the one after `seed`, which it was tuned with, unless it was interrupted.
    """

    network: str
    engine: str
    seed: int
    rates_seed: int
    rounds: int
    within: float
    rows: list[TuningRow]
    adjustments: list[Adjustment]
    history: list[float]

    @property
    def missed(self) -> list[TuningRow]:
        """The populations whose rate is further from the target than `within` times."""
        return [row for row in self.rows if not 1 / self.within <= row.after_hz / row.target_hz <= self.within]


def tune(
    network: Network,
    targets: Sequence[Target],
    progress: Progress,
    *,
    engine: str = "compact",
    seed: int = 1,
    threads: int = 2,
    rounds: int = 6,
    after_ms: float = 500.0,
    until_ms: float = 2000.0,
    within: float = 1.25,
    start: Iterable[Adjustment] = (),
) -> Tuning:
    """Turn drives, currents and gains until every population fires as fast as its target says.

    First every population is tuned by itself, with the input that it would get if all fired at their targets
    (`animat.tuning.alone`), each knob by its own (`animat.tuning.dial`). Then the whole network runs. Where a
    population fires more or less in it than by itself with the same input, the difference (correlations, neurons that
    are not alike) is laid to what it is to reach by itself, and that is tuned again. So no knob ever answers to what
    other populations do, which in a recurrent network may be the opposite of what is wanted.

    Each run is a process of its own that counts from `after_ms` to `until_ms`. It ends when no population is further
    from its target than `within` times, or than chance would have it, or after `rounds` runs of the whole network, with
    the one of the smallest mean error. This is run again with the next seed, so that rates are not those that were
    tuned to. Interrupted, it returns the best so far.

    Parameters
    ----------
    network, targets
        Populations without a target keep what they have.
    start
        Adjustments to begin with, as a former tuning left them.

    Raises
    ------
    AnimatError
        If a target or a knob does not fit the network.
    """
    if not targets:
        raise AnimatError("there is no target that names a population of this network")
    start = list(start)
    begun = adjusted(network, start)
    knobs = {target.population: knob_of(target, begun) for target in targets}
    if all(knob.kind == "none" for knob in knobs.values()):
        raise AnimatError("no knob may be turned; give at least one target a knob other than `none`")
    if rounds < 1 or within <= 1:
        raise AnimatError(f"needs at least one round and a factor above 1, got {rounds} and {within:g}")
    dials = best = {name: Dial() for name, knob in knobs.items() if knob.kind != "none"}
    _adjustments(begun, knobs, dials)  # what cannot be turned is said before anything runs
    span = (until_ms - after_ms) / 1000

    def rates_of(what: Network, with_seed: int, text: str, done: float) -> dict[str, float]:
        def report(_what: str, _part: float | None) -> None:
            progress(text, done / (rounds + 2))

        found = measure_rates(
            what, report, after_ms=after_ms, until_ms=until_ms, seed=with_seed, threads=threads, engine=engine
        )
        return {row.population: row.rate_hz for row in found.rows}

    def network_of(dials: dict[str, Dial]) -> Network:
        return adjusted(begun, _adjustments(begun, knobs, dials))

    def errors_of(rates: Mapping[str, float], aims: Mapping[str, float], what: Network) -> dict[str, Error]:
        found = {}
        for name in aims:
            seconds = what.population(name).size * span
            found[name] = (
                error_of(rates[name], aims[name], 1 / seconds),
                _CHANCE / math.sqrt(max(1.0, aims[name] * seconds)),
            )
        return found

    def tuned_alone(dials: dict[str, Dial], aims: Mapping[str, float], most: int, done: float) -> dict[str, Dial]:
        for number in range(most):
            by_itself = alone(network_of(dials), wanted, span)
            text = f"each population alone, run {number + 1}"
            errors = errors_of(rates_of(by_itself, seed, text, done + number / most), aims, by_itself)
            if all(abs(errors[name][0]) <= max(_NEAR, 2 * errors[name][1]) for name in dials):
                break
            dials = {name: turned(dial, *errors[name]) for name, dial in dials.items()}
        return dials

    targets_hz = {target.population: target.rate_hz for target in targets}
    before = after = rates_of(begun, seed, "as described", 0)
    wanted = {**before, **targets_hz}
    shift = dict.fromkeys(targets_hz, 0.0)
    best_error, history, rates_seed = math.inf, [], seed
    try:
        for number in range(rounds):
            aims = {name: rate * math.exp(-shift[name]) for name, rate in targets_hz.items()}
            dials = tuned_alone(dials, aims, _ROUNDS_AGAIN if number else _ROUNDS_ALONE, number)
            together = network_of(dials)
            rates = rates_of(together, seed, f"all together, run {number + 1}", number + 1)
            errors = errors_of(rates, targets_hz, begun)
            history.append(float(np.mean([abs(errors[name][0]) for name in dials])))
            reached = all(abs(errors[name][0]) <= max(math.log(within), errors[name][1]) for name in dials)
            if reached or history[-1] < best_error:
                best, best_error, after = dials, history[-1], rates
            if reached or number + 1 == rounds:
                break
            by_itself = alone(together, rates, span)
            same_input = rates_of(by_itself, seed, "each population alone, with the same input", number + 1)
            for name, (more, _) in errors_of(same_input, {name: rates[name] for name in targets_hz}, by_itself).items():
                shift[name] = more if number == 0 else (shift[name] + more) / 2
            dials = {name: Dial(dial.place, _STEP_AGAIN) for name, dial in dials.items()}
        after = rates_of(network_of(best), seed + 1, "checking with another seed", rounds + 1)
        rates_seed = seed + 1
    except KeyboardInterrupt:
        if not history:
            raise
    final = _adjustments(begun, knobs, best)
    return Tuning(
        network=network.name,
        engine=engine,
        seed=seed,
        rates_seed=rates_seed,
        rounds=len(history),
        within=within,
        rows=[_row(begun, target, knobs[target.population], best, before, after) for target in targets],
        adjustments=_merged(start, final),
        history=history,
    )


def _adjustments(network: Network, knobs: dict[str, Knob], dials: dict[str, Dial]) -> list[Adjustment]:
    found = []
    for name, dial in dials.items():
        knob, population = knobs[name], network.population(name)
        value = _value(population, knob, dial.place)
        if knob.kind == "gain":
            found.append(Adjustment(knob="gain", name=f"{knob.up}->{name}", value=value))
            if knob.down:
                found.append(Adjustment(knob="gain", name=f"{knob.down}->{name}", value=_as_written(1 / value)))
        else:
            found.append(Adjustment(knob=knob.kind, name=name, value=value, weight=knob.weight))
    return found


def _value(population: Population, knob: Knob, place: float) -> float:
    """Return the new value, with as many digits as a table of adjustments holds."""
    described = _described(population, knob.kind)
    if knob.kind == "current":
        return _as_written(described + place * _rheobase(population))
    return _as_written((described or _NEW_DRIVE_HZ) * math.exp(knob.sign * place))


def _as_written(value: float) -> float:
    return float(f"{value:.6g}")


def _described(population: Population, kind: str) -> float:
    """Return where a knob stands in the description."""
    if kind == "gain":
        return 1.0
    if kind == "drive":
        return 0.0 if population.drive is None else population.drive.rate_hz
    current = population.params.get("I_e", 0.0)
    if isinstance(current, list):
        raise AnimatError(f"{population.name}: I_e differs between neurons; tune its drive or a gain instead")
    return float(current)


def _rheobase(population: Population) -> float:
    """Return the current in pA that would bring the potential from rest to threshold, or back."""
    params = population.params
    try:
        leak = params["g_L"] if "g_L" in params else params["C_m"] / params["tau_m"]  # type: ignore[operator]
        return abs(float(leak * (params["V_th"] - params["E_L"])))  # type: ignore[operator, arg-type]
    except (KeyError, TypeError):
        raise AnimatError(
            f"{population.name}: turning its current needs the parameters E_L, V_th and g_L (or C_m and tau_m)"
        ) from None


def _merged(start: Iterable[Adjustment], found: Iterable[Adjustment]) -> list[Adjustment]:
    """Return one adjustment for every knob: later drives and currents replace earlier ones, gains multiply."""
    merged: dict[tuple[str, str], Adjustment] = {}
    for one in (*start, *found):
        earlier = merged.get((one.knob, one.name))
        value = one.value if earlier is None or one.knob != "gain" else one.value * earlier.value
        weight = one.weight if one.weight is not None or earlier is None else earlier.weight
        merged[one.knob, one.name] = Adjustment(knob=one.knob, name=one.name, value=value, weight=weight)
    return list(merged.values())


def _row(
    network: Network,
    target: Target,
    knob: Knob,
    dials: dict[str, Dial],
    before: dict[str, float],
    after: dict[str, float],
) -> TuningRow:
    name = target.population
    population = network.population(name)
    place = dials[name].place if name in dials else 0.0
    old = new = None
    if knob.kind != "none":
        old, new = _described(population, knob.kind), _value(population, knob, place)
    return TuningRow(
        population=name,
        region=population.region,
        size=population.size,
        knob=target.knob or knob.kind,
        old=old,
        new=new,
        unit=KNOBS.get(knob.kind, ""),
        before_hz=before[name],
        after_hz=after[name],
        target_hz=target.rate_hz,
        low_hz=target.low_hz,
        high_hz=target.high_hz,
        reason=f"{before[name]:.3g} Hz before, {target.rate_hz:g} Hz wanted ({target.source})",
    )


def write_tuning(tuning: Tuning, path: Path, network: Network) -> None:
    """Write the table that `animat.brain.adjustments.read_adjustments` reads, with old values and reasons."""
    rows = {row.population: row for row in tuning.rows}
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["knob", "name", "old", "new", "unit", "rate_before_hz", "rate_hz", "target_hz", "reason"])
        for one in tuning.adjustments:
            row = rows.get(one.name.split("->")[-1])
            knob = one.knob if one.weight is None else f"{one.knob} of {one.weight:g}"
            rates = (
                ["", "", "", ""]
                if row is None
                else [f"{row.before_hz:.3g}", f"{row.after_hz:.3g}", f"{row.target_hz:g}", row.reason]
            )
            old = _described(network.population(one.name.split("->")[-1]), one.knob)
            table.writerow([knob, one.name, f"{old:g}", f"{one.value:.6g}", KNOBS[one.knob], *rates])
