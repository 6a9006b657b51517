"""Twenty read-outs and three injections that change in every step."""

from animat import muscles, spike_sink, spike_source, transfer_function


@transfer_function(
    **{f"sink_{number}": spike_sink("cells", "leaky_integrator_alpha", delay="1.5 ms") for number in range(20)},
    **{f"source_{number}": spike_source("cells", "poisson", delay="1.5 ms") for number in range(3)},
    push=muscles("Humerus3", "Foot2", "Humerus1"),
)
def exchange(t, push, **ports):
    """Read all sinks, write all sources with a new value."""
    total = sum(ports[f"sink_{number}"].voltage for number in range(20))
    push.activation = min(1.0, abs(total) / 100.0)
    for number in range(3):
        ports[f"source_{number}"].rate = 1000.0 + 10.0 * number + 100.0 * t
