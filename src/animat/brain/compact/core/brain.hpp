// What a running network holds: populations and blocks of neurons, projections, sources, and the time. Plain data; what
// is done with it is in the files above this one.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels.hpp"
#include "pool.hpp"
#include "simulation.hpp"
#include "wiring.hpp"

namespace animat {

constexpr int32_t never = std::numeric_limits<int32_t>::min() / 4;

struct Tile {
    int64_t input_until = -1;  // the last step whose slot may hold something
    int32_t level = 0;
    int32_t still = 0;
};

template <class Real>
struct Population {
    Model model;
    uint32_t size, padded;
    int receptors;
    int64_t first;
    std::vector<std::vector<Real>> state;
    std::vector<int32_t> refractory;
    std::vector<Real> threshold, bias, current;
    std::vector<uint32_t> starts;
    std::vector<std::vector<Real>> coefficients;
    std::vector<Tile> tiles;
    Bounds bounds;
    std::vector<int> blocks, incoming;
    int64_t longest = 1, slots = 0;
    std::vector<std::vector<Real>> ring;  // by receptor; currents last, if there are any
    bool has_currents = false;
    double tau_minus = 0;  // of what remembers its spikes
    int32_t memory = 0;
};

template <class Real>
struct Block {
    int population = 0;
    size_t number = 0;
    uint32_t first = 0, count = 0;
    std::vector<std::vector<uint32_t>> fired;  // by step of the slice; places in the population
    std::vector<std::pair<int, size_t>> sources;
    // of neurons that remember
    std::vector<Latest<Real>> latest;
    std::vector<Earlier> earlier;
    std::vector<int32_t> times;
    std::vector<Real> traces;
    std::vector<uint32_t> number_of;
    uint32_t remembered = 0;
    uint64_t delivered = 0, updated = 0;
};

// A source's spike as plastic synapses see it: the one before, and the trace right after that.
template <class Real>
struct Before {
    uint32_t source;
    int32_t before, now;
    Real trace;
};

template <class Real>
struct Projection {
    int pre, post;
    Wiring wiring;
    Real weight;
    int receptor;
    bool magnitude, plastic, cut = false;
    int64_t delay;
    Learning<Real> learning;
    double tau_plus = 0;
    int32_t reach = 0;
    std::vector<int32_t> last;
    std::vector<Real> trace;
    // of this slice: spikes of sources by step, and sources that have been silent for long
    std::vector<std::vector<Before<Real>>> seen;
    std::vector<Before<Real>> settling;
};

struct Source {
    struct Part {
        uint32_t tile;
        size_t begin, end;
    };
    SourceSpec spec;
    size_t number;
    std::vector<double> values[4];
    std::vector<size_t> trains_at;
    std::vector<int64_t> trains;
    std::vector<Part> parts;
};

template <class Real>
struct Brain {
    const uint64_t seed;
    const Kernels<Real> &kernels = animat::kernels<Real>();
    std::vector<std::unique_ptr<Arena>> arenas;
    std::vector<Population<Real>> populations;
    std::vector<Block<Real>> blocks;
    std::vector<std::unique_ptr<Projection<Real>>> projections;
    std::map<int, std::unique_ptr<Source>> sources;
    int next_source = 0;
    int64_t now = 0, shortest = longest_slice, slice = 0;  // in steps
    bool ready = false, any_spike = false, any_settling = false;
    std::vector<std::vector<std::vector<uint32_t>>> fired;  // by population and step of the slice
    std::vector<int64_t> spiked, spiked_at;                 // since somebody took them

    explicit Brain(uint64_t seed_) : seed(seed_) {}
};

// Neurons with new parameters or states do not rest.
template <class Real>
void wake(Population<Real> &p) {
    for (auto &tile : p.tiles) tile.still = 0;
}

}  // namespace animat
