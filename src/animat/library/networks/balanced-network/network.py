"""The random balanced network with plasticity by which NEST's speed is measured on supercomputers.

Four fifths excitatory and one fifth inhibitory neurons of one kind (`iaf_psc_alpha`), each with 9,000 excitatory and
2,250 inhibitory synapses whatever the size; those between excitatory neurons learn by a power law. Network and
plasticity: Morrison, Aertsen & Diesmann 2007, doi:10.1162/neco.2007.19.6.1437; as a benchmark: Helias et al. 2012,
doi:10.3389/fninf.2012.00026, and Kunkel et al. 2014, doi:10.3389/fninf.2014.00078 (NEST's example hpc_benchmark).
Times in ms, potentials in mV, weights in pA, capacitance in pF.
"""

from __future__ import annotations

import math

from animat.brain.network import (
    Constant,
    Drive,
    FixedIndegree,
    Network,
    Normal,
    Population,
    Projection,
    Static,
    Stdp,
)
from animat.errors import AnimatError

#: Neurons per unit of scale, and synapses onto each neuron at every scale.
E_NEURONS, I_NEURONS = 9000, 2250
E_INDEGREE, I_INDEGREE = 9000, 2250

C_M, TAU_M, T_REF, V_TH = 250.0, 10.0, 0.5, 20.0
#: With this time constant a spike's potential peaks `RISE` after it starts.
TAU_SYN, RISE = 0.32582722403722841, 1.700759
#: Peak of an excitatory potential, and how much stronger an inhibitory synapse is.
PSP, INHIBITION = 0.14, 5.0
DELAY = 1.5

#: Above 1 the drive alone makes neurons fire, and inhibition holds them back.
ETA = 1.685
#: Start values near the stationary state, so that no volley of first spikes has to die away.
V_START = Normal(5.7, 7.2)
#: The power law as the benchmark has it: `ALPHA` balances growth and decay where weights start.
ALPHA, MU = 0.0513, 0.4


def build(scale: float = 1.0, indegree_fraction: float = 1.0, plastic: bool = True, eta: float = ETA) -> Network:
    """Return the network with ``11,250 * scale`` neurons and 11,250 synapses onto each, or a fraction of them.

    Every neuron draws its sources with repetition, never itself. A small network with all its synapses joins two
    neurons many times over; their inputs are then so correlated that they fire in step, and with plasticity faster
    and faster. `indegree_fraction` gives every neuron fewer synapses, stronger by one over its square root, which
    keeps the variance of the input (van Vreeswijk & Sompolinsky 1998, doi:10.1162/089976698300017214). The drive is
    thinned so that its mean stays, and plasticity still balances where weights start.

    Parameters
    ----------
    scale
        Size in units of 11,250 neurons.
    indegree_fraction
        Synapses onto a neuron, of the published number; 1 is the benchmark.
    plastic
        Whether synapses between excitatory neurons learn.
    eta
        Rate of the background drive, relative to the rate whose mean input alone would reach threshold.

    Raises
    ------
    AnimatError
        If the network has fewer than two neurons of a kind, the fraction does not lie above 0 and up to 1, or the
        drive is negative.
    """
    sizes = {"E": round(E_NEURONS * scale), "I": round(I_NEURONS * scale)}
    if sizes["I"] < 2:
        raise AnimatError(f"scale {scale:g} leaves too few neurons, it must be at least 0.001")
    if not 0 < indegree_fraction <= 1:
        raise AnimatError(f"indegree_fraction must be above 0 and at most 1, got {indegree_fraction:g}")
    if eta < 0:
        raise AnimatError(f"eta must not be negative, got {eta:g}")
    stronger = indegree_fraction**-0.5
    weight = stronger * PSP / unit_psp(RISE)
    drive = Drive(rate_hz=eta * threshold_rate(weight), weight=weight, delay_ms=DELAY)
    learning = Stdp(
        update="power_law",
        learning_rate=0.1,
        alpha=ALPHA * stronger ** (MU - 1),
        mu=MU,
        tau_plus_ms=15.0,
        tau_minus_ms=30.0,
    )

    def projection(pre: str, post: str) -> Projection:
        indegree = indegree_fraction * (E_INDEGREE if pre == "E" else I_INDEGREE)
        return Projection(
            pre=pre,
            post=post,
            rule=FixedIndegree(indegree=indegree),
            weight=Constant(weight if pre == "E" else -INHIBITION * weight),
            delay_ms=DELAY,
            synapse=learning if plastic and pre == post == "E" else Static(),
        )

    return Network(
        name=f"balanced-network scale {scale:g}",
        populations=tuple(_population(name, size, drive) for name, size in sizes.items()),
        projections=tuple(projection(pre, post) for post in sizes for pre in sizes),
        notes=_notes(scale, indegree_fraction, plastic),
    )


def unit_psp(t: float) -> float:
    """Return the potential (mV) at time `t` (ms) after an alpha-shaped current that peaks at 1 pA.

    The solution of ``C dV/dt = -C V / tau_m + e (t / tau_syn) exp(-t / tau_syn)`` from rest (Rotter & Diesmann 1999,
    doi:10.1007/s004220050570).
    """
    rate = 1 / TAU_SYN - 1 / TAU_M
    slow, fast = math.exp(-t / TAU_M), math.exp(-t / TAU_SYN)
    return math.e / (TAU_SYN * C_M * rate) * ((slow - fast) / rate - t * fast)


def threshold_rate(weight: float) -> float:
    """Return the rate (Hz) of spikes of `weight` (pA) whose mean potential is the threshold.

    A spike carries a charge of ``e tau_syn weight``, and a constant current I charges the membrane to
    ``I tau_m / C_m``.
    """
    return 1000 * V_TH * C_M / (TAU_M * math.e * TAU_SYN * weight)


def _population(name: str, size: int, drive: Drive) -> Population:
    params: dict[str, float | list[float]] = {
        "C_m": C_M,
        "tau_m": TAU_M,
        "t_ref": T_REF,
        "V_th": V_TH,
        "E_L": 0.0,
        "V_reset": 0.0,
        "tau_syn_ex": TAU_SYN,
        "tau_syn_in": TAU_SYN,
    }
    return Population(name=name, model="iaf_psc_alpha", size=size, params=params, initial={"V_m": V_START}, drive=drive)


def _notes(scale: float, fraction: float, plastic: bool) -> tuple[str, ...]:
    notes = ["NEST's hpc_benchmark; the number of neurons scales, the number of synapses onto each does not"]
    if fraction < 1:
        notes.append(
            f"{fraction:g} of the published synapses onto each neuron, {fraction**-0.5:.3g} times as strong: the "
            "variance of the input is kept, the rates are higher"
        )
    if fraction > scale:
        notes.append(
            f"two neurons are joined by {fraction / scale:.3g} synapses on average: they share inputs and fire more in "
            "step than a large network"
        )
    if not plastic:
        notes.append("plasticity is off: all weights stay")
    return tuple(notes)
