// Sources: what is fed in from outside, drawn or computed for a tile and step at a time and added to rings.
#pragma once

#include <algorithm>
#include <cmath>

#include "random.hpp"
#include "rings.hpp"

namespace animat {

// Which parts of which sources each block draws for, in order of attachment.
template <class Real>
void share_sources(Brain<Real> &brain) {
    for (auto &block : brain.blocks) block.sources.clear();
    for (auto &[index, s] : brain.sources)
        for (size_t part = 0; part < s->parts.size(); ++part) {
            const Population<Real> &p = brain.populations[s->spec.population];
            const uint32_t first = s->parts[part].tile * tile_size;
            const auto at = std::upper_bound(p.bounds.begin(), p.bounds.end(), first) - p.bounds.begin() - 1;
            brain.blocks[p.blocks[at]].sources.emplace_back(index, part);
        }
}

template <class Real>
int attach_source(Brain<Real> &brain, const SourceSpec &spec) {
    auto made = std::make_unique<Source>();
    Source &s = *made;
    s.spec = spec;
    s.spec.stream += static_cast<uint64_t>(spec.population) << 44;
    s.number = spec.each ? spec.neurons.size() : 1;
    for (auto &values : s.values) values.assign(s.number, 0);
    s.trains_at.assign(s.number + 1, 0);
    Population<Real> &p = brain.populations.at(spec.population);
    for (size_t begin = 0; begin < spec.neurons.size();) {
        const uint32_t tile = spec.neurons[begin] / tile_size;
        size_t end = begin;
        while (end < spec.neurons.size() && spec.neurons[end] / tile_size == tile) ++end;
        s.parts.push_back({tile, begin, end});
        begin = end;
    }
    note_delay(brain, p, spec.delay);
    if (spec.kind >= SourceSpec::dc) {
        s.spec.receptor = p.receptors;
        if (!p.has_currents) {
            p.has_currents = true;
            if (p.slots) p.ring.emplace_back(p.slots * p.padded);
        }
    }
    const int index = brain.next_source++;
    brain.sources[index] = std::move(made);
    share_sources(brain);
    return index;
}

// Whether any of the spikes that were laid down falls into the slice.
template <class Real>
bool emit_trains(const Brain<Real> &brain, const Source &s, Population<Real> &p, const uint32_t *neurons, size_t begin,
                 uint32_t count, int64_t slice) {
    const SourceSpec &spec = s.spec;
    bool any = false;
    const auto due = [&](size_t element, auto &&fire) {
        const auto from = s.trains.begin() + static_cast<ptrdiff_t>(s.trains_at[element]);
        const auto to = s.trains.begin() + static_cast<ptrdiff_t>(s.trains_at[element + 1]);
        for (auto spike = std::upper_bound(from, to, brain.now); spike != to && *spike <= brain.now + slice; ++spike) {
            fire(slot(p, spec.receptor, *spike - 1 + spec.delay));
            any = true;
        }
    };
    const Real weight = static_cast<Real>(spec.weight);
    if (spec.each) {
        for (uint32_t i = 0; i < count; ++i) due(begin + i, [&](Real *to) { to[neurons[i]] += weight; });
    } else {
        due(0, [&](Real *to) {
            for (uint32_t i = 0; i < count; ++i) to[neurons[i]] += weight;
        });
    }
    return any;
}

// Add a source's effect on one tile during the slice.
template <class Real>
void emit(Brain<Real> &brain, const Source &s, size_t part, int64_t slice) {
    const SourceSpec &spec = s.spec;
    Population<Real> &p = brain.populations[spec.population];
    const auto [number, begin, end] = s.parts[part];
    const uint32_t *const neurons = &spec.neurons[begin];
    const auto count = static_cast<uint32_t>(end - begin);
    const bool each = spec.each;
    const Real weight = static_cast<Real>(spec.weight);
    bool any = false;
    for (int64_t step = 0; step < slice; ++step) {
        const int64_t at = brain.now + step;
        Real *const to = slot(p, spec.receptor, at + spec.delay);
        if (spec.kind == SourceSpec::poisson && at > spec.start) {
            if (!each) {
                const double mean = s.values[0][0] * count;
                if (mean <= 0) continue;
                Stream random(brain.seed, spec.stream, number, at);
                for (uint32_t left = random.poisson(mean); left; --left) to[neurons[random.few(count)]] += weight;
            } else {
                Stream random(brain.seed, spec.stream, number, at);
                for (uint32_t i = 0; i < count; ++i) {
                    const double mean = s.values[0][begin + i];
                    if (mean > 0) to[neurons[i]] += weight * static_cast<Real>(random.poisson(mean));
                }
            }
            any = true;
        } else if (spec.kind == SourceSpec::dc || spec.kind == SourceSpec::ac) {
            for (uint32_t i = 0; i < count; ++i) {
                const size_t element = each ? begin + i : 0;
                double current = s.values[0][element];
                if (spec.kind == SourceSpec::ac)
                    current = s.values[1][element] +
                              current *
                                  std::sin(6.283185307179586477 * s.values[2][element] * (at + 1) + s.values[3][element]);
                to[neurons[i]] += weight * static_cast<Real>(current);
                any |= current != 0;
            }
        } else if (spec.kind == SourceSpec::noise) {
            Stream random(brain.seed, spec.stream, number, at / spec.hold);
            for (uint32_t i = 0; i < count; ++i) {
                const size_t element = each ? begin + i : 0;
                const double current = s.values[0][element] + s.values[1][element] * random.normal();
                to[neurons[i]] += weight * static_cast<Real>(current);
                any |= current != 0;
            }
        }
    }
    if (spec.kind == SourceSpec::trains) any = emit_trains(brain, s, p, neurons, begin, count, slice);
    if (any) touch(p, number, number, brain.now + slice - 1 + spec.delay);
}

}  // namespace animat
