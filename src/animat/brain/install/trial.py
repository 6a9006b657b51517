"""Run by every process of a newly built NEST: ``python trial.py PROCESSES [MODEL ...]``."""

import sys

import nest
from mpi4py import MPI


def main(processes: int, models: list[str]) -> None:
    """Simulate some neurons on `processes` processes; end with a message if anything is not as it should be."""
    world = MPI.COMM_WORLD
    counts = nest.num_processes, world.Get_size()
    if counts != (processes, processes):
        sys.exit(f"{processes} processes were started; NEST sees {counts[0]}, mpi4py {counts[1]}")
    missing = sorted(set(models) - set(nest.node_models) - set(nest.synapse_models))
    if missing:
        sys.exit(f"these models are missing: {', '.join(missing)}")
    neurons = nest.Create("iaf_psc_alpha", 20)
    recorder = nest.Create("spike_recorder")
    nest.Connect(nest.Create("poisson_generator", params={"rate": 20000.0}), neurons, syn_spec={"weight": 50.0})
    nest.Connect(neurons, neurons, {"rule": "fixed_indegree", "indegree": 5})
    nest.Connect(neurons, recorder)
    nest.Simulate(100.0)
    spikes = [world.bcast(recorder.n_events, root) for root in range(processes)]
    print(f"rank {world.Get_rank()} of {processes}: {recorder.n_events} spikes")
    if not all(spikes):
        sys.exit(f"spikes on each process: {spikes}; none should be silent")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
