"""Run the balanced network and print its figures as JSON, a line for each seed.

KIND is ``described``: animat's description through animat's engine; or ``published``: plain PyNEST calls as NEST's own
benchmark makes them (Kunkel et al. 2014), with the published parameters written out and NEST drawing the wiring.
Usage: KIND SCALE INDEGREE_FRACTION MS SEED...
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
#: About as many weights are read; reading all takes more memory than the network.
WEIGHTS = 200_000
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


def main(kind: str, scale: float, fraction: float, ms: int, seed: int) -> dict[str, float]:
    run = {"described": described, "published": published}[kind]
    began = time.perf_counter()
    nest, excitatory, spikes, build_s = run(scale, fraction, ms, seed)
    run_s = time.perf_counter() - began - build_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    per_unit = {"E": 9000, "I": 2250}
    some = excitatory[: max(1, round(WEIGHTS / (9000 * fraction)))]
    weights = np.array(nest.GetConnections(some, excitatory).get("weight"))
    seconds = (ms - SETTLE_MS) / 1000
    return {
        **{f"rate_{name}": spikes[name] / round(per_unit[name] * scale) / seconds for name in per_unit},
        "weight_mean": float(weights.mean()),
        "weight_sd": float(weights.std()),
        "synapses": int(nest.num_connections),
        "build_s": build_s,
        "run_s": run_s,
        "peak_mb": peak_mb,
    }


def described(scale: float, fraction: float, ms: int, seed: int) -> tuple[Any, Any, dict[str, int], float]:
    from animat.brain.nest.engine import NestEngine
    from animat.brain.protocol import BrainSettings
    from animat.library import load_network

    began = time.perf_counter()
    engine = NestEngine()
    settings = BrainSettings(seed=seed, step=STEP_MS * 1_000_000, threads=THREADS)
    network = load_network({"library": "balanced-network", "scale": scale, "indegree_fraction": fraction})
    engine.load(network, settings, lambda *_: None)
    build_s = time.perf_counter() - began
    counts = [engine.advance((), until * 1_000_000).counts for until in range(STEP_MS, ms + 1, STEP_MS)]
    total = np.sum(counts[SETTLE_MS // STEP_MS :], axis=0)
    names = [population.name for population in network.populations]
    return engine._nest, engine._nodes["E"], dict(zip(names, total.tolist(), strict=True)), build_s


def published(scale: float, fraction: float, ms: int, seed: int) -> tuple[Any, Any, dict[str, int], float]:
    nest, stronger = import_nest(lean=True), fraction**-0.5
    began = time.perf_counter()
    nest.ResetKernel()
    nest.SetKernelStatus({"local_num_threads": THREADS, "resolution": 0.1, "rng_seed": seed})
    nest.SetDefaults("iaf_psc_alpha", NEURON)
    excitatory = nest.Create("iaf_psc_alpha", round(9000 * scale))
    inhibitory = nest.Create("iaf_psc_alpha", round(2250 * scale))
    for neurons in (excitatory, inhibitory):
        neurons.V_m = nest.random.normal(5.7, 7.2)
    drive = nest.Create("poisson_generator", params={"rate": 20856.0372 / stronger})
    nest.CopyModel("static_synapse_hpc", "excitatory", {"weight": JE * stronger, "delay": 1.5})
    nest.CopyModel("static_synapse_hpc", "inhibitory", {"weight": JI * stronger, "delay": 1.5})
    alpha = 0.0513 * stronger**-0.6
    plastic = {"weight": JE * stronger, "delay": 1.5, "alpha": alpha, "lambda": 0.1, "mu": 0.4, "tau_plus": 15.0}
    nest.SetDefaults("stdp_pl_synapse_hom_hpc", plastic)
    for neurons in (excitatory, inhibitory):
        nest.Connect(drive, neurons, "all_to_all", "excitatory")
    for pre, post, indegree, synapse in (
        (excitatory, excitatory, 9000, "stdp_pl_synapse_hom_hpc"),
        (inhibitory, excitatory, 2250, "inhibitory"),
        (excitatory, inhibitory, 9000, "excitatory"),
        (inhibitory, inhibitory, 2250, "inhibitory"),
    ):
        count = round(indegree * fraction)
        rule = {"rule": "fixed_indegree", "indegree": count, "allow_autapses": False, "allow_multapses": True}
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
    kind, scale, fraction, ms, *seeds = sys.argv[1:]
    for seed in seeds:
        print("\n" + json.dumps(main(kind, float(scale), float(fraction), int(ms), int(seed))), flush=True)
