"""From the cortex to the forelimb: 19 read-outs, 3 injections, 8 muscles."""

from animat import joint_effort, muscles, parameter, spike_sink, spike_source, transfer_function

POPULATIONS = [
    *("L1_ENGC", "L1_SBC", "L23_CC", "L23_PV", "L23_SST", "L23_VIP", "L5A_CC", "L5A_CS", "L5A_CT", "L5A_PV"),
    *("L5A_SST", "L5B_CC", "L5B_CS", "L5B_PT", "L5B_PV", "L5B_SST", "L6_CT", "L6_PV", "L6_SST"),
]


def readout(population):
    """Read a whole population; a patch of cortex reads what the full sheet would."""
    return spike_sink(f"M1_{population}", "leaky_integrator_alpha", delay="1.5 ms", as_full_sheet=True)


def injection(population):
    """Stimulate a whole population with Poisson trains."""
    return spike_source(f"M1_{population}", "poisson", weight="0.15 nS", delay="1.5 ms")


@transfer_function(
    priority=2,
    arm=muscles("Foot1", "Foot2", "Radius1", "Radius2", "Humerus1", "Humerus2", "Humerus3", "Humerus4"),
    stick=joint_effort("joystick_world_joint"),
    effort=parameter("joystick_effort", "N m"),
)
def base(t, arm, stick, effort):
    """Hold a base activation for the first 0.1 s, and the joystick's torque all the time."""
    stick.value = effort
    if t < 0.1:
        arm.activation = [0.5, 0.9, 0.2, 0.4, 0.6, 0.8, 0.2, 0.6]


@transfer_function(
    priority=1,
    cells=readout("L1_ENGC"),
    push=muscles("Humerus3", "Foot2", "Humerus1", override=True),
    wrist=muscles("Foot1", override=True),
    gain=parameter("activation_gain"),
    floor=parameter("activation_floor"),
)
def cortex_to_forelimb(t, cells, push, wrist, gain, floor):
    """Layer-1 neurogliaform cells drive three muscles once the base phase is over."""
    if t >= 0.1:
        push.activation = max(floor, min(1.0, gain * cells.voltage))
        wrist.activation = 0.2


@transfer_function(
    engc=injection("L1_ENGC"),
    l23=injection("L23_CC"),
    l5a=injection("L5A_CC"),
    rate=parameter("stimulus_rate", "Hz"),
)
def stimulus(t, engc, l23, l5a, rate):
    """Excite the neurogliaform cells from 0.5 s on; the other two sources stay silent, as published."""
    engc.rate = rate if t >= 0.5 else 0.0
    l23.rate = 0.0
    l5a.rate = 0.0


@transfer_function(**{name.lower(): readout(name) for name in POPULATIONS if name != "L1_ENGC"})
def monitor(t, **readouts):
    """Read the other 18 populations; their voltages are recorded as signals."""
