"""What every body engine must do, as a check that an engine's author can run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from animat.body.model import BodyModel
from animat.body.protocol import BodyEngine, BodyInfo, BodyReply, Port
from animat.errors import AnimatError

__all__ = ["check_body_engine"]

Array = NDArray[np.float64]

_WINDOWS = 6


def check_body_engine(make_engine: Callable[[], BodyEngine], model: BodyModel, step: int = 20_000_000) -> BodyInfo:
    """Run a model through an engine and check all that `BodyEngine` promises; return what the engine says of the model.

    Parameters
    ----------
    make_engine
        Returns a new engine without a model.
    model
        A body that the engine can run; better with muscles.
    step
        The exchange step in ticks, a multiple of the engine's time step.

    Raises
    ------
    AssertionError
        For the first promise that is broken, in words.
    """
    engine, other = make_engine(), make_engine()
    try:
        info = engine.load(model)
        other.load(model)
        _check_info(info, step)
        _check_motion(engine, other, info, step)
        _check_state(engine, other, info, step)
        _check_refusals(engine, info, step)
        _check_clamp(engine, info, step)
    finally:
        for one in (engine, other):
            one.close()
            one.close()
    return info


def _check_info(info: BodyInfo, step: int) -> None:
    assert info.timestep > 0, "the time step must be at least a tick"
    assert step % info.timestep == 0, f"the step {step} is no multiple of the engine's {info.timestep}"
    for kind, ports in (("control", info.controls), ("sensor", info.sensors)):
        names = [port.name for port in ports]
        assert len(set(names)) == len(names), f"{kind} names must differ"
        assert all("/" in name for name in names), f"{kind} names are quantity/part"
        offset = 0
        for port in ports:
            assert port.offset == offset, f"{kind} {port.name} lies at {port.offset}, expected {offset}"
            offset += port.size
    controls, sensors = {port.name for port in info.controls}, {port.name for port in info.sensors}
    for muscle in info.muscles:
        assert {f"activation/{muscle}", f"clamp/{muscle}"} <= controls, f"muscle {muscle} lacks a control"
        wanted = {f"{quantity}/{muscle}" for quantity in ("length", "speed", "force", "activation")}
        assert wanted <= sensors, f"muscle {muscle} lacks a sensor"
    for joint in info.joints:
        assert {f"angle/{joint}", f"velocity/{joint}"} <= sensors, f"joint {joint} lacks a sensor"
        assert f"effort/{joint}" in controls, f"joint {joint} lacks its effort"
    assert len(set(info.links)) == len(info.links), "link names must differ"
    assert all(0 <= shape.link < len(info.links) for shape in info.scene.shapes), "a shape is on no link"
    assert len(info.scene.muscle_points) in (0, len(info.muscles)), "muscle_points has one number per muscle"


def _check_motion(engine: BodyEngine, other: BodyEngine, info: BodyInfo, step: int) -> None:
    first = engine.read()
    assert first.time == 0, "a loaded body is at time 0"
    _check_reply(first, info)
    assert set(first.images) == {port.name for port in info.images}, "read() gives every picture"
    taken = dict.fromkeys((port.name for port in info.images), 0)
    for window in range(1, _WINDOWS + 1):
        controls = _controls(info, window)
        reply, same = engine.advance(controls, window * step), other.advance(controls, window * step)
        assert reply.time == window * step, f"asked for {window * step}, arrived at {reply.time}"
        _check_reply(reply, info)
        _same(reply, same, "two engines with the same model and controls differ")
        again = engine.read()
        again.images = reply.images
        _same(reply, again, "read() differs from the last reply")
        for name in reply.images:
            taken[name] += 1
    for port in info.images:
        due = _WINDOWS * step // port.period
        expected = min(due, _WINDOWS)
        assert taken[port.name] == expected, f"{port.name} came {taken[port.name]} times, expected {expected}"
    engine.reset()
    _same(first, engine.read(), "reset() does not return to the state after load")


def _check_state(engine: BodyEngine, other: BodyEngine, info: BodyInfo, step: int) -> None:
    engine.reset()
    half = _WINDOWS // 2
    for window in range(1, half + 1):
        engine.advance(_controls(info, window), window * step)
    state, present = engine.save(), engine.read()
    assert isinstance(state, bytes), "save() returns bytes"
    rest = [engine.advance(_controls(info, window), window * step) for window in range(half + 1, _WINDOWS + 1)]
    for one, which in ((engine, "the same"), (other, "another")):
        one.restore(state)
        _same(present, one.read(), f"a state restored in {which} engine reads differently")
        for window, reply in enumerate(rest, start=half + 1):
            found = one.advance(_controls(info, window), window * step)
            _same(reply, found, f"a state restored in {which} engine continues differently")


def _check_refusals(engine: BodyEngine, info: BodyInfo, step: int) -> None:
    engine.reset()
    before = engine.save()
    for port in info.controls:
        if port.name.startswith("clamp/"):
            continue
        for value in (np.nan, np.inf):
            controls = info.rest()
            controls[port.offset] = value
            _refused(engine, controls, step, port)
    engine.restore(before)
    reply = engine.advance(info.rest(), step)
    assert np.isfinite(reply.sensors).all(), "after a refusal the engine must go on"


def _refused(engine: BodyEngine, controls: Array, until: int, port: Port) -> None:
    try:
        engine.advance(controls, until)
    except AnimatError as error:
        assert port.name in str(error), f"the error must name the control {port.name}: {error}"
        return
    raise AssertionError(f"{controls[port.offset]} on {port.name} must be refused")


def _check_clamp(engine: BodyEngine, info: BodyInfo, step: int) -> None:
    """A clamped muscle acts as if it were told so, whatever its control says."""
    if not info.muscles:
        return
    muscle = info.muscles[0]
    places = {port.name: port.offset for port in info.controls}
    sensed = {port.name: port.offset for port in info.sensors}
    controls = info.rest()
    controls[places[f"clamp/{muscle}"]] = 0.75
    engine.reset()
    reply = engine.advance(controls, step)
    found = reply.sensors[sensed[f"activation/{muscle}"]]
    assert abs(found - 0.75) < 1e-9, f"{muscle} clamped to 0.75 has the activation {found}"
    controls[places[f"activation/{muscle}"]] = 0.2
    engine.reset()
    _same(reply, engine.advance(controls, step), f"{muscle} is clamped, yet follows its control")


def _controls(info: BodyInfo, window: int) -> Array:
    """Return the rest vector with muscles and efforts of a made-up, repeatable pattern."""
    controls = info.rest()
    for number, port in enumerate(info.controls):
        wave = 0.5 + 0.5 * np.sin(1.0 + number + 0.7 * window)
        if port.name.startswith("activation/"):
            controls[port.offset] = 0.3 * wave
        elif port.name.startswith("effort/"):
            controls[port.offset] = 1e-5 * wave
    return controls


def _check_reply(reply: BodyReply, info: BodyInfo) -> None:
    size = sum(port.size for port in info.sensors)
    assert reply.sensors.shape == (size,), f"sensors have shape {reply.sensors.shape}, expected ({size},)"
    assert np.isfinite(reply.sensors).all(), "a sensor is not finite"
    assert reply.poses.shape == (len(info.links), 7), f"poses have shape {reply.poses.shape}"
    lengths = np.linalg.norm(reply.poses[:, 3:], axis=1)
    assert np.allclose(lengths, 1.0, atol=1e-6), "a pose's quaternion has not the length 1"
    points = sum(info.scene.muscle_points) + sum(cord.points for cord in info.scene.cords)
    assert reply.paths.shape == (points, 3), f"paths have shape {reply.paths.shape}, expected ({points}, 3)"
    shapes = {port.name: port.shape for port in info.images}
    for name, image in reply.images.items():
        assert image.shape == shapes[name], f"{name} has the shape {image.shape}, expected {shapes[name]}"
        assert image.dtype == np.uint8, f"{name} is {image.dtype}, expected uint8"


def _same(first: BodyReply, second: BodyReply, what: str) -> None:
    assert first.time == second.time, f"{what}: times {first.time} and {second.time}"
    for name in ("sensors", "poses", "paths"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), f"{what}: {name}"
    assert set(first.images) == set(second.images), f"{what}: other images"
    for name, image in first.images.items():
        assert np.array_equal(image, second.images[name]), f"{what}: {name}"
