"""Twenty read-outs and three injections that change in every step, on populations taken in turn."""

from animat import muscles, spike_sink, spike_source, transfer_function

POPULATIONS = ["cells"]


def population(number):
    """Return the population of a device."""
    return POPULATIONS[number % len(POPULATIONS)]


@transfer_function(
    **{f"sink_{n}": spike_sink(population(n), "leaky_integrator_alpha", delay="1.5 ms") for n in range(20)},
    **{f"source_{n}": spike_source(population(n), "poisson", delay="1.5 ms") for n in range(3)},
    push=muscles("Humerus3", "Foot2", "Humerus1"),
)
def exchange(t, push, **ports):
    """Read all sinks, write all sources with a new value."""
    total = sum(ports[f"sink_{n}"].voltage for n in range(20))
    push.activation = min(1.0, abs(total) / 100.0)
    for n in range(3):
        ports[f"source_{n}"].rate = 1000.0 + 10.0 * n + 100.0 * t
