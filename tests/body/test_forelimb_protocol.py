"""The paper's protocol in both engines: the original's base activations, then three muscles, against a constant torque.

The limb rests at three limits before the three muscles rise and leaves them along an unstable course, which
magnifies what the limits yield: with soft ones in OpenSim (0.1 N m/degree over 5 mrad) 5 mrad become 31.
"""

import numpy as np
import pytest

from animat.body import load_body, make_body_engine

pytest.importorskip("opensim")

STEP = 20_000_000
BASE = {
    "Foot1": 0.5,
    "Foot2": 0.9,
    "Radius1": 0.2,
    "Radius2": 0.4,
    "Humerus1": 0.6,
    "Humerus2": 0.8,
    "Humerus3": 0.2,
    "Humerus4": 0.6,
}


def trajectory(engine_name: str, settings: dict[str, object]) -> tuple[np.ndarray, np.ndarray]:
    """Return joint angles (50, 6) in rad and the joystick's top (50, 3) in m."""
    engine = make_body_engine(engine_name, settings)
    info = engine.load(load_body({"library": "mouse-forelimb"}))
    controls = {port.name: port.offset for port in info.controls}
    sensors = {port.name: port.offset for port in info.sensors}
    joints = [sensors[f"angle/{joint}"] for joint in info.joints if joint != "tongue_joint"]
    top = sensors["position/joystick"]
    vector = info.rest()
    vector[controls["effort/joystick_world_joint"]] = -0.001
    for muscle, activation in BASE.items():
        vector[controls[f"activation/{muscle}"]] = activation
    angles, tops = [], []
    for step in range(50):
        if step >= 5:
            for muscle in ("Humerus3", "Foot2", "Humerus1"):
                vector[controls[f"activation/{muscle}"]] = 0.1 if step < 25 else 0.9
        reply = engine.advance(vector, (step + 1) * STEP)
        angles.append(reply.sensors[joints])
        tops.append(reply.sensors[top : top + 3])
    engine.close()
    return np.array(angles), np.array(tops)


def test_both_engines_push_the_joystick_alike() -> None:
    mujoco, top = trajectory("mujoco", {})
    opensim, _ = trajectory("opensim", {"tendon": "rigid"})
    assert np.abs(mujoco - opensim).max() < 0.005
    assert np.ptp(mujoco, axis=0).max() > 0.3
    assert top[-1, 1] < top[24, 1] - 0.003, "stronger muscles push the joystick forward, along -y"
