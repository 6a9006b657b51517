"""The shape of `experiment.yaml`, as pydantic models: what may stand where, with units as text."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from animat.errors import AnimatError
from animat.units import format_time, quantity, ticks

__all__ = ["BodyPart", "BrainPart", "Compare", "EventPart", "ExperimentPart", "Misplaced", "RecordPart", "Ticks"]


class Misplaced(ValueError):
    """What is wrong with an entry within the part that was checked: keys of maps and places in lists lead to it."""

    def __init__(self, what: str, *entry: str | int) -> None:
        super().__init__(what)
        self.entry = entry


def _read_ticks(value: object) -> int:
    try:
        return ticks(value)  # type: ignore[arg-type]
    except AnimatError as error:
        raise ValueError(str(error)) from None


def _positive(value: int) -> int:
    if value <= 0:
        raise ValueError("must be longer than 0 ms")
    return value


#: A time as text ("20 ms"), held as ticks.
Ticks = Annotated[int, BeforeValidator(_read_ticks)]
PositiveTicks = Annotated[int, BeforeValidator(_read_ticks), AfterValidator(_positive)]


def _inside(value: str) -> str:
    path = PurePath(value)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(
            f"{value!r} lies outside the experiment's folder; copy the file into the folder and name it from there, "
            "so that a run can keep it and be repeated"
        )
    return value


def _source_inside(value: dict[str, Any] | str | None) -> dict[str, Any] | str | None:
    files = [value.get("file"), value.get("adjustments")] if isinstance(value, dict) else [value]
    for file in files:
        if isinstance(file, str):
            _inside(file)
    return value


#: A word of a command; numbers may stand without quotes.
Word = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]

#: An argument of a script: text, or a number that stands for its text.
Argument = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) in (int, float) else value)]

#: A file of the experiment's folder, named from there.
FileName = Annotated[str, AfterValidator(_inside)]


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"must be a whole number, got {str(value).lower()}")
    return value


#: A whole number; pydantic would take true for 1.
Whole = Annotated[int, BeforeValidator(_no_truth)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BrainPart(_Part):
    """`brain:` what is simulated and how."""

    engine: Literal["nest", "compact"] = Field("nest", description="the simulator")
    network: Annotated[dict[str, Any] | str | None, AfterValidator(_source_inside)] = Field(
        None,
        description="a network description: {library: NAME, ...}, a file such as network.yaml or a SONATA circuit",
    )
    script: FileName | None = Field(None, description="a PyNEST or PyNN script that leaves a dictionary `populations`")
    kind: Literal["pynest", "pynn"] = Field("pynest", description="what `script` is written in")
    args: list[Argument] = Field(
        default_factory=list, description="the script's command line, such as [--scale, 0.1]; it finds it in sys.argv"
    )
    resolution: PositiveTicks = Field(100_000, validate_default=False, description="time step of the simulator")
    step: PositiveTicks | None = Field(None, description="exchange step; the experiment's by default")
    processes: Whole = Field(1, ge=1, le=65536, description="how many processes hold the brain; more than 1 needs MPI")
    threads: Whole = Field(1, ge=1, le=1024, description="cores that each process uses")
    virtual_processes: Whole | None = Field(
        None, ge=1, description="processes times threads by default; fix it to compare layouts"
    )
    python: str | None = Field(None, description="another interpreter that has numpy, pyzmq, msgspec and NEST")
    launch: list[Word] = Field(
        default_factory=list,
        description="command put before the interpreter, such as [srun, -n, 4]; mpirun for several processes",
    )
    address: str | None = Field(
        None, description="where a worker on another machine reaches this one; the link is then encrypted tcp"
    )
    settings: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="settings of the engine, such as {precision: double} for compact"
    )
    patience: PositiveTicks = Field(
        60_000_000_000,
        validate_default=False,
        description="real time after which a step counts as hung, unless 20 times the slowest so far is longer",
    )

    @model_validator(mode="after")
    def _one_source(self) -> BrainPart:
        if (self.network is None) == (self.script is None):
            raise ValueError("give either `network` or `script`")
        if self.script is None and "kind" in self.model_fields_set:
            raise Misplaced("`kind` says what a `script` is written in; a network has none", "kind")
        if self.args and self.script is None:
            raise Misplaced("`args` are for a `script`; a network takes none", "args")
        together = self.processes * self.threads
        if self.virtual_processes is not None and self.virtual_processes % together:
            what = f"virtual_processes must be a multiple of processes times threads ({together})"
            raise Misplaced(what, "virtual_processes")
        return self

    @property
    def all_virtual_processes(self) -> int:
        """The number of virtual processes."""
        return self.virtual_processes or self.processes * self.threads


class BodyPart(_Part):
    """`body:` what is simulated and how."""

    engine: Literal["mujoco", "opensim"] = Field("mujoco", description="the simulator")
    model: Annotated[dict[str, Any] | str, AfterValidator(_source_inside)] = Field(
        description="{library: NAME, ...} or a file: body.yaml, MJCF, URDF, SDF, .osim"
    )
    step: PositiveTicks | None = Field(None, description="exchange step; the experiment's by default")
    settings: dict[str, Any] = Field(default_factory=dict, description="settings of the engine")


class RecordPart(_Part):
    """`record:` what the run folder keeps."""

    spikes: Literal["all", "none"] | list[str] = "all"
    signals: Literal["all", "none"] | list[str] = "all"
    body: bool = True


class EventPart(_Part):
    """One entry of `events:`; exactly one action."""

    at: Ticks
    set: dict[str, Any] | None = None
    silence: str | None = None
    cut: str | None = None
    clamp: dict[str, Any] | None = None
    wrench: dict[str, Any] | None = None
    reward: str | None = None
    message: str | None = None
    stop: str | None = None
    duration: PositiveTicks | None = Field(None, alias="for")

    @model_validator(mode="after")
    def _one_action(self) -> EventPart:
        actions = [name for name in ACTIONS if getattr(self, name) is not None]
        if len(actions) != 1:
            raise ValueError(
                f"an event needs exactly one of {', '.join(ACTIONS)}; found {', '.join(actions) or 'none'}"
            )
        if self.at < 0:
            raise Misplaced("at must not be before 0 ms", "at")
        if self.duration is not None and self.action in _MOMENTARY:
            raise Misplaced(f"a {self.action} happens at one moment and takes no `for`", "for")
        return self

    @property
    def action(self) -> str:
        """The name of the action."""
        return next(name for name in ACTIONS if getattr(self, name) is not None)


ACTIONS = ("set", "silence", "cut", "clamp", "wrench", "reward", "message", "stop")
#: Those that nothing undoes.
_MOMENTARY = ("message", "stop")


class Compare(_Part):
    """`compare:` a second run with other settings, and the signal whose difference stands in the summary."""

    set: dict[str, Any]
    signal: str
    axis: Whole | None = None
    #: Which way counts as positive.
    direction: Literal[1, -1] = 1
    after: Ticks = 0
    label: str = "difference"


class ExperimentPart(_Part):
    """The whole of `experiment.yaml`."""

    animat: Literal[1] = Field(description="version of this format")
    name: str = Field(min_length=1)
    description: str = ""
    seed: Whole = Field(1, ge=1, le=2**32 - 1)
    step: PositiveTicks = Field(20_000_000, validate_default=False)
    duration: PositiveTicks | None = None
    timeout: PositiveTicks | None = Field(None, description="wall-clock time after which the run is stopped")
    trial_patience: PositiveTicks = Field(
        10_000_000_000,
        validate_default=False,
        description="real time that a transfer function has for each call of the trial before a run",
    )
    brain: BrainPart | None = None
    brains: dict[str, BrainPart] = Field(default_factory=dict)
    body: BodyPart | None = None
    bodies: dict[str, BodyPart] = Field(default_factory=dict)
    transfer_functions: list[FileName] = Field(default_factory=list)
    on_error: Literal["put aside", "stop"] = Field(
        "put aside",
        description="what happens when a transfer function fails: it rests and the others go on, or the run fails",
    )
    record: RecordPart = Field(default_factory=RecordPart)
    parameters: dict[str, Any] = Field(default_factory=dict)
    variants: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    events: list[EventPart] = Field(default_factory=list)
    compare: Compare | None = None

    @model_validator(mode="after")
    def _consistent(self) -> ExperimentPart:
        if self.brain is not None and self.brains:
            raise ValueError("give either `brain` or `brains`")
        if self.body is not None and self.bodies:
            raise ValueError("give either `body` or `bodies`")
        if not (self.brain or self.brains or self.body or self.bodies):
            raise ValueError("an experiment needs a brain or a body")
        engines: dict[str, BrainPart | BodyPart] = {**self.all_brains, **self.all_bodies}
        if len(engines) != len(self.all_brains) + len(self.all_bodies):
            raise ValueError("brains and bodies must have different names")
        for name, part in engines.items():
            where = self._place(name)
            if "/" in name or not name:
                raise Misplaced(f"{name!r} cannot be a name: no slash, not empty", *where)
            period = part.step or self.step
            if period % self.step:
                what = f"the step of {name} ({format_time(period)}) must be a whole multiple of the experiment's"
                raise Misplaced(f"{what} ({format_time(self.step)})", *where, "step")
            if isinstance(part, BrainPart) and period % part.resolution:
                what = f"the step of {name} ({format_time(period)}) must be a whole multiple of its resolution"
                raise Misplaced(f"{what} ({format_time(part.resolution)})", *where, "resolution")
        if self.duration is not None and self.duration % self.step:
            what = f"duration ({format_time(self.duration)}) must be a whole multiple of step"
            raise Misplaced(f"{what} ({format_time(self.step)})", "duration")
        for name in self.variants:
            if name in type(self).model_fields:
                raise Misplaced(f"a variant cannot be called {name!r}, as an entry is", "variants", name)
        if self.compare is not None and self.duration is not None and self.compare.after >= self.duration:
            raise Misplaced(
                f"compare.after ({format_time(self.compare.after)}) leaves nothing to compare: the run ends at "
                f"{format_time(self.duration)}",
                *("compare", "after"),
            )
        for name, value in self.parameters.items():
            if not isinstance(value, str | int | float) or isinstance(value, bool):
                what = f"parameter {name!r} must be a number or a quantity as text, got {value!r}"
                raise Misplaced(what, "parameters", name)
            if not isinstance(value, str) and not abs(value) < 1e308:
                raise Misplaced(f"parameter {name!r} must be finite", "parameters", name)
        return self

    @property
    def all_brains(self) -> dict[str, BrainPart]:
        """Brains by name; a single `brain:` is called brain."""
        return {"brain": self.brain} if self.brain else dict(self.brains)

    @property
    def all_bodies(self) -> dict[str, BodyPart]:
        """Bodies by name; a single `body:` is called body."""
        return {"body": self.body} if self.body else dict(self.bodies)

    def _place(self, engine: str) -> tuple[str, ...]:
        """Return where the brain or the body of a name stands."""
        if engine in self.all_brains:
            return ("brain",) if self.brain else ("brains", engine)
        return ("body",) if self.body else ("bodies", engine)

    def parameter(self, name: str, unit: str) -> float:
        """Return a number of `parameters:` in `unit`; plain numbers are taken to be in it already."""
        value = self.parameters[name]
        return float(value) if isinstance(value, int | float) else quantity(value, unit)
