// The inner loops, compiled once for each instruction set that a machine may have, and chosen when the program runs.
//
// Sums of products are written as fused multiply-adds and the compiler may make no others, so that all instruction
// sets give the same bits.
#pragma once

#include <cstdint>

namespace animat {

enum Model { psc_alpha, psc_exp, cond_alpha, cond_exp, psc_alpha_multi, relay, models };

// Neurons that follow each other and have the same coefficients. Potentials are relative to E_L.
template <class Real>
struct Group {
    const Real *c;             // coefficients, in the order in which `coefficients.py` gives them
    Real *const *state;        // potential first, then what the model has for every receptor
    int32_t *refractory;       // steps left
    const Real *threshold;
    const Real *current;
    Real *const *input;        // of this step by receptor; emptied
    int32_t *fired;            // spikes of this step
    int count;
    int receptors;
    int level;                 // conductance models: each part of the step is taken in 2^level smaller ones
};

// What the update of a group found: whether a neuron fired, and a bound for the next step's rate of change per step.
struct Found {
    bool fired;
    float stiffness;
};

constexpr int levels = 7;
constexpr float stiffest = 0.25f;

// The latest spikes of a neuron onto which plastic synapses lead, in steps, and its trace right after the latest.
template <class Real>
struct Latest {
    int32_t t1, t2, t3;
    Real k1;
};

// The two before these.
struct Earlier {
    int32_t t4, t5;
};

template <class Real>
struct History {
    const Latest<Real> *latest;
    const Earlier *earlier;
    const int32_t *times;  // `size` for every neuron, a ring
    const Real *traces;
    const uint32_t *number;  // of spikes so far
    uint32_t size;           // a power of two
};

enum Update { additive, multiplicative, power_law };

template <class Real>
struct Learning {
    Update update;
    Real rate, alpha, mu, w_max;
    Real step_over_tau_plus, step_over_tau_minus;
};

template <class Real>
struct Kernels {
    Found (*update[models])(const Group<Real> &);
    // Add to a ring's slot at each target, where weights are the same or one for each.
    void (*add)(Real *slot, const uint16_t *targets, uint32_t count, Real weight);
    void (*add_each)(Real *slot, const uint16_t *targets, uint32_t count, const Real *weights);
    // Bring plastic weights from the last spike of their source (step `before`) to this one, `delay` steps late.
    void (*learn)(const Learning<Real> &, const History<Real> &, const uint16_t *targets, uint32_t count, Real *weights,
                  int32_t before, int32_t now, int32_t delay, Real trace, bool depress);
};

template <class Real>
const Kernels<Real> &kernels();

const char *instruction_set();

}  // namespace animat
