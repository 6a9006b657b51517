"""From the eye to the brain, and from the brain to the wheels."""

import numpy as np

from animat import control, image, spike_sink, spike_source, transfer_function


@transfer_function(
    eye=image("eye"),
    left=spike_source("red_left", "poisson", weight="20 nS"),
    right=spike_source("red_right", "poisson", weight="20 nS"),
    nothing=spike_source("no_red", "poisson", weight="20 nS"),
)
def eye_to_brain(t, eye, left, right, nothing):
    """The red part of each half of the picture excites the neurons of that side."""
    red, green, blue = np.moveaxis(eye.value.astype(float), -1, 0)
    is_red = (red > 100) & (red > 2 * green) & (red > 2 * blue)
    halves = np.array_split(is_red, 2, axis=1)
    left.rate, right.rate = (min(3000.0, 20_000.0 * half.mean()) for half in halves)
    nothing.rate = 0.0 if is_red.any() else 1500.0


@transfer_function(
    left=spike_sink("left_wheel", "leaky_integrator_alpha", tau_m="100 ms", weight="50 pA"),
    right=spike_sink("right_wheel", "leaky_integrator_alpha", tau_m="100 ms", weight="50 pA"),
    drive=control("twist/drive"),
)
def brain_to_wheels(t, left, right, drive):
    """What both wheel neurons share moves the robot forward, their difference turns it."""
    forward = 0.16 * min(left.voltage, right.voltage)
    turn = 0.4 * (right.voltage - left.voltage)
    drive.value = [min(0.5, forward), max(-1.0, min(1.0, turn))]
