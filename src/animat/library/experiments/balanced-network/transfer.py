"""From the brain to the run's record: one leaky integrator."""

from animat import spike_sink, transfer_function


@transfer_function(cell=spike_sink("E[1]", "leaky_integrator_alpha"))
def all_neurons_spike_monitor(t, cell):
    """Read the second excitatory neuron, as published; its voltage (mV) is recorded as a signal."""
