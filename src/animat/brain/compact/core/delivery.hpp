// Spikes of a slice gathered, and delivered to a block of targets in the order of time, source and projection.
#pragma once

#include "plasticity.hpp"
#include "rings.hpp"
#include "synapses.hpp"

namespace animat {

// Collect the spikes of the slice, and what plastic synapses need to know of their sources.
template <class Real>
void gather(Brain<Real> &brain, int64_t slice) {
    brain.any_spike = false;
    for (size_t place = 0; place < brain.populations.size(); ++place)
        for (int64_t step = 0; step < slice; ++step) {
            auto &all = brain.fired[place][step];
            all.clear();
            for (const int block : brain.populations[place].blocks) {
                const auto &some = brain.blocks[block].fired[step];
                all.insert(all.end(), some.begin(), some.end());
            }
            brain.any_spike |= !all.empty();
        }
    if (brain.any_spike)
        for (int64_t step = 0; step < slice; ++step)
            for (size_t place = 0; place < brain.populations.size(); ++place)
                for (const uint32_t neuron : brain.fired[place][step]) {
                    brain.spiked.push_back(brain.populations[place].first + neuron);
                    brain.spiked_at.push_back(brain.now + step + 1);
                }
    brain.any_settling = false;
    for (auto &projection : brain.projections)
        if (projection->plastic) note_sources(brain, *projection, slice);
}

// Ask for the beginning of a row, and of its weights, before they are needed.
inline void fetch(const Format &format, const Rows &rows, uint32_t source) {
    const uint8_t *const row = rows.data[source];
    for (int line = 0; line < 4; ++line) __builtin_prefetch(row + 64 * line);
    if (format.weights == Stored::once) return;
    const uint8_t *const weights = row + format.weights_at(rows.count[source]);
    for (int line = 0; line < 6; ++line) __builtin_prefetch(weights + 64 * line);
}

// Add a row whose synapses have one receptor and one delay to its slot.
template <class Real>
void add_row(const Brain<Real> &brain, const Projection<Real> &projection, const uint8_t *row, uint32_t count, Real *to) {
    const auto *const targets = reinterpret_cast<const uint16_t *>(row);
    const Format &format = projection.wiring.format;
    constexpr Stored own = std::is_same_v<Real, float> ? Stored::single : Stored::twice;
    if (format.weights == Stored::once) {
        brain.kernels.add(to, targets, count, projection.weight);
    } else if (format.weights == own) {
        brain.kernels.add_each(to, targets, count, reinterpret_cast<const Real *>(row + format.weights_at(count)));
    } else {
        alignas(64) Real some[512];
        for (uint32_t first = 0; first < count; first += 512) {
            const uint32_t n = std::min<uint32_t>(512, count - first);
            for (uint32_t i = 0; i < n; ++i)
                some[i] = static_cast<Real>(weight_at(projection, row, count, first + i));
            brain.kernels.add_each(to, targets + first, n, some);
        }
    }
}

// The source of a row fired in step `at`.
template <class Real>
void deliver_row(const Brain<Real> &brain, Population<Real> &p, Block<Real> &block, const Projection<Real> &projection,
                 const Rows &rows, uint32_t source, int64_t at) {
    const uint32_t count = rows.count[source];
    if (!count) return;
    block.delivered += count;
    const uint8_t *const row = rows.data[source];
    const auto *const targets = reinterpret_cast<const uint16_t *>(row);
    const Format &format = projection.wiring.format;
    touch(p, (block.first + targets[0]) / tile_size, (block.first + targets[count - 1]) / tile_size,
          at + projection.wiring.longest);
    const bool as_they_are =
        format.weights == Stored::once || !(projection.magnitude && projection.wiring.negative);
    if (!format.delays && projection.receptor >= 0 && as_they_are) {
        add_row(brain, projection, row, count, slot(p, projection.receptor, at + projection.delay) + block.first);
        return;
    }
    for (uint32_t i = 0; i < count; ++i) {
        auto weight = static_cast<Real>(weight_at(projection, row, count, i));
        const int receptor = projection.receptor >= 0 ? projection.receptor : weight < 0;
        if (projection.magnitude) weight = std::abs(weight);
        const int64_t delay = format.delays ? delays_at(projection, row, count)[i] : projection.delay;
        slot(p, receptor, at + delay)[block.first + targets[i]] += weight;
    }
}

template <class Real>
void deliver(Brain<Real> &brain, Block<Real> &block, int64_t slice) {
    Population<Real> &p = brain.populations[block.population];
    for (const int place : p.incoming) {
        const Projection<Real> &projection = *brain.projections[place];
        if (projection.cut) continue;
        for (const auto &record : projection.settling) learn(brain, projection, block, record, false);
    }
    for (int64_t step = 0; step < slice; ++step)
        for (const int place : p.incoming) {
            const Projection<Real> &projection = *brain.projections[place];
            const auto &fired = brain.fired[projection.pre][step];
            if (fired.empty() || projection.cut) continue;
            const Rows &rows = projection.wiring.blocks[block.number];
            const Before<Real> *const seen = projection.plastic ? projection.seen[step].data() : nullptr;
            for (size_t i = 0; i < fired.size(); ++i) {
                if (i + 1 < fired.size()) fetch(projection.wiring.format, rows, fired[i + 1]);
                if (seen) learn(brain, projection, block, seen[i], true);
                deliver_row(brain, p, block, projection, rows, fired[i], brain.now + step);
            }
        }
}

}  // namespace animat
