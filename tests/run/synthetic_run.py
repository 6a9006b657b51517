"""A made-up run that looks like the mouse pushing its joystick, for tests of what is made from runs."""

import numpy as np

from animat.body.protocol import BodyInfo, Scene, Shape
from animat.brain.protocol import SHARD_DTYPE, BrainInfo, PopulationInfo
from animat.run.format import Column
from animat.run.scene import write_scene
from animat.run.writer import RunWriter

STEP = 20_000_000
POPULATIONS = [
    ("M1_L1_ENGC", 220, 18.0), ("M1_L1_SBC", 190, 6.0), ("M1_L23_CC", 2100, 1.2), ("M1_L23_PV", 340, 9.0),
    ("M1_L23_SST", 280, 7.5), ("M1_L23_VIP", 260, 5.0), ("M1_L5A_CC", 900, 2.5), ("M1_L5A_CS", 700, 3.1),
    ("M1_L5A_PV", 310, 12.0), ("M1_L5B_PT", 820, 4.4), ("M1_L5B_SST", 240, 8.2), ("M1_L6_CT", 1500, 0.9),
    ("M1_L6_PV", 290, 10.0),
]  # fmt: skip
MUSCLES = ("Humerus1", "Humerus2", "Humerus3", "Humerus4", "Radius1", "Radius2", "Foot1", "Foot2")
JOINTS = ("humerus_pitch", "humerus_roll", "humerus_radius", "radius_foot", "joystick_x", "joystick_z")
LINKS = ("platform", "mouse", "humerus", "radius", "foot", "joystick")

BONE, FUR, METAL, RED = (0.9, 0.86, 0.76, 1.0), (0.55, 0.5, 0.47, 1.0), (0.5, 0.53, 0.58, 1.0), (0.75, 0.22, 0.2, 1.0)
SHAPES = (
    Shape(link=0, kind="plane", size=(0.08, 0.08), colour=(0.6, 0.62, 0.66, 1.0)),
    Shape(link=0, kind="box", size=(0.03, 0.045, 0.004), position=(-0.02, 0.045, 0.02), colour=METAL),
    Shape(
        link=1,
        kind="capsule",
        size=(0.017, 0.026),
        position=(0.0, 0.03, 0.0),
        quaternion=(0.7071, 0.7071, 0, 0),
        colour=FUR,
    ),
    Shape(link=1, kind="sphere", size=(0.011,), position=(0.0, -0.012, 0.008), colour=FUR),
    Shape(link=1, kind="sphere", size=(0.004,), position=(-0.009, -0.008, 0.018), colour=(0.8, 0.6, 0.58, 1.0)),
    Shape(link=1, kind="sphere", size=(0.004,), position=(0.009, -0.008, 0.018), colour=(0.8, 0.6, 0.58, 1.0)),
    Shape(link=2, kind="capsule", size=(0.0012, 0.005), position=(0.0, 0.0, -0.005), colour=BONE),
    Shape(link=2, kind="sphere", size=(0.0019,), colour=BONE),
    Shape(link=3, kind="capsule", size=(0.001, 0.006), position=(0.0, 0.0, -0.006), colour=BONE),
    Shape(link=3, kind="sphere", size=(0.0015,), colour=BONE),
    Shape(
        link=4, kind="box", size=(0.0016, 0.0026, 0.0009), position=(0.0, -0.0022, 0.0), colour=(0.85, 0.68, 0.65, 1.0)
    ),
    Shape(link=5, kind="cylinder", size=(0.0012, 0.013), position=(0.0, 0.0, -0.013), colour=METAL),
    Shape(link=5, kind="sphere", size=(0.003,), colour=RED),
)


def rotate_x(angle):
    return np.array([np.cos(angle / 2), np.sin(angle / 2), 0.0, 0.0])


def turn(quaternion, vector):
    w, axis = quaternion[0], quaternion[1:]
    return vector + 2 * np.cross(axis, np.cross(axis, vector) + w * np.asarray(vector))


def arm(shoulder, elbow, tilt):
    """Return poses (links, 7) and muscle paths (points, 3)."""
    poses = np.zeros((len(LINKS), 7))
    poses[:, 3] = 1
    poses[1, :3] = (0, 0, 0.045)
    poses[2, :3], poses[2, 3:] = (0.011, -0.006, 0.036), rotate_x(shoulder)
    poses[3, :3], poses[3, 3:] = poses[2, :3] + turn(poses[2, 3:], [0, 0, -0.01]), rotate_x(elbow)
    hand = poses[3, :3] + turn(poses[3, 3:], [0, 0, -0.012])
    poses[4, :3] = hand
    poses[5, :3], poses[5, 3:] = hand + np.array([0, -0.005, 0.002]), rotate_x(tilt)
    upper = [turn(poses[2, 3:], [side, 0.002, -0.008]) + poses[2, :3] for side in (-0.002, -0.001, 0.001, 0.002)]
    lower = [turn(poses[3, 3:], [side, 0.0015, -0.004]) + poses[3, :3] for side in (-0.001, 0.001)]
    wrist = [turn(poses[3, 3:], [side, 0.0, -0.011]) + poses[3, :3] for side in (-0.001, 0.001)]
    roots = [poses[1, :3] + [0.011 + 0.003 * k, 0.006 - 0.004 * k, 0.002] for k in (-1, 0, 1, 2)]
    middle = [turn(poses[2, 3:], [side, 0.002, -0.003]) + poses[2, :3] for side in (-0.001, 0.001)]
    paths = [p for root, end in zip(roots, upper, strict=True) for p in (root, (root + end) / 2 + [0, 0.002, 0], end)]
    paths += [p for start, end in zip(middle, lower, strict=True) for p in (start, poses[3, :3] + [0, 0.003, 0], end)]
    paths += [
        p for start, end in zip(lower, wrist, strict=True) for p in (start, (start + end) / 2 + [0, 0.001, 0], end)
    ]
    return poses, np.array(paths)


def body_info():
    scene = Scene(shapes=SHAPES, muscle_points=(3,) * len(MUSCLES), focus=(0.008, -0.01, 0.03, 0.024))
    return BodyInfo(
        engine="mujoco", version="4.0", timestep=100_000, controls=(), sensors=(), muscles=MUSCLES, joints=JOINTS,
        links=LINKS, scene=scene,
    )  # fmt: skip


def make_run(folder, steps=75, body=True, brain=True, error="", finish=True):
    """Write a synthetic run; `error` makes it a failed one."""
    rng = np.random.default_rng(1)
    writer = RunWriter(folder)
    infos = tuple(PopulationInfo(name, size, "iaf_cond_alpha") for name, size, _ in POPULATIONS)
    neurons = sum(size for _, size, _ in POPULATIONS)
    info = BrainInfo(
        engine="nest", version="3.10", populations=infos, neurons=neurons, synapses=2_345_678, min_delay_ms=1.5,
        max_delay_ms=5.0, build_s=9.0,
    )  # fmt: skip
    writer.manifest(
        {
            "format": 1, "name": "Mouse pushes a joystick", "seed": 1, "step_ns": STEP, "duration_ns": steps * STEP,
            "description": "A patch of motor cortex moves the forelimb through three muscles.",
            "inputs_sha256": {"experiment.yaml": "5f" * 32, "transfer.py": "a0" * 32}, "overrides": [],
            "brains": {"brain": {"engine": "nest", "version": "3.10", "neurons": neurons, "threads": 2}},
            "bodies": {"body": {"engine": "mujoco", "version": "4.0", "muscles": 8, "joints": 6}},
            "versions": {"python": "3.11", "animat": "0.1.0"}, "host": {"name": "desk", "cores": 2},
            "created": "2025-03-04T10:00:00+0100",
        }
    )  # fmt: skip
    columns = []
    if brain:
        writer.populations({"brain": infos})
        counts = writer.count_table("brain", info)
        columns += [
            Column("cortex_to_forelimb.injection.rate", "Hz"),
            Column("cortex_to_forelimb.readout.voltage", "mV"),
        ]
        columns += [Column(f"watch.{name}.voltage", "mV") for name, _, _ in POPULATIONS[:6]]
    if body:
        columns += [Column(f"activation/{m}") for m in MUSCLES] + [Column(f"force/{m}", "N") for m in MUSCLES]
        columns += [Column(f"length/{m}", "m") for m in MUSCLES] + [Column(f"angle/{j}", "rad") for j in JOINTS]
        columns += [Column("position/joystick", "m", (3,)), Column("wrench/joystick", "N, N m", (6,))]
        write_scene(folder, body_info())
        poses, paths = arm(0.3, -0.9, 0.0)
        table = writer.table("body", [Column("poses", "m", poses.shape), Column("paths", "m", paths.shape)])
    signals = writer.table("signals", columns)
    writer.event("state", 0, state="initialized", before="created")
    writer.event("state", 0, state="running", before="initialized")
    total = 0
    drive = 0.0
    for step in range(1, steps + 1):
        tick = step * STEP
        t = tick / 1e9
        on = 1.0 if t > 0.5 else 0.0
        drive += 0.15 * (on - drive)
        row = []
        if brain:
            gain = 1 + 2.2 * drive * np.array([1.6, 0.5, 0.2, 0.3] + [0.15] * (len(POPULATIONS) - 4))
            expected = np.array([size * rate * 0.02 for _, size, rate in POPULATIONS]) * gain
            expected *= 1 + 0.4 * np.sin(2 * np.pi * 4 * t)
            fired = rng.poisson(np.maximum(expected, 0))
            total += int(fired.sum())
            counts.append(tick, fired)
            with writer.shard().open("ab") as file:
                for code, (_, size, _) in enumerate(POPULATIONS):
                    part = np.zeros(fired[code], SHARD_DTYPE)
                    part["population"] = code
                    part["index"] = rng.integers(0, size, fired[code])
                    part["tick"] = tick - rng.integers(0, 200, fired[code]) * 100_000
                    file.write(part.tobytes())
            row += [50_000 * on, 0.4 + 1.3 * drive + 0.1 * rng.normal()]
            row += list(0.2 + 0.1 * rng.normal(size=6) + drive * np.linspace(1, 0.2, 6))
        if body:
            sway = 0.06 * np.sin(2 * np.pi * 1.3 * t)
            poses, paths = arm(0.35 + 0.35 * drive + sway, -0.9 + 0.5 * drive + sway, 0.2 * drive + sway)
            active = np.clip(
                np.where(np.isin(np.arange(8), (0, 2, 7)), 0.05 + 0.85 * drive, 0.05) + 0.02 * rng.normal(size=8), 0, 1
            )
            points = paths.reshape(8, 3, 3)
            length = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(axis=1)
            row += [*active, *(active * 0.8 * np.linspace(0.6, 1.4, 8)), *length]
            row += [0.35 * drive, sway, 0.5 * drive, -0.1 * drive, 0.2 * drive + sway, 0.02 * np.sin(9 * t)]
            row += [*poses[5, :3], 0, 0.01 * (0.7 < t < 0.75), 0, 0, 0, 0]
            table.append(tick, [*poses.ravel(), *paths.ravel()])
        signals.append(tick, row)
        kernel = rng.gamma(40, 0.001) * (1 + drive) + (0.5 if step == 1 else 0)
        parts = [0.004, kernel, 0.001, 0.002, 0.0008, 0.006 * rng.gamma(20, 0.05), 0.0006, 0.0004, 0.0001]
        writer.profile([step, tick, step == 1, *parts, sum(parts) - min(kernel, parts[5])])
        if step == 25:
            writer.event("event", tick, action="set", target="injection.rate", value=50000, undo=False)
        if step == 35:
            writer.event("event", tick, action="wrench", target="joystick", value=[0, 0.01, 0], undo=False)
            writer.event("message", tick, text="The joystick is pushed.")
    state = "failed" if error else "completed"
    writer.event("state", steps * STEP, state=state, before="running")
    writer.summary(
        {
            "name": "Mouse pushes a joystick", "state": state, "reason": "", "error": error, "steps": steps,
            "simulated_ms": steps * 20.0, "wall_s": 12.3, "real_time_factor": 0.31, "neurons": neurons if brain else 0,
            "synapses": 2_345_678 if brain else 0, "spikes": total, "rates_hz": {},
            "peak_memory_mb": {"simulation": 310.0, "brain": 1240.0} if brain else {"simulation": 310.0},
        }
    )  # fmt: skip
    if finish:
        writer.finish()
    else:
        writer.close()
    return folder
