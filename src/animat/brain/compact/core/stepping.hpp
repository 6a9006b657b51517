// Neurons of a block advanced by a slice, tile by tile; tiles at rest cost nothing.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "plasticity.hpp"
#include "sources.hpp"

namespace animat {

// What decays without input is 0 below this (mV, nS, pA), so that it comes to rest; far below what rounding does.
template <class Real>
constexpr Real negligible = std::is_same_v<Real, float> ? Real(1e-9) : Real(1e-18);

template <class Real>
Found update_tile(const Brain<Real> &brain, Population<Real> &p, uint32_t first, uint32_t count, int64_t at, int level,
                  int32_t *fired) {
    Real *state[64], *input[32];
    Found found{false, 0};
    const auto group = std::upper_bound(p.starts.begin(), p.starts.end(), first) - p.starts.begin() - 1;
    for (size_t g = group; g < p.starts.size() && p.starts[g] < first + count; ++g) {
        const uint32_t begin = std::max(first, p.starts[g]);
        const uint32_t end = g + 1 < p.starts.size() ? std::min(first + count, p.starts[g + 1]) : first + count;
        for (size_t i = 0; i < p.state.size(); ++i) state[i] = &p.state[i][begin];
        for (int receptor = 0; receptor < p.receptors; ++receptor) input[receptor] = slot(p, receptor, at) + begin;
        const Found mine = brain.kernels.update[p.model](
            {p.coefficients[g].data(), state, &p.refractory[begin], &p.threshold[begin], &p.current[begin], input,
             fired + (begin - first), static_cast<int>(end - begin), p.receptors, level});
        found.fired |= mine.fired;
        found.stiffness = std::max(found.stiffness, mine.stiffness);
    }
    return found;
}

template <class Real>
void take_currents(Population<Real> &p, uint32_t first, uint32_t count, int64_t at) {
    Real *const in = slot(p, p.receptors, at) + first;
    for (uint32_t i = 0; i < count; ++i) {
        p.current[first + i] = p.bias[first + i] + in[i];
        in[i] = 0;
    }
}

template <class Real>
void advance_tile(const Brain<Real> &brain, Population<Real> &p, Block<Real> &block, uint32_t number, uint32_t count,
                  int64_t slice) {
    Tile &tile = p.tiles[number];
    const bool quiet = tile.input_until < brain.now;
    if (quiet && tile.still) return;
    block.updated += count * slice;
    alignas(64) int32_t fired[tile_size];
    const uint32_t first = number * tile_size;
    thread_local std::vector<Real> before;
    bool refractory = false;
    if (quiet) {
        for (uint32_t i = first; i < first + count; ++i) refractory |= p.refractory[i] != 0;
        before.clear();
        for (const auto &state : p.state) before.insert(before.end(), &state[first], &state[first] + count);
        before.insert(before.end(), &p.current[first], &p.current[first] + count);
    }
    bool any_fired = false;
    for (int64_t step = 0; step < slice; ++step) {
        const int64_t at = brain.now + step;
        const Found found = update_tile(brain, p, first, count, at, tile.level, fired);
        if (p.has_currents) take_currents(p, first, count, at);
        tile.level = 0;
        for (float stiffness = found.stiffness; stiffness > stiffest && tile.level + 1 < levels; stiffness /= 2)
            ++tile.level;
        if (!found.fired) continue;
        any_fired = true;
        for (uint32_t i = 0; i < count; ++i)
            for (int32_t spike = 0; spike < fired[i]; ++spike) {
                block.fired[step].push_back(first + i);
                if (p.memory) note_spike(p, block, first + i, static_cast<int32_t>(at + 1));
            }
    }
    if (!quiet) {
        tile.still = 0;
        return;
    }
    for (auto &state : p.state)
        for (uint32_t i = first; i < first + count; ++i)
            if (std::abs(state[i]) < negligible<Real>) state[i] = 0;
    bool same = !any_fired && !refractory;
    const Real *was = before.data();
    for (const auto &state : p.state) {
        same = same && !std::memcmp(was, &state[first], count * sizeof(Real));
        was += count;
    }
    same = same && !std::memcmp(was, &p.current[first], count * sizeof(Real));
    tile.still = same;
}

template <class Real>
void advance(Brain<Real> &brain, Block<Real> &block, int64_t slice) {
    for (const auto &[index, part] : block.sources) emit(brain, *brain.sources.find(index)->second, part, slice);
    for (auto &fired : block.fired) fired.clear();
    Population<Real> &p = brain.populations[block.population];
    const uint32_t end = block.first + block.count;
    for (uint32_t first = block.first; first < end; first += tile_size)
        advance_tile(brain, p, block, first / tile_size, std::min(end - first, tile_size), slice);
}

}  // namespace animat
