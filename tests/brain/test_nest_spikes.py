"""One recorder for all spikes of a brain."""

from __future__ import annotations

import numpy as np
from nest_brain import counts, running

from animat.brain.nest.nodes import Nodes, of_each_model
from animat.brain.network import Network, Population


def test_neurons_without_spikes_leave_the_others_recorded() -> None:
    network = Network(
        name="mixed",
        populations=(
            Population(name="rates", model="tanh_rate_ipn", size=3),
            Population(name="cells", model="iaf_psc_alpha", size=4, params={"I_e": 600.0}),
            Population(name="glia", model="astrocyte_lr_1994", size=2),
            Population(name="others", model="iaf_psc_exp", size=5, params={"I_e": 600.0}),
        ),
    )
    with running(network) as loop:
        notes = loop.engine.reset().notes
        spikes = counts(loop.run(5))
    assert notes == (
        "neurons of the model astrocyte_lr_1994 send no spikes, so none are recorded",
        "neurons of the model tanh_rate_ipn send no spikes, so none are recorded",
    )
    assert spikes[0] == spikes[2] == 0 and spikes[1] > 0 and spikes[3] > 0


def test_ids_of_each_model() -> None:
    made = [
        Nodes("a", "neuron", 1, 3),
        Nodes("b", "neuron", 4, 5),
        Nodes("a", "neuron", 6, 8),
        Nodes("c", "other", 9, 9),
    ]
    found = {model: ids.tolist() for model, ids in of_each_model(made, np.array([2, 3, 5, 6, 8]))}
    assert found == {"a": [2, 3, 6, 8], "b": [5]}
