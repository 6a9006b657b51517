"""The same body in MuJoCo and OpenSim: one protocol, two independent implementations."""

import numpy as np
import pytest

from animat.body import load_body, make_body_engine

pytest.importorskip("opensim")

STEP = 20_000_000
TIP = np.array([0.0114080527, -0.0802405186, 0.00886618191])


@pytest.fixture(scope="module")
def engines():
    model = load_body({"library": "mouse-forelimb"})
    made = [make_body_engine("mujoco", {}), make_body_engine("opensim", {"tendon": "rigid"})]
    yield [(engine, engine.load(model)) for engine in made]
    for engine in made:
        engine.close()


def run(engine, info, windows, schedule, sensors):
    """Return the named sensors, shape (windows, numbers)."""
    controls = {port.name: port for port in info.controls}
    sensed = {port.name: port for port in info.sensors}
    engine.reset()
    rows = []
    for window in range(windows):
        vector = info.rest()
        for name, value in schedule(window).items():
            port = controls[name]
            vector[port.offset : port.offset + port.size] = value
        reply = engine.advance(vector, (window + 1) * STEP)
        rows.append(
            np.concatenate([reply.sensors[sensed[n].offset : sensed[n].offset + sensed[n].size] for n in sensors])
        )
    return np.array(rows)


def joystick_protocol(window):
    """Base activation, then three muscles a little, from 0.5 s on strongly, against a constant torque."""
    told = {f"activation/{name}": 0.05 for name in ("Foot1", "Radius1", "Radius2", "Humerus2", "Humerus4")}
    strong = 0.05 if window < 5 else 0.1 if window < 25 else 0.9
    told |= {f"activation/{name}": strong for name in ("Humerus3", "Foot2", "Humerus1")}
    return told | {"effort/joystick_world_joint": -0.001}


def arm_angles(info):
    return [f"angle/{joint}" for joint in info.joints if joint != "tongue_joint"]


def test_trajectories_of_the_forelimb_agree_within_1_mrad(engines):
    names = arm_angles(engines[0][1])
    mujoco, opensim = (run(engine, info, 75, joystick_protocol, names) for engine, info in engines)
    assert np.abs(mujoco - opensim).max() < 0.001
    assert np.ptp(mujoco, axis=0).max() > 0.2


def test_trajectories_agree_within_5_mrad_where_opensims_limits_are_soft(engines):
    soft = {"limit_stiffness": "0.1 N m/degree", "limit_damping": "5e-4 N m s/degree", "limit_transition": "5 mrad"}
    yielding = make_body_engine("opensim", {"tendon": "rigid", **soft})
    info = yielding.load(load_body({"library": "mouse-forelimb"}))
    names = arm_angles(info)
    opensim = run(yielding, info, 75, joystick_protocol, names)
    yielding.close()
    assert np.abs(run(*engines[0], 75, joystick_protocol, names) - opensim).max() < 0.005


def test_muscle_lengths_and_forces_agree(engines):
    muscles = engines[0][1].muscles
    lengths = [f"length/{name}" for name in muscles]
    forces = [f"force/{name}" for name in muscles]
    for names, tolerance in ((lengths, 2e-5), (forces, 0.03)):
        mujoco, opensim = (run(engine, info, 75, joystick_protocol, names) for engine, info in engines)
        assert np.abs(mujoco - opensim).max() < tolerance


def test_a_wrench_moves_both_alike(engines):
    told = {"wrench/joystick": [0.05, -0.1, 0.02, 1e-4, -2e-4, 1e-4]}
    mujoco, opensim = (run(engine, info, 10, lambda _: told, ["position/joystick"]) for engine, info in engines)
    assert np.linalg.norm(mujoco[-1] - TIP) > 1e-3
    assert np.abs(mujoco - opensim).max() < 5e-5


def test_the_joystick_presses_on_the_paw_alike(engines):
    """While no joint runs into its limits: where the force changes, MuJoCo's mean over the step is another number."""
    for told in ({"wrench/joystick": [0, 0.1, 0, 0, 0, 0]}, {"magnet/joystick": 0.5}, {"activation/Humerus2": 0.1}):
        ports = ["closure/foot_joystick"]
        mujoco, opensim = (run(engine, info, 23, lambda _, told=told: told, ports)[-1] for engine, info in engines)
        assert np.linalg.norm(mujoco) > 0.003
        assert np.abs(mujoco - opensim).max() < 0.02 * np.linalg.norm(mujoco)


def test_the_magnet_pulls_both_alike_and_back(engines):
    told = {"magnet/joystick": 0.5}
    mujoco, opensim = (run(engine, info, 25, lambda _: told, ["position/joystick"]) for engine, info in engines)
    assert mujoco[-1, 1] > TIP[1] + 1e-4
    assert np.abs(mujoco - opensim).max() < 5e-5
