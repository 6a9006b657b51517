"""How fast the populations of a network fire when it runs alone, beside references, and why silent ones are silent."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from animat.brain.engines import check_settings, engine_kind
from animat.brain.mean_input import mean_input, why_silent
from animat.brain.network import Network
from animat.brain.protocol import BrainSettings, Progress
from animat.brain.remote import BrainLink
from animat.brain.summary import check_room
from animat.errors import AnimatError
from animat.library import library_path, network_builder

__all__ = ["RateRow", "Rates", "Reference", "measure_rates", "references"]

#: Simulated in one go, in ticks of 1 ns.
_STEP = 20_000_000


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A rate, or a range of rates, that a population is held against, and where it comes from."""

    low_hz: float
    high_hz: float
    source: str


class RateRow(msgspec.Struct, frozen=True, kw_only=True):
    """A population's mean rate; `silent` says why it did not fire at all."""

    population: str
    region: str
    size: int
    rate_hz: float
    reference: Reference | None = None
    silent: str = ""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Rates of a network that ran alone from `after_ms` to `until_ms`, and what it took."""

    network: str
    engine: str
    seed: int
    after_ms: float
    until_ms: float
    rows: list[RateRow]
    build_s: float
    kernel_s: float
    memory_mb: float
    synapses: int


def measure_rates(
    network: Network,
    progress: Progress,
    *,
    until_ms: float = 1000.0,
    after_ms: float = 0.0,
    seed: int = 1,
    threads: int = 1,
    virtual_processes: int | None = None,
    engine: str = "nest",
    held_against: Mapping[str, Reference] | None = None,
    spikes: Path | None = None,
) -> Rates:
    """Build a network with an engine in a process of its own, let it run without a body, and count.

    `spikes` is a file that gets all spikes as `animat.brain.protocol.SHARD_DTYPE` records. Times are rounded up to
    whole steps of 20 ms.
    """
    steps, first = (-(-round(ms * 1e6) // _STEP) for ms in (until_ms, after_ms))
    if after_ms < 0 or not 0 <= first < steps:
        raise AnimatError(f"the time to count must begin before it ends, got {after_ms:g} to {until_ms:g} ms")
    settings = BrainSettings(
        seed=seed,
        step=_STEP,
        threads=threads,
        virtual_processes=virtual_processes,
        record=("*",) if spikes else (),
        shard=str(spikes) if spikes else None,
    )
    check_settings(engine, settings)
    check_room(engine_kind(engine).memory_bytes(network, settings))
    counts = np.zeros(len(network.populations))
    kernel_s = memory_mb = 0.0
    link = BrainLink(engine)
    try:
        info = link.load(network, settings, lambda what, done: progress(f"building: {what}", done))
        for step in range(steps):
            progress("running the network", step / steps)
            reply = link.advance([], (step + 1) * _STEP)
            kernel_s, memory_mb = kernel_s + reply.kernel_s, reply.memory_mb
            if step >= first:
                counts += reply.counts
    finally:
        link.close()
    seconds = (steps - first) * _STEP / 1e9
    rates = {one.name: n / one.size / seconds for one, n in zip(network.populations, counts.tolist(), strict=True)}
    return Rates(
        network=network.name,
        engine=engine,
        seed=seed,
        after_ms=first * _STEP / 1e6,
        until_ms=steps * _STEP / 1e6,
        rows=_rows(network, rates, held_against or {}),
        build_s=info.build_s,
        kernel_s=kernel_s,
        memory_mb=memory_mb,
        synapses=info.synapses,
    )


def _rows(network: Network, rates: dict[str, float], held_against: Mapping[str, Reference]) -> list[RateRow]:
    inputs = mean_input(network, rates)
    return [
        RateRow(
            population=one.name,
            region=one.region,
            size=one.size,
            rate_hz=rates[one.name],
            reference=held_against.get(one.name),
            silent="" if rates[one.name] else why_silent(network, one.name, rates, inputs[one.name]),
        )
        for one in network.populations
    ]


def references(name: str, parameters: Mapping[str, Any]) -> dict[str, Reference]:
    """Return what the populations of a shipped network are held against, when built with these parameters.

    A network's folder may hold `rates.csv`: population, low_hz, high_hz, source, and columns named like parameters of
    `build`; a row counts where they all agree (lists as words with blanks between) or say "any". So may
    `resting_rates.csv`, the rates that `animat tune` aims at.
    """
    folder, build = library_path("networks", name), network_builder(name)
    if build is None:
        return {}
    defaults = {key: parameter.default for key, parameter in inspect.signature(build).parameters.items()}
    given = {key: _words(value) for key, value in {**defaults, **parameters}.items()}
    rows = [
        row
        for table in ("resting_rates.csv", "rates.csv")
        for row in _rows_of(folder / table)
        if all(text in ("any", given[column]) for column, text in row.items() if column in given)
    ]
    return {
        row["population"]: Reference(low_hz=float(row["low_hz"]), high_hz=float(row["high_hz"]), source=row["source"])
        for row in rows
    }


def _rows_of(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
