"""Run the balanced network once and print its figures as JSON: ``described`` by animat or ``published``.

``published`` is the network as NEST's own benchmark builds it (Kunkel et al. 2014): plain PyNEST calls, written
out here from the published parameters, with NEST drawing the wiring. Usage: KIND SCALE SEED MS.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import numpy as np

from animat.brain.nest.kernel import import_nest

STEP_MS, SETTLE_MS, THREADS = 20, 60, 2
NEURON = {
    "C_m": 250.0,
    "E_L": 0.0,
    "tau_m": 10.0,
    "t_ref": 0.5,
    "V_th": 20.0,
    "V_reset": 0.0,
    "tau_syn_ex": 0.3258272240372284,
    "tau_syn_in": 0.3258272240372284,
    "tau_minus": 30.0,
}
JE, JI = 45.6096003, -228.048002


def main(kind: str, scale: float, seed: int, ms: int) -> dict[str, float]:
    run = {"described": described, "published": published}[kind]
    began = time.perf_counter()
    nest, excitatory, spikes, build_s = run(scale, seed, ms)
    seconds = (ms - SETTLE_MS) / 1000
    per_unit = {"E": 9000, "I": 2250}
    some = excitatory[: max(1, 500_000 // 9000)]
    weights = np.array(nest.GetConnections(some, excitatory).get("weight"))
    return {
        **{f"rate_{name}": spikes[name] / round(per_unit[name] * scale) / seconds for name in per_unit},
        "weight_mean": float(weights.mean()),
        "weight_sd": float(weights.std()),
        "synapses": int(nest.num_connections),
        "build_s": build_s,
        "run_s": time.perf_counter() - began - build_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def described(scale: float, seed: int, ms: int) -> tuple[Any, Any, dict[str, int], float]:
    from animat.brain.nest.engine import NestEngine
    from animat.brain.protocol import BrainSettings
    from animat.library import load_network

    began = time.perf_counter()
    engine = NestEngine()
    settings = BrainSettings(seed=seed, step=STEP_MS * 1_000_000, threads=THREADS)
    network = load_network({"library": "balanced-network", "scale": scale})
    engine.load(network, settings, lambda *_: None)
    build_s = time.perf_counter() - began
    counts = [engine.advance((), until * 1_000_000).counts for until in range(STEP_MS, ms + 1, STEP_MS)]
    total = np.sum(counts[SETTLE_MS // STEP_MS :], axis=0)
    names = [population.name for population in network.populations]
    return engine._nest, engine._nodes["E"], dict(zip(names, total.tolist(), strict=True)), build_s


def published(scale: float, seed: int, ms: int) -> tuple[Any, Any, dict[str, int], float]:
    nest = import_nest(lean=True)
    began = time.perf_counter()
    nest.ResetKernel()
    nest.SetKernelStatus({"local_num_threads": THREADS, "resolution": 0.1, "rng_seed": seed})
    nest.SetDefaults("iaf_psc_alpha", NEURON)
    excitatory = nest.Create("iaf_psc_alpha", round(9000 * scale))
    inhibitory = nest.Create("iaf_psc_alpha", round(2250 * scale))
    for neurons in (excitatory, inhibitory):
        neurons.V_m = nest.random.normal(5.7, 7.2)
    drive = nest.Create("poisson_generator", params={"rate": 20856.0372})
    nest.CopyModel("static_synapse_hpc", "excitatory", {"weight": JE, "delay": 1.5})
    nest.CopyModel("static_synapse_hpc", "inhibitory", {"weight": JI, "delay": 1.5})
    plastic = {"weight": JE, "delay": 1.5, "alpha": 0.0513, "lambda": 0.1, "mu": 0.4, "tau_plus": 15.0}
    nest.SetDefaults("stdp_pl_synapse_hom_hpc", plastic)
    for neurons in (excitatory, inhibitory):
        nest.Connect(drive, neurons, "all_to_all", "excitatory")
    for pre, post, indegree, synapse in (
        (excitatory, excitatory, 9000, "stdp_pl_synapse_hom_hpc"),
        (inhibitory, excitatory, 2250, "inhibitory"),
        (excitatory, inhibitory, 9000, "excitatory"),
        (inhibitory, inhibitory, 2250, "inhibitory"),
    ):
        rule = {"rule": "fixed_indegree", "indegree": indegree, "allow_autapses": False, "allow_multapses": True}
        nest.Connect(pre, post, rule, synapse)
    recorders = {"E": nest.Create("spike_recorder"), "I": nest.Create("spike_recorder")}
    for name, neurons in (("E", excitatory), ("I", inhibitory)):
        nest.Connect(neurons, recorders[name])
    build_s = time.perf_counter() - began
    nest.Simulate(SETTLE_MS)
    before = {name: recorder.n_events for name, recorder in recorders.items()}
    nest.Simulate(ms - SETTLE_MS)
    return nest, excitatory, {name: recorders[name].n_events - count for name, count in before.items()}, build_s


if __name__ == "__main__":
    print("\n" + json.dumps(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
