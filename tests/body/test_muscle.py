"""The muscle against OpenSim's, and its activation dynamics."""

from __future__ import annotations

import numpy as np
import pytest

from animat.body.curves import active_force_length, force_velocity, passive_force_length
from animat.body.model import Muscle
from animat.body.muscle import RigidTendonMuscles


def muscle(pennation: float = 0.0) -> Muscle:
    return Muscle(
        name="m",
        path=(),
        max_isometric_force=1.4,
        optimal_fibre_length=0.01,
        tendon_slack_length=0.001,
        pennation=pennation,
    )


@pytest.fixture(scope="module")
def osim():
    osim = pytest.importorskip("opensim")
    osim.Logger.setLevelString("off")
    return osim


def test_curves_equal_opensims(osim) -> None:
    reference = osim.Millard2012EquilibriumMuscle()
    reference.finalizeFromProperties()
    lengths, speeds = np.linspace(0.2, 3.0, 3001), np.linspace(-1.5, 1.5, 3001)
    for theirs, ours, x in (
        (reference.getActiveForceLengthCurve(), active_force_length(), lengths),
        (reference.getFiberForceLengthCurve(), passive_force_length(), lengths),
        (reference.getForceVelocityCurve(), force_velocity(), speeds),
    ):
        theirs.ensureCurveUpToDate()
        assert np.abs(np.array([theirs.calcValue(value) for value in x]) - ours(x)).max() < 1e-6


def slider(osim, pennation: float):
    """An OpenSim model: one rigid-tendon muscle of length 20 mm + x along a slider x."""
    model = osim.Model()
    block = osim.Body("block", 1e-3, osim.Vec3(0), osim.Inertia(1e-6, 1e-6, 1e-6))
    model.addBody(block)
    joint = osim.SliderJoint("j", model.getGround(), osim.Vec3(0), osim.Vec3(0), block, osim.Vec3(0), osim.Vec3(0))
    model.addJoint(joint)
    reference = osim.Millard2012EquilibriumMuscle("m", 1.4, 0.01, 0.001, pennation)
    reference.addNewPathPoint("a", model.getGround(), osim.Vec3(-0.02, 0, 0))
    reference.addNewPathPoint("b", block, osim.Vec3(0))
    reference.set_ignore_tendon_compliance(True)
    model.addForce(reference)
    return model, joint.getCoordinate(), reference, model.initSystem()


@pytest.mark.parametrize("pennation", [0.0, 0.3])
def test_force_equals_opensims_rigid_tendon(osim, pennation: float) -> None:
    model, coordinate, reference, state = slider(osim, pennation)
    ours = RigidTendonMuscles([muscle(pennation)])
    for length in np.linspace(0.004, 0.024, 21):
        for speed in np.linspace(-0.15, 0.15, 13):
            for activation in (0.01, 0.5, 1.0):
                coordinate.setValue(state, length - 0.02)
                coordinate.setSpeedValue(state, speed)
                reference.setActivation(state, activation)
                model.realizeDynamics(state)
                force = ours.force(np.array([activation]), np.array([length]), np.array([speed]))
                assert force[0] == pytest.approx(reference.getActuation(state), abs=1.4e-6)


def test_activation_follows_opensims_equation(osim) -> None:
    model, _, reference, state = slider(osim, 0.0)
    ours = RigidTendonMuscles([muscle()])
    for activation in (0.01, 0.2, 0.7, 1.0):
        for excitation in (0.01, 0.3, 0.9):
            reference.setActivation(state, activation)
            model.setControls(state, osim.Vector(1, excitation))
            model.realizeAcceleration(state)
            expected = reference.getStateVariableDerivativeValue(state, "activation")
            after = ours.activate(np.array([activation]), np.array([excitation]), 1e-7)
            assert (after[0] - activation) / 1e-7 == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_activation_settles_within_bounds() -> None:
    ours = RigidTendonMuscles([muscle()])
    activation = np.array([0.01])
    for _ in range(200):
        activation = ours.activate(activation, np.array([7.0]), 0.001)
    assert activation[0] == pytest.approx(1.0, abs=1e-4)
    for _ in range(1000):
        activation = ours.activate(activation, np.array([-1.0]), 0.001)
    assert activation[0] == pytest.approx(0.01, abs=1e-4)


def test_many_muscles_at_once_equal_each_alone() -> None:
    both = RigidTendonMuscles([muscle(), muscle(0.3)])
    activation, length, speed = np.array([0.4, 0.9]), np.array([0.011, 0.0095]), np.array([0.01, -0.02])
    together = both.force(activation, length, speed)
    for place, alone in enumerate((RigidTendonMuscles([muscle()]), RigidTendonMuscles([muscle(0.3)]))):
        part = slice(place, place + 1)
        assert alone.force(activation[part], length[part], speed[part])[0] == together[place]
