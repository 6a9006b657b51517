"""All spikes of a brain through one recorder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.nest.kernel import set_nodes
from animat.brain.nest.nodes import nodes_made, of_each_model
from animat.brain.nest.synapse_types import MOST_COMPACT_NODES
from animat.brain.protocol import BrainSettings
from animat.brain.spike_log import SpikeLog

__all__ = ["SpikeWatch"]


class SpikeWatch(SpikeLog):
    """One recorder on all neurons of the brain, emptied at the end of every step.

    NEST sets aside 1024 connections per recorded neuron: 8 kB with the smallest synapse model, 32 kB with the usual.
    That one can point to the first 65,535 nodes of a process, so it helps to create the recorder first.

    NEST's times in ms are exact to far less than a tick; models with precise spike times keep them.
    """

    def __init__(
        self,
        nest: Any,
        ids: Mapping[str, NDArray[np.int64]],
        settings: BrainSettings,
        delay_ms: float,
        recorder: Any = None,
    ) -> None:
        super().__init__(ids, settings, int(nest.Rank()))
        self._recorder = nest.Create("spike_recorder") if recorder is None else recorder
        everything = np.unique(np.concatenate(list(ids.values())))
        synapse = {"synapse_model": _smallest_synapse(int(self._recorder.global_id)), "delay": delay_ms}
        #: Models of recorded neurons that send no spikes, such as rate neurons and astrocytes.
        self.mute: list[str] = []
        for model, mine in of_each_model(nodes_made(nest), everything):
            try:
                nest.Connect(nest.NodeCollection(mine.tolist()), self._recorder, "all_to_all", synapse)
            except nest.NESTErrors.IllegalConnection as error:
                if "does not send output" not in str(error):
                    raise
                self.mute.append(model)

    def take(self, origin: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the NEST ids, ascending, and ticks of all spikes since the last call and empty the recorder."""
        events = self._recorder.get("events")
        senders = np.asarray(events["senders"], np.int64)
        ticks = np.rint(np.asarray(events["times"]) * 1e6).astype(np.int64) - origin
        if len(senders):
            set_nodes(self._recorder, [{"n_events": 0}])
        order = np.argsort(senders, kind="stable")
        return senders[order], ticks[order]


def _smallest_synapse(recorder: int) -> str:
    """Return the smallest synapse model that reaches a recorder with this NEST id."""
    return "static_synapse_hom_w_hpc" if recorder <= MOST_COMPACT_NODES else "static_synapse_hom_w"
