// Which pairs of neurons are connected, drawn straight into rows; every source (of a fixed in-degree: every target) has
// a stream of random numbers of its own, so that the order of drawing does not matter.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

namespace animat {

// Number and probability of draws on lattices, as products of one factor along each axis; see `animat.brain.kernels`.
struct OnLattices {
    uint32_t from[3], to[3];      // points along x, y and z
    uint32_t from_site, to_site;  // neurons that share a point
    double center;
    std::vector<double> chance[3];  // points of the source lattice x points of the target lattice
    std::vector<int32_t> draws[3];
};

struct Bernoulli {
    double p;
};

// Which sources a target may draw: those within reach along each axis, or within a horizontal radius.
struct Mask {
    std::vector<double> from, to;  // x, y and z of every neuron
    double half[3];                // infinite: any
    double radius;                 // 0: the box counts
    double period[3];              // 0: open
};

struct FixedInDegree {
    double indegree;
    bool multapses;
    bool masked = false;
    Mask mask = {};
};

struct AllToAll {};
struct OneToOne {};

// In any order.
struct Listed {
    const uint32_t *sources, *targets;
    size_t count;
};

using Rule = std::variant<OnLattices, Bernoulli, FixedInDegree, AllToAll, OneToOne, Listed>;

// How a value varies between synapses; `listed` goes with `Listed` pairs.
struct Distribution {
    enum Kind { constant, uniform, normal, lognormal, listed } kind = constant;
    double a = 0, b = 0;
    const double *values = nullptr;
};

}  // namespace animat
