"""The kernel's settings while a script runs: the experiment's, and what is said where the script sets others."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from animat.brain.nest.kernel import kernel_settings
from animat.brain.protocol import BrainSettings
from animat.errors import AnimatError

__all__ = ["check_kernel", "connect_relays", "settings_kept"]


@contextmanager
def settings_kept(nest: Any, settings: BrainSettings, *, pynn: bool) -> Iterator[None]:
    """Have a script's ResetKernel, and PyNN's setup if it uses PyNN, begin from the experiment's settings."""
    reset = nest.ResetKernel

    def reset_and_set() -> None:
        reset()
        nest.SetKernelStatus(kernel_settings(settings))

    with ExitStack() as stack:
        stack.enter_context(_replaced(nest, "ResetKernel", reset_and_set))
        if pynn:
            module = _pynn()
            setup = _with_defaults(module.setup, kernel_settings(settings))
            stack.enter_context(_replaced(module, "setup", setup))
        yield


@contextmanager
def _replaced(module: Any, name: str, function: Callable[..., Any]) -> Iterator[None]:
    before = vars(module)[name]
    vars(module)[name] = function
    try:
        yield
    finally:
        vars(module)[name] = before


def _with_defaults(setup: Callable[..., Any], values: Mapping[str, Any]) -> Callable[..., Any]:
    @functools.wraps(setup)
    def setup_with_defaults(timestep: float | None = None, *rest: Any, **extra: Any) -> Any:
        extra = {"threads": values["local_num_threads"], "rng_seed": values["rng_seed"], **extra}
        return setup(values["resolution"] if timestep is None else timestep, *rest, **extra)

    return setup_with_defaults


def check_kernel(nest: Any, path: Path, settings: BrainSettings) -> list[str]:
    """Refuse another resolution or number of threads than the experiment's; set the seed again and say so."""
    wanted = kernel_settings(settings)
    found = float(nest.resolution)
    if abs(found - wanted["resolution"]) > 1e-9:
        ticks = round(found * 1e6)
        way = (
            f"leave it out of the script, or write brain: {{resolution: {ticks / 1e6:.10g} ms}}"
            if abs(found * 1e6 - ticks) < 1e-3
            else "that is no whole number of nanoseconds, in which times are counted here, so no experiment can have it"
        )
        raise AnimatError(
            f"the script sets a resolution of {found:.10g} ms, the experiment says {wanted['resolution']:.10g} ms; "
            f"{way}",
            file=path,
        )
    if nest.local_num_threads != wanted["local_num_threads"]:
        raise AnimatError(
            f"the script sets {nest.local_num_threads} threads, the experiment says {wanted['local_num_threads']}; "
            f"leave it out of the script, or write brain: {{threads: {nest.local_num_threads}}}",
            file=path,
        )
    seed = int(nest.rng_seed)
    if seed == wanted["rng_seed"]:
        return []
    nest.SetKernelStatus({"rng_seed": wanted["rng_seed"]})
    return [
        f"the script sets the seed {seed}: what NEST drew in it since then is the same whatever the experiment's "
        f"`seed`; from its end on, that one ({wanted['rng_seed']}) counts"
    ]


def connect_relays() -> None:
    """Connect PyNN's spike sources to the relays that stand for them, as PyNN itself does when it runs."""
    from pyNN.nest import simulator

    for population in simulator.state.populations:
        if getattr(population, "_deferred_parrot_connections", False):
            population._connect_parrot_neurons()


def _pynn() -> Any:
    try:
        import pyNN.nest
    except ImportError as error:
        raise AnimatError(f"the script needs PyNN ({error}): {sys.executable} -m pip install PyNN") from None
    return pyNN.nest
