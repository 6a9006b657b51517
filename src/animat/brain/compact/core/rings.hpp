// Rings: what is on its way to neurons, by population, receptor and the step at which it takes effect.
#pragma once

#include <cstring>

#include "brain.hpp"

namespace animat {

template <class Real>
Real *slot(Population<Real> &p, int receptor, int64_t step) {
    return &p.ring[receptor][(step % p.slots) * p.padded];
}

// Tiles have something in slots up to `until`.
template <class Real>
void touch(Population<Real> &p, uint32_t first, uint32_t last, int64_t until) {
    for (uint32_t tile = first; tile <= last; ++tile)
        if (p.tiles[tile].input_until < until) p.tiles[tile].input_until = until;
}

// Make rings as long as delays ask for; what is in them stays.
template <class Real>
void lay_out(const Brain<Real> &brain, Population<Real> &p) {
    const int64_t slots = p.longest + brain.slice;
    const size_t rings = p.receptors + p.has_currents;
    p.ring.resize(rings);
    for (auto &ring : p.ring) {
        std::vector<Real> fresh(slots * p.padded);
        for (int64_t step = brain.now; step < brain.now + p.slots && step < brain.now + slots && !ring.empty(); ++step)
            std::memcpy(&fresh[(step % slots) * p.padded], &ring[(step % p.slots) * p.padded], p.padded * sizeof(Real));
        ring = std::move(fresh);
    }
    p.slots = slots;
}

template <class Real>
void note_delay(const Brain<Real> &brain, Population<Real> &p, int64_t delay) {
    if (delay > p.longest) p.longest = delay;
    if (p.slots && p.longest + brain.slice > p.slots) lay_out(brain, p);
}

// Once all delays are known: slices of the smallest one.
template <class Real>
void prepare(Brain<Real> &brain) {
    const int64_t slice = std::min(brain.shortest, longest_slice);
    if (slice == brain.slice && brain.ready) return;
    brain.slice = slice;
    brain.ready = true;
    for (auto &p : brain.populations) lay_out(brain, p);
    for (auto &block : brain.blocks) block.fired.resize(slice);
    brain.fired.assign(brain.populations.size(), std::vector<std::vector<uint32_t>>(slice));
}

}  // namespace animat
