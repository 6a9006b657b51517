// Plastic synapses: what neurons remember of their spikes, and rows brought up to date when their source fires.
//
// What a target fired is remembered only as far back as a trace matters; the row of a source that stays silent for
// longer is settled then, so nothing is lost.
#pragma once

#include <algorithm>
#include <cmath>

#include "brain.hpp"

namespace animat {

// Steps between looks for sources that have been silent for long.
constexpr int32_t settle_every = 64;

// Neurons of a population begin to remember their spikes, each those of the last `memory` steps.
template <class Real>
void remember(Brain<Real> &brain, Population<Real> &p, double tau_minus, int32_t memory) {
    p.tau_minus = tau_minus;
    p.memory = std::max(p.memory, memory);
    for (const int place : p.blocks) {
        Block<Real> &block = brain.blocks[place];
        if (block.remembered) continue;
        block.remembered = 16;
        block.latest.assign(block.count, {never, never, never, 0});
        block.earlier.assign(block.count, {never, never});
        block.number_of.assign(block.count, 0);
        block.times.assign(size_t(block.count) * block.remembered, never);
        block.traces.assign(size_t(block.count) * block.remembered, 0);
    }
}

template <class Real>
void make_plastic(Brain<Real> &brain, Projection<Real> &p, const ProjectionSpec &spec) {
    const double reach = (std::is_same_v<Real, float> ? 25.0 : 40.0) * spec.tau_plus;
    p.learning = {spec.update,
                  static_cast<Real>(spec.rate),
                  static_cast<Real>(spec.alpha),
                  static_cast<Real>(spec.mu),
                  static_cast<Real>(spec.w_max),
                  static_cast<Real>(1 / spec.tau_plus),
                  static_cast<Real>(1 / spec.tau_minus)};
    p.last.assign(brain.populations[spec.pre].size, 0);
    p.trace.assign(brain.populations[spec.pre].size, 0);
    p.tau_plus = spec.tau_plus;
    p.reach = static_cast<int32_t>(std::ceil(reach));
    remember(brain, brain.populations[spec.post], spec.tau_minus,
             p.reach + static_cast<int32_t>(p.delay) + 4 * settle_every);
}

template <class Real>
size_t place_of(const Block<Real> &block, uint32_t i, uint32_t number) {
    return size_t(i) * block.remembered + (number & (block.remembered - 1));
}

// Let the neurons of a block remember twice as many spikes.
template <class Real>
void lengthen(Block<Real> &block) {
    const uint32_t longer = 2 * block.remembered;
    std::vector<int32_t> times(size_t(block.count) * longer, never);
    std::vector<Real> traces(size_t(block.count) * longer);
    for (uint32_t i = 0; i < block.count; ++i) {
        const uint32_t number = block.number_of[i];
        for (uint32_t k = number - std::min(number, block.remembered); k < number; ++k) {
            times[size_t(i) * longer + (k & (longer - 1))] = block.times[place_of(block, i, k)];
            traces[size_t(i) * longer + (k & (longer - 1))] = block.traces[place_of(block, i, k)];
        }
    }
    block.times = std::move(times);
    block.traces = std::move(traces);
    block.remembered = longer;
}

template <class Real>
void note_spike(const Population<Real> &p, Block<Real> &block, uint32_t neuron, int32_t stamp) {
    const uint32_t i = neuron - block.first;
    const uint32_t number = block.number_of[i];
    if (number >= block.remembered && block.times[place_of(block, i, number)] > stamp - p.memory) lengthen(block);
    Latest<Real> &latest = block.latest[i];
    const Real trace = number ? latest.k1 * static_cast<Real>(std::exp((latest.t1 - stamp) / p.tau_minus)) + 1 : Real(1);
    block.earlier[i] = {latest.t3, block.earlier[i].t4};
    latest = {stamp, latest.t1, latest.t2, trace};
    block.times[place_of(block, i, number)] = stamp;
    block.traces[place_of(block, i, number)] = trace;
    block.number_of[i] = number + 1;
}

// Note the spikes of the slice of a plastic projection's sources, and which sources have been silent for long.
template <class Real>
void note_sources(Brain<Real> &brain, Projection<Real> &p, int64_t slice) {
    p.settling.clear();
    p.seen.resize(brain.slice);
    for (int64_t step = 0; step < slice; ++step) {
        p.seen[step].clear();
        for (const uint32_t source : brain.fired[p.pre][step]) {
            const auto stamp = static_cast<int32_t>(brain.now + step + 1);
            p.seen[step].push_back({source, p.last[source], stamp, p.trace[source]});
            p.trace[source] = p.trace[source] * static_cast<Real>(std::exp((p.last[source] - stamp) / p.tau_plus)) + 1;
            p.last[source] = stamp;
        }
    }
    if (brain.now / settle_every == (brain.now + slice) / settle_every) return;
    for (uint32_t source = 0; source < p.last.size(); ++source)
        if (p.trace[source] > 0 && brain.now - p.last[source] > p.reach + p.delay) {
            const int32_t until = p.last[source] + p.reach + static_cast<int32_t>(p.delay);
            p.settling.push_back({source, p.last[source], until, p.trace[source]});
            p.trace[source] = 0;
            p.last[source] = static_cast<int32_t>(brain.now);
        }
    brain.any_settling |= !p.settling.empty();
}

// What sources fired until now counts no more.
template <class Real>
void forget_sources(Projection<Real> &p) {
    std::fill(p.trace.begin(), p.trace.end(), Real(0));
}

// Bring a source's weights onto a block up to date.
template <class Real>
void learn(const Brain<Real> &brain, const Projection<Real> &projection, Block<Real> &block, const Before<Real> &record,
           bool depress) {
    const Rows &rows = projection.wiring.blocks[block.number];
    const uint32_t count = rows.count[record.source];
    if (!count) return;
    uint8_t *const row = rows.data[record.source];
    const History<Real> history{block.latest.data(), block.earlier.data(),   block.times.data(),
                                block.traces.data(), block.number_of.data(), block.remembered};
    brain.kernels.learn(projection.learning, history, reinterpret_cast<const uint16_t *>(row), count,
                        reinterpret_cast<Real *>(row + projection.wiring.format.weights_at(count)), record.before,
                        record.now, static_cast<int32_t>(projection.delay), record.trace, depress);
}

}  // namespace animat
