"""Simulations from Python and notebooks: `sim = animat.load("mouse-joystick"); sim.run("200 ms"); sim.spikes`."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from animat.errors import AnimatError
from animat.run.format import CONTROL
from animat.run.reader import Run, open_run
from animat.simulation.client import Client
from animat.simulation.place import fresh_folder
from animat.simulation.resume import named_checkpoint, resumed
from animat.units import format_time, ticks

__all__ = ["Simulation", "attach", "load"]


def load(
    experiment: str | Path,
    *,
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: str | Path | bool = False,
) -> Simulation:
    """Start a simulation in a process of its own, built and waiting at time 0, or at that of a checkpoint.

    Parameters
    ----------
    experiment
        A folder with `experiment.yaml`, or the name of a shipped experiment; with `resume`, also a run.
    out
        The run folder; a fresh one under `runs/` by default.
    settings
        Overrides, such as ``{"brain.threads": 2}``.
    resume
        Go on from a checkpoint: the folder of one or of a run that has some. Where `experiment` is a run, the name of
        one of its checkpoints ("500 ms"), or True for the latest.

    Raises
    ------
    AnimatError
        When the description is wrong or something cannot be built.
    """
    overrides = [f"{name}={value}" for name, value in (settings or {}).items()]
    command = [sys.executable, "-m", "animat.simulation"]
    if resume:
        own, checkpoint = named_checkpoint(experiment, resume)
        _, folder = resumed(checkpoint, None if own else experiment, overrides, out)
        command += [*(() if own else (str(experiment),)), "--resume", str(checkpoint.folder)]
    else:
        folder = fresh_folder(experiment, out)
        command.append(str(experiment))
    command += ["--out", str(folder)]
    for override in overrides:
        command += ["--set", override]
    words = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process's words read
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=words, start_new_session=True
    )
    with words:
        while not _opened_by(folder, process.pid):
            if process.poll() is not None:
                raise AnimatError(_last_words(process, words))
            time.sleep(0.02)
        simulation = Simulation(folder, process)
        try:
            while process.poll() is None and simulation.state == "created":
                time.sleep(0.05)
        except AnimatError:
            if process.poll() is None:
                simulation.close()
                raise
        except BaseException:
            simulation.close()
            raise
        if process.poll() is not None:
            simulation.close()
            raise AnimatError(_last_words(process, words))
    return simulation


def _opened_by(folder: Path, pid: int) -> bool:
    """Whether the simulation that runs as process `pid` listens in `folder` by now."""
    try:
        return bool(json.loads((folder / CONTROL).read_text())["process"]["pid"] == pid)
    except (OSError, ValueError, KeyError):
        return False


def attach(run: str | Path) -> Simulation:
    """Join a running simulation by its run folder; leaving it changes nothing."""
    return Simulation(Path(run), None)


class Simulation:
    """A running simulation; all methods work from any number of processes at once.

    Use it as a context manager, or call `close`: that stops a simulation that was started by `load`, and
    only leaves one that was joined by `attach`.
    """

    def __init__(self, folder: Path, process: subprocess.Popen[bytes] | None) -> None:
        self.folder = folder
        self._process = process
        self._client = Client(folder)

    def run(self, time: str | int | None = None) -> None:
        """Run for a simulated time ("200 ms"), then pause; without one, to the end. Ctrl-C pauses."""
        arguments = {} if time is None else {"for_ns": ticks(time)}
        try:
            self._client.request("run", wait=True, **arguments)
        except KeyboardInterrupt:
            self.pause()
            raise

    def start(self) -> None:
        """Run on without waiting."""
        self._client.request("run")

    def pause(self) -> None:
        """Hold after the present step."""
        self._client.request("pause")

    def step(self, count: int = 1) -> None:
        """Run so many exchange steps, then pause."""
        self._client.request("step", count=count, wait=True)

    def reset(self) -> None:
        """Return to time 0 with the same seed; what was recorded moves to `episodes/` in the run folder.

        So does a run that began at a checkpoint: it begins at time 0 then.
        """
        self._client.request("reset")

    def save(self, name: str | None = None) -> Path:
        """Take a checkpoint, called after the time by default, and return its folder; `load` goes on from it."""
        return Path(self._client.request("save", called=name))

    def stop(self) -> Run:
        """End the simulation and return its finished run."""
        with contextlib.suppress(AnimatError):
            self._client.request("stop")
        self.wait()
        return open_run(self.folder)

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the simulation has ended and its run folder is finished."""
        end = None if timeout is None else time.monotonic() + timeout
        while self._client.alive:
            if self._process is not None:
                self._process.poll()
            if end is not None and time.monotonic() > end:
                raise AnimatError(f"the simulation has not ended within {timeout:g} s")
            time.sleep(0.02)

    def edit(self, file: str, source: str) -> None:
        """Replace the source of a transfer function file; the old one stays when the new one is broken."""
        self._client.request("edit", file=file, source=source)

    def sources(self) -> dict[str, str]:
        """Return the transfer function files in use: their text by name."""
        return dict(self._client.request("sources"))

    def get(self, target: str, *names: str) -> Any:
        """Return values, as in ``get("POP[0:3]", "V_m")``, ``get("signal:NAME")``, variable: or parameter:."""
        return self._client.request("get", target=target, names=list(names))

    def set(self, target: str, value: Any = None, **values: Any) -> None:
        """Set values, as in ``set("POP", I_e="100 pA")``, ``set("parameter:NAME", "5 kHz")``, control: or variable:."""
        self._client.request("set", target=target, value=values or value)

    def stream(self, *topics: str, timeout: float | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (topic, content) of state, signals, spikes, poses, message; drops what is read too slowly."""
        return self._client.stream(*topics, timeout=timeout)

    @property
    def state(self) -> str:
        """created, initialized, running, paused, stopped, completed or failed."""
        return str(self.status()["state"])

    @property
    def time(self) -> float:
        """Simulated time in seconds."""
        return float(self.status()["tick"]) / 1e9

    def status(self) -> dict[str, Any]:
        """Return state, tick, steps, real-time factor; also of one that has ended."""
        try:
            return dict(self._client.request("status"))
        except AnimatError:
            if self._client.alive:
                raise
            summary = open_run(self.folder).summary
            return {
                "state": summary.get("state", "failed"),
                "tick": round((summary.get("begin_ms", 0) + summary.get("simulated_ms", 0)) * 1e6),
                **summary,
            }

    def info(self) -> dict[str, Any]:
        """Return all that can be addressed: populations, ports of the bodies, signals."""
        return dict(self._client.request("info"))

    @property
    def recording(self) -> Run:
        """What was recorded so far."""
        return open_run(self.folder)

    @property
    def spikes(self) -> Any:
        """Spikes recorded so far, an Arrow table (population, index, tick)."""
        return self.recording.spikes

    @property
    def signals(self) -> Any:
        """Signals recorded so far, an Arrow table with one row per step."""
        return self.recording.signals

    def close(self) -> None:
        """Stop a simulation that was started here; leave one that was joined."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(AnimatError):
                self._client.request("stop", timeout=5)
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._client.close()

    def __enter__(self) -> Simulation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        status = self.status()
        return f"<Simulation {self.folder} {status['state']} at {format_time(status['tick'])}>"


def _last_words(process: subprocess.Popen[bytes], words: IO[bytes]) -> str:
    process.wait()
    words.seek(0)
    said = words.read().decode(errors="replace").strip()
    return said.removeprefix("error: ") or f"the simulation's process ended with exit code {process.returncode}"
