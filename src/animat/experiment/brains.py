"""Ask the engines of an experiment's brains what they cannot do, before anything is built; and build one to look at."""

from __future__ import annotations

from contextlib import closing

import msgspec

from animat.brain.engines import check_settings, engine_kind
from animat.brain.install import nest_mpi
from animat.brain.network import Constant, Fault, Network
from animat.brain.protocol import BrainInfo, Progress
from animat.brain.remote import BrainLink
from animat.errors import AnimatError
from animat.experiment.events import neuron_value
from animat.experiment.parts import Parts, brain_settings, network_spec, section
from animat.experiment.schema import EventPart
from animat.library import network_error, network_file
from animat.transfer.declare import parse_neurons

__all__ = ["build_brain", "check_brain", "check_brain_settings", "check_network_on"]


def build_brain(parts: Parts, name: str, progress: Progress) -> BrainInfo:
    """Build the named brain in a worker, without simulating, and return what it holds."""
    with closing(_checking_link(parts, name)) as link:
        return link.load(parts.brains[name], brain_settings(parts.experiment, name, [], None), progress)


def check_brain_settings(parts: Parts, name: str) -> None:
    """Refuse what the named brain's engine cannot be asked for, as far as that is known without starting it.

    Raises
    ------
    AnimatError
        With the line of the network's file, or of the experiment that names the brain.
    """
    experiment, brain = parts.experiment, parts.brains[name]
    engine = experiment.part.all_brains[name].engine
    try:
        check_settings(engine, brain_settings(experiment, name, [], None), script=not isinstance(brain, Network))
        if isinstance(brain, Network):
            for fault in engine_kind(engine).faults(brain):
                raise _network_error(parts, name, fault)
    except AnimatError as error:
        raise error.at(experiment.file, section(experiment, "brains", name)) from None


def check_brain(parts: Parts, name: str) -> None:
    """Ask the named brain's engine whether it could build the network; nothing is built. Scripts pass.

    Raises
    ------
    AnimatError
        With the line of the network's file, or of the experiment that names the brain.
    """
    brain, experiment = parts.brains[name], parts.experiment
    part = experiment.part.all_brains[name]
    try:
        if part.processes > 1 and part.python is None:
            nest_mpi()
        if isinstance(brain, Network):
            with closing(_checking_link(parts, name)) as link:
                check_network_on(link, parts, name)
    except AnimatError as error:
        raise error.at(experiment.file, section(experiment, "brains", name)) from None


def check_network_on(link: BrainLink, parts: Parts, name: str) -> None:
    """Ask a brain's worker whether it could build the network and set what events set; scripts pass.

    Raises
    ------
    AnimatError
        With the line of the network's file, or of the experiment that names the brain.
    """
    brain, experiment = parts.brains[name], parts.experiment
    if not isinstance(brain, Network):
        return
    for fault in link.check(brain):
        raise _network_error(parts, name, fault).at(experiment.file, section(experiment, "brains", name))
    for place, event in enumerate(experiment.part.events):
        changed = _with_event(brain, name, event)
        for _, what in link.check(changed) if changed is not None else ():
            raise AnimatError(f"events: {what}", file=experiment.file, line=experiment.line("events", place))


def _with_event(network: Network, brain: str, event: EventPart) -> Network | None:
    """Return the network whose neurons have what an event sets from the start; None if it sets none of them."""
    if event.set is None or "neurons" not in event.set:
        return None
    values = {key: Constant(neuron_value(key, value)) for key, value in event.set.items() if key != "neurons"}
    named, selection = parse_neurons(event.set["neurons"])
    if named not in (None, brain):
        return None
    return msgspec.structs.replace(
        network,
        populations=tuple(
            msgspec.structs.replace(population, initial={**population.initial, **values})
            if population.name == selection.population
            else population
            for population in network.populations
        ),
    )


def _network_error(parts: Parts, name: str, fault: Fault) -> AnimatError:
    """Return the error for what is wrong with a network, placed in the user's file; what ships has no place."""
    spec = network_spec(parts.experiment.part.all_brains[name])
    if "library" in spec:
        return AnimatError(fault[1])
    return network_error(fault, network_file(spec, parts.experiment.folder))


def _checking_link(parts: Parts, name: str) -> BrainLink:
    part = parts.experiment.part.all_brains[name]
    title = f"{parts.experiment.part.name} (checking)"
    return BrainLink(
        part.engine,
        processes=part.processes,
        python=part.python,
        launch=part.launch,
        address=part.address,
        title=title,
    )
