"""Carries the closed loop's instructions out: engines, recording, commands, streams, and how it all ends."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from animat.body.protocol import BodyEngine, BodyInfo, BodyReply
from animat.brain.protocol import BrainInfo, BrainReply, Device
from animat.brain.remote import BrainLink
from animat.errors import AnimatError, unknown_name
from animat.experiment.parts import Parts, brain_settings, load_parts, open_bodies
from animat.experiment.read import Experiment
from animat.experiment.validate import check_before_build, check_names_and_functions
from animat.link.errors import WorkerDied, WorkerHung
from animat.run.writer import RunWriter
from animat.simulation.checkpoint import Checkpoint, Plan
from animat.simulation.commands import COMMANDS
from animat.simulation.control import Command, ControlEndpoint
from animat.simulation.edit import replace_source
from animat.simulation.episodes import archive
from animat.simulation.events import Event, EventQueue
from animat.simulation.keep import keep_sources
from animat.simulation.lifecycle import FINAL, State, transition
from animat.simulation.loop import ClosedLoop, StopFunction
from animat.simulation.outside import apply_event, set_value
from animat.simulation.overlays import Overlays
from animat.simulation.profile import Profile
from animat.simulation.recording import Recording
from animat.simulation.state import (
    check_fits,
    check_variables,
    merged_parameters,
    put_engines,
    put_loop,
    save_checkpoint,
    with_edits,
)
from animat.simulation.streams import publish_step
from animat.simulation.summary import manifest, summary
from animat.transfer.bind import bind
from animat.transfer.board import Board, BodyBoard, BrainBoard
from animat.transfer.dry import dry_call
from animat.transfer.words import take_words
from animat.units import format_time

__all__ = ["Progress", "Runner"]

#: Called with what is going on and the fraction done (or None): building, simulating, finishing.
Progress = Callable[[str, float | None], None]

#: Spikes per step that travel with a reply for viewers.
_SAMPLE = 256
#: Seconds between two looks at the brains while nothing runs.
_IDLE_S = 0.1
#: Seconds that a transfer function gets to return after the user asked to stop.
_GRACE_S = 2.0


@dataclass(frozen=True)
class Replay:
    """A live edit or setting of an earlier run (its event), to be repeated at its time."""

    tick: int
    #: It was made before the recording began: what an episode took over from the one before.
    before_recording: bool
    content: Mapping[str, Any]


class Runner:
    """One running experiment, in this process: `initialize`, then `serve` until it has ended.

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
    replay
        Live edits and settings to repeat, by ascending time.
    pace
        Run no faster than this many times real time.
    checkpoint
        Go on from this state.
    plan
        When to take checkpoints.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: Path,
        *,
        progress: Progress = lambda _what, _done: None,
        tcp: str | None = None,
        replay: Sequence[Replay] = (),
        pace: float | None = None,
        checkpoint: Checkpoint | None = None,
        plan: Plan | None = None,
    ) -> None:
        #: The experiment's parameters, and the description with those of this run, which events and clients may set.
        self.initial_parameters = dict(experiment.part.parameters)
        parameters = dict(self.initial_parameters)
        if checkpoint is not None:
            parameters = merged_parameters(parameters, checkpoint)
        self.experiment = replace(experiment, part=experiment.part.model_copy(update={"parameters": parameters}))
        #: Where the run began: at a checkpoint, or at time 0.
        self.checkpoint = checkpoint
        self.plan = plan or Plan()
        self.folder = folder
        self.progress = progress
        self.state = State.CREATED
        self.reason = ""
        self.error = ""
        self.steps = 0
        #: Whether events due at the beginning have taken effect.
        self.begun = False
        self.profile = Profile()
        self.links: dict[str, BrainLink] = {}
        self.infos: dict[str, BrainInfo] = {}
        self.bodies: dict[str, tuple[BodyEngine, BodyInfo]] = {}
        self.sources: dict[str, str] = {}
        #: Of every brain's process, known when it has ended.
        self.peak_memory_mb: dict[str, float] = {}
        self.began = time.monotonic()
        self.until: int | None = None
        self.waiting: list[Command] = []
        self.overlays = Overlays()
        #: Parameters that clients have set; they outlive a reset.
        self.settings: dict[str, Any] = {}
        self.stop_asked: str | None = None
        self.interrupted = False
        self.episode = 1
        self._held: dict[str, BodyReply] = {}
        self.writer = RunWriter(folder)
        self.control = ControlEndpoint(folder, self._immediate, tcp=tcp)
        self.writer.control(self.control.description())
        self._replay = list(replay)
        self._pace = pace
        self._handlers_before: dict[int, Any] = {}
        self._timer: threading.Timer | None = None

    # -- beginning ---------------------------------------------------------------------------------------------

    def initialize(self) -> None:
        """Build brains and bodies, attach devices, check the transfer functions, open the recording."""
        parts = load_parts(self.experiment)
        if self.checkpoint is not None:
            check_fits(parts, self.checkpoint)
            parts = with_edits(parts, self.checkpoint)
            keep_sources(parts.sources, self.folder)
        self.parts = parts
        self.sources = dict(parts.sources)
        self._write_manifest()
        self.progress("loading bodies", None)
        self.bodies = open_bodies(parts)
        self.around = parts.surroundings({name: info for name, (_, info) in self.bodies.items()})
        self.progress("checking", None)
        specs = check_before_build(parts, self.bodies)
        self._load_brains(parts)
        sizes = {name: info.sizes() for name, info in self.infos.items()}
        self.around = replace(self.around, brains=sizes)
        if None in parts.sizes().values():
            self.progress("checking what the script left", None)
            specs = check_names_and_functions(parts, self.bodies, sizes)
        self.board = Board(
            {name: BrainBoard() for name in self.links},
            {name: BodyBoard(info) for name, (_, info) in self.bodies.items()},
        )
        if self.checkpoint is not None:
            self.progress("restoring the checkpoint", None)
            put_engines(self, self.checkpoint)
        for name, (engine, _) in self.bodies.items():
            self.board.bodies[name].receive(engine.read())
        functions = [bind(function, self.around, self.board, self.attach) for function in parts.functions]
        part = self.experiment.part
        self.loop = ClosedLoop(
            part.step,
            {name: brain.step or part.step for name, brain in part.all_brains.items()},
            {name: body.step or part.step for name, body in part.all_bodies.items()},
            self.board,
            functions,
            EventQueue(Event(*spec) for spec in specs),
        )
        if self.checkpoint is not None:
            put_loop(self, self.checkpoint)
        if self.plan:
            check_variables(self)
        self._repeat(before_recording=True)
        self._open_recording()
        self._write_manifest()
        self.change("initialize")

    @property
    def start(self) -> int:
        """The tick at which the run began."""
        return 0 if self.checkpoint is None else self.checkpoint.tick

    def _write_manifest(self) -> None:
        content = manifest(self.experiment, self.parts, self.infos, self.bodies)
        if self.checkpoint is not None:
            content["resumed"] = self.checkpoint.described()
        self.writer.manifest(content)

    def attach(self, brain: str, device: Device) -> int:
        """Attach a device to a brain and return its index."""
        return self.links[brain].attach([device])[0]

    def detach(self, brain: str, indices: Sequence[int]) -> None:
        """Detach devices from a brain."""
        self.links[brain].detach(indices)

    def link(self, brain: str | None) -> BrainLink:
        """Return the link to a named brain, or to the only one."""
        if brain is None and len(self.links) == 1:
            return next(iter(self.links.values()))
        if brain not in self.links:
            raise unknown_name("brain", str(brain), self.links)
        return self.links[brain]

    def _load_brains(self, parts: Parts) -> None:
        sizes = parts.sizes()
        for name, part in self.experiment.part.all_brains.items():
            populations = sizes[name]
            settings = brain_settings(
                self.experiment,
                name,
                None if populations is None else list(populations),
                self.writer.shard(name).resolve(),
                _SAMPLE,
            )
            link = self.links[name] = BrainLink(
                part.engine,
                processes=part.processes,
                python=part.python,
                launch=part.launch,
                address=part.address,
                title=f"{self.experiment.part.name} ({self.folder})",
                log=self.folder / f"{name}.log",
                patience_s=part.patience / 1e9,
            )
            self.infos[name] = link.load(
                parts.brains[name], settings, lambda what, done: self.progress(f"building: {what}", done)
            )
        self.writer.populations({name: info.populations for name, info in self.infos.items()})

    def _open_recording(self) -> None:
        bodies = {name: info for name, (_, info) in self.bodies.items()}
        record = self.experiment.part.record
        self.recording = Recording(self.writer, record, self.board, self.loop.functions, self.infos, bodies)

    def dry_call(self, sources: dict[str, str]) -> None:
        """Try sources of a live edit in a throwaway process, on the present values of the sensors."""
        sensors = {name: side.sensors for name, side in self.board.bodies.items()}
        try:
            part = self.experiment.part
            dry_call(sources, self.around, sensors, parameters=part.parameters, seconds=self.parts.trial_seconds())
        except AnimatError as error:
            if error.file is not None and not Path(error.file).is_absolute():
                error.file = str(self.experiment.folder / error.file)
            raise

    # -- running -----------------------------------------------------------------------------------------------

    def serve(self, *, start: bool = True, until: int | None = None) -> State:
        """Run (at once, or when a client says so) until the simulation has ended; return how.

        With `until`, it is stopped at that tick if it has not ended before.
        """
        timeout = self.experiment.part.timeout
        if timeout is not None and until is None:
            left = max(0.0, timeout / 1e9 - (time.monotonic() - self.began))
            reason = f"time-out after {timeout / 1e9:g} s of real time"
            self._timer = threading.Timer(left, self.ask_to_stop, [reason])
            self._timer.daemon = True
            self._timer.start()
        if start:
            self.change("run")
        while self.state not in FINAL:
            self._take_commands()
            if self.state in FINAL:
                break
            if self.stop_asked is not None:
                self.end("stop", self.stop_asked)
            elif until is not None and self.loop.time >= until:
                self.end("stop", "")
            elif self.state is State.RUNNING:
                self._run_step()
        return self.state

    def _repeat(self, *, before_recording: bool = False) -> None:
        while self._replay and self._replay[0].tick <= self.loop.time:
            if before_recording and not self._replay[0].before_recording:
                return
            earlier = self._replay.pop(0).content
            if earlier["kind"] == "edit":
                replace_source(self, earlier["file"], earlier["source"])
            else:
                set_value(self, earlier["target"], earlier["value"])
                self.writer.event("set", self.loop.time, target=earlier["target"], value=earlier["value"])

    def _take_commands(self) -> None:
        """Carry out what clients asked for; while nothing runs, wait for it and watch the brains."""
        while self.state not in FINAL and self.stop_asked is None:
            try:
                if self.state is State.RUNNING:
                    command = self.control.commands.get_nowait()
                else:
                    command = self.control.commands.get(timeout=_IDLE_S)
            except queue.Empty:
                if self.state is State.RUNNING:
                    return
                self._watch_brains()
                continue
            try:
                COMMANDS[command.name](self, command)
            except (WorkerDied, WorkerHung) as error:
                command.refuse(str(error))
                self.fail(str(error))
            except AnimatError as error:
                command.refuse(str(error))
            except Exception as error:
                self.note_internal_error(traceback.format_exc())
                command.refuse(f"{command.name}: {type(error).__name__}: {error}")

    def _watch_brains(self) -> None:
        try:
            for link in self.links.values():
                link.check_alive()
        except AnimatError as error:
            self.fail(str(error))

    def note_internal_error(self, text: str) -> None:
        """Keep a traceback in the run's events."""
        with suppress(AnimatError):
            self.writer.event("internal_error", self.loop.time if hasattr(self, "loop") else 0, text=text)

    def _run_step(self) -> None:
        try:
            self._repeat()
            if not self.begun:
                self.begun = True
                self._outside(self.loop.start())
                if self.stop_asked is not None:
                    return
            self._step()
            if self.plan.due(self.loop.time):
                self._save_as_planned()
        except AnimatError as error:
            if self.stop_asked is not None:
                self.end("stop", f"{self.stop_asked}; {error}")
            else:
                self.fail(str(error))
            return
        if self._pace is not None:
            self._wait_for_the_clock(self._pace)
        duration = self.experiment.part.duration
        if duration is not None and self.loop.time >= duration:
            self.end("complete", "")
        elif self.until is not None and self.loop.time >= self.until:
            self.until = None
            self.change("pause")

    def save(self, name: str | None = None) -> Path:
        """Take a checkpoint, called after the present time unless `name` says otherwise, and return its folder."""
        self.progress("saving", None)
        began = time.perf_counter()
        place = save_checkpoint(self, name)
        self.writer.event("checkpoint", self.loop.time, name=place.name, seconds=time.perf_counter() - began)
        return place

    def _save_as_planned(self) -> None:
        """Take a checkpoint; a run whose brains live goes on without one that failed."""
        try:
            self.save()
        except (WorkerDied, WorkerHung):
            raise
        except AnimatError as error:
            self.writer.event("checkpoint_failed", self.loop.time, text=str(error))
            self.tell(f"no checkpoint was taken at {format_time(self.loop.time)}: {error}")

    def _wait_for_the_clock(self, pace: float) -> None:
        now = time.monotonic()
        self._next_step = max(getattr(self, "_next_step", now), now - 0.5) + self.loop.step / 1e9 / pace
        time.sleep(max(0.0, self._next_step - now))

    def _step(self) -> None:
        clock = time.perf_counter
        t0 = clock()
        loop = self.loop
        brain_starts, body_starts = loop.begin()
        for brain in brain_starts:
            self.links[brain.name].start(brain.changes, brain.until)
        t1 = clock()
        body_replies: dict[str, BodyReply] = {}
        for body in body_starts:
            body_replies[body.name] = self.bodies[body.name][0].advance(body.controls, body.until)
        t2 = clock()
        due_brains, due_bodies = loop.due()
        self._held.update(body_replies)
        brain_replies: dict[str, BrainReply] = {name: self.links[name].finish() for name in due_brains}
        t3 = clock()
        finished = loop.finish(brain_replies, {name: self._held.pop(name) for name in due_bodies})
        for problem in finished.problems:
            self.writer.event(
                "transfer_function_failed",
                loop.time,
                function=problem.function,
                file=problem.file,
                line=problem.line,
                text=problem.text,
            )
            self.tell(f"{problem.file}:{problem.line}: {problem.function} failed and was put aside: {problem.text}")
        for kind, text in take_words():
            self.tell(text) if kind == "message" else self.writer.event("log", loop.time, text=text)
        t4 = clock()
        self.recording.step(loop.time, brain_replies)
        publish_step(self.control, loop.time, self.status, self.recording.signals, self.board, brain_replies)
        t5 = clock()
        self._outside(finished.events)
        t6 = clock()
        self.steps += 1
        self.profile.add(
            self.writer, self.steps, loop.time, brain_replies, (t0, t1, t2, t3, t4, t5, t6), finished.transfer_s
        )
        duration = self.experiment.part.duration
        self.progress("simulating", None if duration is None else loop.time / duration)

    def _outside(self, events: list[Event]) -> None:
        for event in events:
            self.writer.event(
                "event", self.loop.time, action=event.kind, target=event.target, value=event.value, undo=event.undo
            )
            if event.kind == "message" and not event.undo:
                self.tell(str(event.value))
            elif event.kind == "stop" and not event.undo:
                self.stop_asked = str(event.value)
            else:
                apply_event(self, event)

    def tell(self, text: str) -> None:
        """Show a message to the user: in the run's events, to clients, and to whoever runs this."""
        self.writer.event("message", self.loop.time, text=text)
        self.control.publish(b"message", {"tick": self.loop.time, "text": text})
        self.progress(f"message: {text}", None)

    # -- states and endings ------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return state, clock and speed as clients see them."""
        loop = getattr(self, "loop", None)
        return {
            "state": str(self.state),
            "tick": loop.time if loop else 0,
            "step": self.experiment.part.step,
            "steps": self.steps,
            "duration": self.experiment.part.duration,
            "real_time_factor": self.profile.real_time_factor(self.experiment.part.step),
            "name": self.experiment.part.name,
            "error": self.error,
        }

    def change(self, trigger: str) -> None:
        """Change the state and tell everybody."""
        before, self.state = self.state, transition(self.state, trigger)
        if before is not self.state:
            tick = self.loop.time if hasattr(self, "loop") else 0
            self.writer.event("state", tick, state=str(self.state), before=str(before))
            self.control.publish(b"state", self.status())
        if self.state is State.PAUSED:
            self.writer.flush()
            self._answer_waiting()

    def _answer_waiting(self) -> None:
        for command in self.waiting:
            command.reply(self.status())
        self.waiting.clear()

    def resume(self, until: int | None) -> None:
        """Run on, to a tick or to the end."""
        self.change("run")
        self.until = until

    def reset(self) -> None:
        """Return to time 0 with the same seed; what was recorded moves to `episodes/N`.

        Live edits and parameters that clients set stay; what events changed is undone.
        """
        transition(self.state, "reset")
        self.progress("resetting", None)
        try:
            self.writer.event("reset", self.loop.time)
            self.writer.finish()
            self.writer.summary(summary(self))
            archive(self.folder, self.episode)
            self.episode += 1
            self.writer = RunWriter(self.folder)
            self.checkpoint = None
            self._write_manifest()
            self.writer.populations({name: info.populations for name, info in self.infos.items()})
            for link in self.links.values():
                link.reset()
            self.loop.reset()
            for name, (engine, _) in self.bodies.items():
                engine.reset()
                self.board.bodies[name].receive(engine.read())
            self._restore_parameters()
            self.steps, self.profile, self.until, self.begun = 0, Profile(), None, False
            self._held.clear()
            self._open_recording()
        except AnimatError as error:
            self.fail(f"the reset failed: {error}")
            raise
        self.change("reset")
        self._answer_waiting()

    def _restore_parameters(self) -> None:
        """Undo what events changed, and write what clients changed into the new episode's events, to be repeated."""
        self.overlays.clear()
        for file, source in self.sources.items():
            if source != self.parts.sources[file]:
                self.writer.event("edit", 0, file=file, source=source, before_recording=True)
        for name, value in (self.initial_parameters | self.settings).items():
            if self.experiment.part.parameters[name] != value:
                set_value(self, f"parameter:{name}", value)
        for name, value in self.settings.items():
            self.writer.event("set", 0, target=f"parameter:{name}", value=value, before_recording=True)

    def end(self, trigger: str, reason: str) -> None:
        """End for good by "complete" or "stop"."""
        self.reason = reason
        self.change(trigger)

    def fail(self, error: str) -> None:
        """End for good by a failure, which the run folder keeps."""
        self.error = error
        with suppress(AnimatError):
            self.change("fail")
        self.state = State.FAILED

    def close(self) -> None:
        """Free the engines, finish the recording, write summary; whatever happened before."""
        if self._timer is not None:
            self._timer.cancel()
        for name, link in self.links.items():
            self.peak_memory_mb[name] = link.peak_memory_mb()
            link.close()
        for engine, _ in self.bodies.values():
            engine.close()
        try:
            self.writer.finish()
        except AnimatError as error:
            if self.state is not State.FAILED:
                self.state, self.error = State.FAILED, str(error)
        with suppress(AnimatError):
            self.writer.summary(summary(self))
        self._answer_waiting()
        self.control.close()
        (self.folder / "control.json").unlink(missing_ok=True)
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)

    # -- commands and signals ----------------------------------------------------------------------------------

    def _immediate(self, name: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
        if name == "status":
            return {"ok": self.status()}
        if name == "stop":
            self.ask_to_stop(str(arguments.get("reason") or "stopped by a client"))
            if self.state is State.CREATED:
                os.kill(os.getpid(), signal.SIGTERM)
            return None
        if name not in COMMANDS:
            return {"error": f"unknown command {name!r}; known: status, {', '.join(sorted(COMMANDS))}"}
        return None

    def ask_to_stop(self, reason: str) -> None:
        """Stop after the present step; a transfer function that does not return is interrupted after 2 s."""
        self.stop_asked = reason
        if not self._handlers_before:
            return
        threading.Thread(target=self._watch_functions, name="stop", daemon=True).start()

    def _watch_functions(self) -> None:
        while True:
            time.sleep(_GRACE_S / 4)
            if self.state in FINAL:
                return
            os.kill(os.getpid(), signal.SIGUSR1)

    def catch_signals(self) -> None:
        """Let Ctrl-C end the run after the present step, a second one abandon it; call from the main thread."""

        def interrupt(number: int, _frame: FrameType | None) -> None:
            self.interrupted = self.interrupted or number == signal.SIGINT
            if self.stop_asked is not None or self.state is State.CREATED:
                raise KeyboardInterrupt
            self.ask_to_stop("interrupted by the user" if number == signal.SIGINT else "ended by the system")

        def break_function(_number: int, _frame: FrameType | None) -> None:
            loop = getattr(self, "loop", None)
            if self.stop_asked is None or loop is None or loop.running is None:
                return
            if time.perf_counter() - loop.running_since > _GRACE_S:
                raise StopFunction

        for number, handler in (
            (signal.SIGINT, interrupt),
            (signal.SIGTERM, interrupt),
            (signal.SIGUSR1, break_function),
        ):
            self._handlers_before.setdefault(number, signal.signal(number, handler))
