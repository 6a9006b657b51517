"""What a running simulation holds; what is done with it stands in the files above."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from animat.experiment.parts import Parts
from animat.experiment.read import Experiment
from animat.run.writer import RunWriter
from animat.simulation.checkpoint import Checkpoint
from animat.simulation.control import Command, ControlEndpoint
from animat.simulation.engines import Engines
from animat.simulation.events import EventQueue
from animat.simulation.fits import merged_parameters
from animat.simulation.lifecycle import State
from animat.simulation.loop import ClosedLoop
from animat.simulation.overlays import Overlays
from animat.simulation.profile import Profile
from animat.simulation.recording import Recording
from animat.simulation.trial import Trial
from animat.transfer.bind import Surroundings
from animat.transfer.board import Board

__all__ = ["Asked", "Progress", "Running"]

#: Called with what is going on and the fraction done (or None): building, simulating, finishing.
Progress = Callable[[str, float | None], None]


@dataclass
class Asked:
    """What clients and the user want of a simulation that it has not done yet."""

    #: Why it is to end after the present step.
    stop: str | None = None
    #: Signal that asked for it; the command's exit code tells.
    signal: int | None = None
    #: Tick at which it is to pause.
    until: int | None = None
    #: Commands that are answered when it pauses or ends.
    waiting: list[Command] = field(default_factory=list)
    #: Live edits and their commands: the first is being tried, the others wait for it.
    edits: list[tuple[Trial, Command]] = field(default_factory=list)


class Running:
    """One running experiment: description, engines, loop, recording, control endpoint, and how far it is.

    Before it is built it has no brain, no body and no function, and stands at time 0.

    Parameters
    ----------
    experiment
        What to run.
    folder
        The run folder; must not hold a run.
    progress
        Told what is going on; called once per step, so it must be quick.
    tcp
        Open the control endpoint on this address with keys instead of a unix socket.
    checkpoint
        Go on from this state.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: Path,
        *,
        progress: Progress = lambda _what, _done: None,
        tcp: str | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        #: The experiment's parameters, and below the description with those of this run, which events and clients set.
        self.initial_parameters = dict(experiment.part.parameters)
        parameters = dict(self.initial_parameters)
        if checkpoint is not None:
            parameters = merged_parameters(parameters, checkpoint)
        self.experiment = replace(experiment, part=experiment.part.model_copy(update={"parameters": parameters}))
        #: Absolute, because a transfer function may change the working directory.
        self.folder = folder.absolute()
        self.progress = progress
        #: Where the run began: at a checkpoint, or at time 0.
        self.checkpoint = checkpoint

        #: The process that runs this; a copy of it that a transfer function forks must not.
        self.pid = os.getpid()
        self.state = State.CREATED
        self.reason = ""
        self.error = ""
        self.asked = Asked()
        #: Whether signals and clients can break off what goes on.
        self.overseen = False
        #: Wall clock (s, monotonic).
        self.began = time.monotonic()
        self.episode = 1
        self.steps = 0
        #: Whether events due at the beginning have taken effect.
        self.begun = False

        self.parts: Parts
        self.around: Surroundings
        self.engines = Engines()
        self.sources: dict[str, str] = {}
        self.loop = ClosedLoop(experiment.part.step, {}, {}, Board({}, {}), [], EventQueue([]))
        self.overlays = Overlays()
        #: Parameters that clients have set; they outlive a reset.
        self.settings: dict[str, Any] = {}

        self.profile = Profile()
        self.writer = RunWriter(self.folder)
        self.recording: Recording
        self.open_recording()
        self.control = ControlEndpoint(self.folder, tcp=tcp)

    def open_recording(self) -> None:
        """Begin the tables of what is there now: when it has been built, and again after a reset."""
        self.recording = Recording(
            self.writer,
            self.experiment.part.record,
            self.board,
            self.loop.functions,
            self.engines.infos,
            self.engines.body_infos,
        )

    @property
    def board(self) -> Board:
        """The values that cross."""
        return self.loop.board

    @property
    def start(self) -> int:
        """The tick at which the run began."""
        return 0 if self.checkpoint is None else self.checkpoint.tick

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended it."""
        return self.asked.signal is not None
