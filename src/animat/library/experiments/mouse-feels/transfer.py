"""From the limb to the thalamus, and from the cortex to the limb.

Thalamus, S1 and M1 share one map: along x, each muscle has a tenth of it and the paw's skin has the last two.
"""

import numpy as np

from animat import (
    muscle_feedback,
    muscles,
    parameter,
    sensor,
    spike_sink,
    spike_source,
    transfer_function,
    variable,
    wrench,
)
from animat.body import load_body
from animat.body.afferents import Afferents, touch_rate

MUSCLES = ("Foot1", "Foot2", "Radius1", "Radius2", "Humerus1", "Humerus2", "Humerus3", "Humerus4")
AFFERENTS = Afferents.of(load_body({"library": "mouse-forelimb"}), *MUSCLES)

#: Hz; what a muscle's three afferents fire together at the reference pose, relaxed: 50 + 80 + 0.
AT_REST = 130.0

#: s; relay cells adapt: what lasts longer is not passed on.
ADAPTATION = 0.5
STEP = 0.005


def part(population, first, last):
    """Name a part of a population along x, in tenths."""
    return f"{population}[{10 * first}%:{10 * last}%]"


def relay(first, last):
    """Drive relay cells as their background does, whose place this takes."""
    return spike_source(part("TH_S1_EZ_TC", first, last), "poisson", weight="50 nS", delay="1.5 ms")


def change(rates, adapted):
    """Return by how much rates differ from what relay cells have adapted to, and let them adapt further."""
    found = rates - adapted.value
    adapted.value = adapted.value + found * STEP / ADAPTATION
    return found


@transfer_function(
    every="5 ms",
    limb=muscle_feedback(*MUSCLES),
    activation=sensor(*(f"activation/{name}" for name in MUSCLES)),
    tonic=parameter("tonic_rate", "Hz"),
    gain=parameter("muscle_gain"),
    adapted=variable(np.full(len(MUSCLES), AT_REST)),
    **{name.lower(): relay(place, place + 1) for place, name in enumerate(MUSCLES)},
)
def proprioception(t, limb, activation, tonic, gain, adapted, **relays):
    """Spindles and tendon organs drive the relay cells of their muscle; at rest they fire as the background does."""
    rates = np.sum(AFFERENTS.rates(limb.length, limb.speed, limb.force, activation.value), axis=0)
    for name, rate in zip(MUSCLES, tonic + gain * change(rates, adapted), strict=True):
        relays[name.lower()].rate = max(0.0, rate)


@transfer_function(
    every="5 ms",
    stick=sensor("closure/foot_joystick"),
    paw=relay(8, 10),
    tonic=parameter("tonic_rate", "Hz"),
    gain=parameter("touch_gain"),
    adapted=variable(0.0),
)
def touch(t, stick, paw, tonic, gain, adapted):
    """The joystick's force on the paw drives the relay cells of its skin."""
    rate = float(touch_rate(np.linalg.norm(stick.value)))
    paw.rate = max(0.0, tonic + gain * change(rate, adapted))


@transfer_function(
    arm=muscles(*MUSCLES),
    tone=parameter("tone"),
    gain=parameter("motor_gain"),
    rest=parameter("rest_rate", "Hz"),
    **{
        name.lower(): spike_sink(part("M1_L5B_PT", place, place + 1), "population_rate", reduce="mean")
        for place, name in enumerate(MUSCLES)
    },
)
def motor(t, arm, tone, gain, rest, **cortex):
    """Pyramidal-tract neurons activate the muscle of their place: as its tone when they fire as at rest."""
    rates = np.array([cortex[name.lower()].rate for name in MUSCLES])
    arm.activation = np.clip(tone * (1 + gain * (rates / rest - 1)), 0.0, 1.0)


@transfer_function(
    stick=wrench("joystick"),
    force=parameter("push_force", "N"),
    start=parameter("push_start", "s"),
    length=parameter("push_length", "s"),
)
def push(t, stick, force, start, length):
    """Push the joystick back for a while."""
    pushing = start <= t + 1e-6 < start + length
    stick.value = [0, force * pushing, 0, 0, 0, 0]
