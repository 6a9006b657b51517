"""What a call may ask of the machine: refused by a stated limit before NEST takes it; imports no NEST."""

from __future__ import annotations

import math
import os
import sys
from typing import Any

from animat.errors import AnimatError

__all__ = ["check_connections", "check_duration", "check_kernel", "check_partners", "check_size", "limit_memory"]

#: The least that a neuron and a connection take in NEST 3.10.
_NODE_BYTES, _CONNECTION_BYTES = 1500, 24

#: Threads of one process.
_THREADS = max(64, 4 * (os.cpu_count() or 1))


def limit_memory(limit: int) -> None:
    """Have this process's requests for memory beyond `limit` bytes fail (Linux; 0: no limit)."""
    if limit and sys.platform == "linux":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (limit if hard < 0 else min(limit, hard), hard))


def check_size(n: Any, processes: int, limit: int) -> None:
    """Refuse to create more nodes than fit into the brain's memory."""
    if isinstance(n, bool) or not isinstance(n, int):
        raise AnimatError(f"n is the number of nodes, a whole number; {n!r} is not")
    if n < 1:
        raise AnimatError(f"n is the number of nodes, at least 1; {n} is not")
    _check("nodes", n, _NODE_BYTES, processes, limit)


def check_connections(sources: int, targets: int, spec: Any, processes: int, limit: int) -> None:
    """Refuse to make more connections than fit into the brain's memory."""
    spec = spec if isinstance(spec, dict) else {"rule": spec or "all_to_all"}
    pairs = sources * targets
    counts = {
        "all_to_all": pairs,
        "one_to_one": max(sources, targets),
        "fixed_indegree": _number(spec.get("indegree")) * targets,
        "fixed_outdegree": _number(spec.get("outdegree")) * sources,
        "fixed_total_number": _number(spec.get("N")),
        "pairwise_bernoulli": _number(spec.get("p")) * pairs,
        "pairwise_poisson": _number(spec.get("pairwise_avg_num_conns")) * pairs,
    }
    rule = spec.get("rule")
    count = counts.get(rule, 0.0) if isinstance(rule, str) else 0.0
    _check("connections", count, _CONNECTION_BYTES, processes, limit)


def check_partners(sources: list[int], targets: list[int], spec: Any) -> None:
    """Refuse rules for which NEST would look for partners for ever: there are too few without repeats and oneself."""
    if not isinstance(spec, dict):
        return
    autapses, multapses = spec.get("allow_autapses", True), spec.get("allow_multapses", True)
    for key, partners, owners in (("indegree", sources, targets), ("outdegree", targets, sources)):
        wanted = _number(spec.get(key))
        left = len(partners) - (not autapses and not set(partners).isdisjoint(owners))
        if wanted and (left < 1 or (not multapses and wanted > left)):
            raise AnimatError(f"{key} {wanted:.0f} is more than the {left} partners that are allowed")
    if _number(spec.get("N")) and not autapses and sources == targets and len(sources) == 1:
        raise AnimatError("N connections of one neuron with itself are wanted, and not allowed")


def check_duration(ms: Any) -> float:
    """Return a time in ms that NEST can be asked to simulate; a wrong one would leave it unable to go on."""
    if isinstance(ms, bool) or not isinstance(ms, int | float) or not 0 <= ms < 1e15:
        raise AnimatError(f"t is a time in ms, from 0 to 1e15; {ms!r} is not")
    return float(ms)


def check_kernel(params: Any) -> None:
    """Refuse numbers of threads that no machine has."""
    for name in ("local_num_threads", "total_num_virtual_procs"):
        value = params.get(name) if isinstance(params, dict) else None
        if isinstance(value, int) and value > _THREADS:
            raise AnimatError(f"{name} is at most {_THREADS} here; {value} is more")


def _check(what: str, count: float, size: int, processes: int, limit: int) -> None:
    needed = count * size / processes
    if limit and needed > limit:
        raise AnimatError(
            f"{count:.4g} {what} take {needed / 1e9:.3g} GB a process at the least; this brain's processes may take "
            f"{limit / 1e9:.3g} GB each (--memory)"
        )


def _number(value: Any) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    return float(min(max(value, 0), 1e300)) if good else 0.0
