// A projection: how it is made, and what its rows hold.
#pragma once

#include <cmath>

#include "brain.hpp"

namespace animat {

// Draw the synapses that are described.
template <class Real>
std::unique_ptr<Projection<Real>> made(Brain<Real> &brain, Pool &pool, const ProjectionSpec &spec) {
    const Population<Real> &pre = brain.populations.at(spec.pre), &post = brain.populations.at(spec.post);
    Format format;
    format.weights = spec.weight.kind == Distribution::constant ? Stored::once : spec.stored;
    if (spec.plastic) format.weights = std::is_same_v<Real, float> ? Stored::single : Stored::twice;
    format.delays = spec.delay.kind != Distribution::constant;
    const bool not_itself = spec.pre == spec.post && !spec.autapses;
    Drawing drawing(pool, brain.arenas, brain.seed, spec.stream, pre.size, post.bounds, not_itself, format, spec.weight,
                    spec.delay);
    auto found = std::make_unique<Projection<Real>>();
    Projection<Real> &p = *found;
    p.wiring = drawing.draw(spec.rule);
    p.pre = spec.pre;
    p.post = spec.post;
    p.weight = static_cast<Real>(spec.weight.a);
    p.magnitude = spec.magnitude;
    p.receptor = spec.receptor;
    if (spec.plastic) p.wiring.negative = spec.update != power_law && spec.w_max < 0;
    if (spec.plastic) p.wiring.positive = !p.wiring.negative;
    if (spec.receptor < 0 && !(p.wiring.negative && p.wiring.positive)) p.receptor = p.wiring.negative;
    if (spec.magnitude && format.weights == Stored::once) p.weight = std::abs(p.weight);
    p.delay = p.wiring.shortest;
    p.plastic = spec.plastic;
    return found;
}

template <class Real>
double weight_at(const Projection<Real> &p, const uint8_t *row, uint32_t count, uint32_t i) {
    const uint8_t *const weights = row + p.wiring.format.weights_at(count);
    switch (p.wiring.format.weights) {
        case Stored::half: return from_half(reinterpret_cast<const uint16_t *>(weights)[i]);
        case Stored::single: return reinterpret_cast<const float *>(weights)[i];
        case Stored::twice: return reinterpret_cast<const double *>(weights)[i];
        default: return static_cast<double>(p.weight);
    }
}

template <class Real>
const uint16_t *delays_at(const Projection<Real> &p, const uint8_t *row, uint32_t count) {
    return reinterpret_cast<const uint16_t *>(row + p.wiring.format.delays_at(count));
}

// See `Simulation::synapses_of`.
template <class Real>
void list_synapses(const Brain<Real> &brain, const Projection<Real> &p, std::vector<uint32_t> &sources,
                   std::vector<uint32_t> &targets, std::vector<double> &weights, std::vector<int32_t> &delays) {
    const Bounds &bounds = brain.populations[p.post].bounds;
    for (uint32_t source = 0; source < brain.populations[p.pre].size; ++source)
        for (size_t block = 0; block < p.wiring.blocks.size(); ++block) {
            const Rows &rows = p.wiring.blocks[block];
            const uint32_t count = rows.count[source];
            for (uint32_t i = 0; i < count; ++i) {
                sources.push_back(source);
                targets.push_back(rows.targets(source)[i] + bounds[block]);
                weights.push_back(weight_at(p, rows.data[source], count, i));
                delays.push_back(p.wiring.format.delays ? delays_at(p, rows.data[source], count)[i]
                                                        : static_cast<int32_t>(p.delay));
            }
        }
}

// See `Simulation::wiring`.
template <class Real>
uint64_t hash_of_wiring(const Brain<Real> &brain, Pool &pool) {
    std::vector<uint64_t> sums(pool.size());
    for (size_t place = 0; place < brain.projections.size(); ++place) {
        const Projection<Real> &p = *brain.projections[place];
        const Bounds &bounds = brain.populations[p.post].bounds;
        pool.run(p.wiring.blocks.size(), [&](size_t block, int thread) {
            const Rows &rows = p.wiring.blocks[block];
            uint64_t sum = 0;
            for (size_t source = 0; source < rows.count.size(); ++source) {
                const uint64_t key = (place << 48) ^ (source << 24) ^ source;
                const uint16_t *const targets = rows.targets(source);
                for (uint32_t i = 0; i < rows.count[source]; ++i) {
                    uint64_t x = (key + (uint64_t(targets[i] + bounds[block]) << 32)) * 0x9e3779b97f4a7c15u;
                    x ^= x >> 29;
                    sum += x * 0xbf58476d1ce4e5b9u;
                }
            }
            sums[thread] += sum;
        });
    }
    uint64_t total = 0;
    for (const uint64_t sum : sums) total += sum;
    return total;
}

}  // namespace animat
