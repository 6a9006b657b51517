"""The engines of a simulation: brains behind their links, bodies in this process or behind a link of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from animat.body.protocol import BodyEngine, BodyInfo, BodyReply
from animat.brain.protocol import BrainInfo, BrainReply, Device
from animat.brain.remote import BrainLink
from animat.errors import unknown_name
from animat.experiment.brains import check_network_on
from animat.experiment.parts import Parts, brain_settings, open_bodies
from animat.simulation.loop import BodyStart, BrainStart

__all__ = ["Engines"]

#: Spikes per step that travel with a reply for viewers.
_SAMPLE = 256


class Engines:
    """All brains and bodies of one simulation by name; none until they are opened."""

    def __init__(self) -> None:
        self.links: dict[str, BrainLink] = {}
        self.infos: dict[str, BrainInfo] = {}
        self.bodies: dict[str, tuple[BodyEngine, BodyInfo]] = {}
        #: Whether the description has been found right, so that brains, if there are any, are built or have been.
        self.building = False
        #: Of every brain's process in MB, known when it has ended.
        self.peak_memory_mb: dict[str, float] = {}
        #: Replies of bodies whose step has not ended yet.
        self._early: dict[str, BodyReply] = {}

    def open_bodies(self, parts: Parts) -> None:
        """Load every body at its rest."""
        self.bodies = open_bodies(parts)

    def open_brains(
        self,
        parts: Parts,
        folder: Path,
        shard: Callable[[str], Path],
        progress: Callable[[str, float | None], None],
    ) -> None:
        """Start a worker for every brain and build its network; logs go to `folder`, spikes to ``shard(name)``."""
        experiment, sizes = parts.experiment, parts.sizes()
        for name, part in experiment.part.all_brains.items():
            populations = sizes[name]
            settings = brain_settings(
                experiment, name, None if populations is None else list(populations), shard(name).resolve(), _SAMPLE
            )
            link = self.links[name] = BrainLink(
                part.engine,
                processes=part.processes,
                python=part.python,
                launch=part.launch,
                address=part.address,
                title=f"{experiment.part.name} ({folder})",
                log=folder / f"{name}.log",
                patience_s=part.patience / 1e9,
            )
            progress("checking the network", None)
            check_network_on(link, parts, name)
            self.building = True
            self.infos[name] = link.load(
                parts.brains[name], settings, lambda what, done: progress(f"building: {what}", done)
            )
        self.building = True

    @property
    def body_infos(self) -> dict[str, BodyInfo]:
        """What every body offers."""
        return {name: info for name, (_, info) in self.bodies.items()}

    def link(self, brain: str | None) -> BrainLink:
        """Return the link to a named brain, or to the only one."""
        if brain is None and len(self.links) == 1:
            return next(iter(self.links.values()))
        if brain not in self.links:
            raise unknown_name("brain", str(brain), self.links)
        return self.links[brain]

    def attach(self, brain: str, device: Device) -> int:
        """Attach a device to a brain and return its index."""
        return self.links[brain].attach([device])[0]

    def detach(self, brain: str, indices: Sequence[int]) -> None:
        """Detach devices from a brain."""
        self.links[brain].detach(indices)

    def start_brains(self, starts: Sequence[BrainStart]) -> None:
        """Send brains their changed inputs and let them run."""
        for start in starts:
            self.links[start.name].start(start.changes, start.until)

    def advance_bodies(self, starts: Sequence[BodyStart]) -> None:
        """Let bodies run, here and now."""
        for start in starts:
            self._early[start.name] = self.bodies[start.name][0].advance(start.controls, start.until)

    def finish(
        self, brains: Sequence[str], bodies: Sequence[str]
    ) -> tuple[Mapping[str, BrainReply], Mapping[str, BodyReply]]:
        """Wait for the replies of those whose step ends now."""
        return {name: self.links[name].finish() for name in brains}, {name: self._early.pop(name) for name in bodies}

    def read_bodies(self) -> dict[str, BodyReply]:
        """Return the present state of every body."""
        return {name: engine.read() for name, (engine, _) in self.bodies.items()}

    def check_alive(self) -> None:
        """Raise if a brain is gone."""
        for link in self.links.values():
            link.check_alive()

    def reset(self) -> None:
        """Return all to time 0."""
        self._early.clear()
        for link in self.links.values():
            link.reset()
        for engine, _ in self.bodies.values():
            engine.reset()

    def close(self) -> None:
        """End all; may be called twice."""
        for name, link in self.links.items():
            self.peak_memory_mb.setdefault(name, link.peak_memory_mb())
            link.close()
        for engine, _ in self.bodies.values():
            engine.close()
