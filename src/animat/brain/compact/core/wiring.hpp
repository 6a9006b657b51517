// Draws the synapses of a projection into rows, by all threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "draw.hpp"
#include "pool.hpp"
#include "random.hpp"
#include "rows.hpp"
#include "sampling.hpp"

namespace animat {

// Blocks of a population: where each begins, and its end.
using Bounds = std::vector<uint32_t>;

struct Wiring {
    Format format;
    std::vector<Rows> blocks;
    uint64_t synapses = 0;
    bool negative = false, positive = false;
    int64_t shortest = std::numeric_limits<int64_t>::max(), longest = 0;
};

// Numbers of a distribution, one after the other.
class Values {
  public:
    Values(const Distribution &distribution, uint64_t seed, uint64_t what, uint64_t which)
        : distribution_(distribution), seed_(seed), what_(what), which_(which) {}

    void take(uint32_t count, std::vector<float> &out) {
        out.resize(count);
        for (uint32_t filled = 0; filled < count;) {
            if (used_ == drawn_at_once) refill();
            const uint32_t part = std::min<uint32_t>(count - filled, drawn_at_once - used_);
            std::copy_n(held_ + used_, part, out.data() + filled);
            used_ += static_cast<int>(part);
            filled += part;
        }
    }

  private:
    void refill() {
        const auto &[kind, a, b, listed] = distribution_;
        const float least = static_cast<float>(a), factor = static_cast<float>(kind == Distribution::uniform ? b - a : b);
        if (!lanes_) lanes_.emplace(seed_, what_, which_);
        if (kind == Distribution::uniform)
            sampling().uniforms(*lanes_, held_);
        else
            sampling().normals(*lanes_, held_);
        for (float &x : held_) x = least + factor * x;
        if (kind == Distribution::lognormal) sampling().powers(held_, drawn_at_once);
        used_ = 0;
    }

    const Distribution distribution_;
    const uint64_t seed_, what_, which_;
    std::optional<Lanes> lanes_;
    int used_ = drawn_at_once;
    float held_[drawn_at_once];
};

class Drawing {
  public:
    Drawing(Pool &pool, std::vector<std::unique_ptr<Arena>> &arenas, uint64_t seed, uint64_t stream, uint32_t sources,
            const Bounds &bounds, bool not_itself, Format format, const Distribution &weight, const Distribution &delay)
        : pool_(pool), arenas_(arenas), seed_(seed), stream_(stream), sources_(sources), bounds_(bounds),
          not_itself_(not_itself), weight_(weight), delay_(delay), mine_(pool.size()) {
        found_.format = format;
        for (size_t block = 0; block + 1 < bounds.size(); ++block) found_.blocks.emplace_back(sources);
    }

    Wiring draw(const Rule &rule) {
        std::visit([this](const auto &which) { this->carry_out(which); }, rule);
        for (const auto &part : mine_) {
            found_.synapses += part.synapses;
            found_.negative |= part.negative;
            found_.positive |= part.positive;
            found_.shortest = std::min(found_.shortest, part.shortest);
            found_.longest = std::max(found_.longest, part.longest);
        }
        if (delay_.kind == Distribution::constant) found_.shortest = found_.longest = steps_of(delay_.a);
        if (!drawn_weights_) {
            found_.negative = weight_.a < 0;
            found_.positive = !found_.negative;
        }
        return std::move(found_);
    }

  private:
    // What sources above each other have in common: the hazard of one draw at each column of targets and its inverse,
    // the number of draws for each neuron there, and the hazards of all columns before, all times their draws.
    struct Columns {
        std::vector<double> chance, hazard, inverse, before;
        std::vector<uint32_t> draws;
    };

    // Sources above each other that are drawn together, and the pairs of them with one neuron after the other of a
    // column of targets, as often as the lattices' depths have them drawn.
    struct Bundle {
        struct Pair {
            uint32_t source, target;
        };
        uint32_t first, sources;
        std::vector<Pair> pairs;
    };
    static constexpr int most_together = 16;

    struct Part {
        std::vector<uint32_t> targets;
        std::vector<uint32_t> targets_of[most_together];
        size_t number_of[most_together];
        std::vector<float> values;
        Columns columns;
        uint64_t synapses = 0;
        bool negative = false, positive = false;
        int64_t shortest = std::numeric_limits<int64_t>::max(), longest = 0;
    };

    enum Use : uint64_t { for_pairs = 0, for_weights = 1ull << 60, for_delays = 2ull << 60, for_degrees = 3ull << 60 };

    Stream stream(Use use, uint64_t which) const { return Stream(seed_, stream_ | use, which); }

    // Weights and delays of neurons that are drawn one after the other.
    struct Kinds {
        Values weights, delays;
    };
    Kinds kinds(uint64_t which) const {
        return {Values(weight_, seed_, stream_ | for_weights, which),
                Values(delay_, seed_, stream_ | for_delays, which)};
    }

    static int64_t steps_of(double delay) { return std::max<int64_t>(1, std::llround(delay)); }

    // Weights of a row from `place` on, as its format holds them (or not); `weight(i)` names that of `place` + i.
    template <class Weight>
    void put(uint8_t *row, uint32_t count, uint32_t place, uint32_t number, Weight weight) const {
        uint8_t *const to = row + found_.format.weights_at(count);
        if (found_.format.weights == Stored::twice)
            for (uint32_t i = 0; i < number; ++i) reinterpret_cast<double *>(to)[place + i] = weight(i);
        if (found_.format.weights == Stored::single)
            for (uint32_t i = 0; i < number; ++i)
                reinterpret_cast<float *>(to)[place + i] = static_cast<float>(weight(i));
        if (found_.format.weights == Stored::half)
            for (uint32_t i = 0; i < number; ++i)
                reinterpret_cast<uint16_t *>(to)[place + i] = to_half(static_cast<float>(weight(i)));
    }

    void put_weights(Part &part, uint8_t *row, uint32_t count) const {
        const float *const from = part.values.data();
        for (uint32_t i = 0; i < count; ++i) part.negative |= from[i] < 0, part.positive |= !(from[i] < 0);
        put(row, count, 0, count, [=](uint32_t i) { return from[i]; });
    }

    void put_weight(Part &part, uint8_t *row, uint32_t count, uint32_t place, double weight) const {
        (weight < 0 ? part.negative : part.positive) = true;
        put(row, count, place, 1, [=](uint32_t) { return weight; });
    }

    // Plastic synapses begin alike; others keep no weight of their own then.
    void put_same_weight(uint8_t *row, uint32_t count) const {
        put(row, count, 0, count, [weight = weight_.a](uint32_t) { return weight; });
    }

    void put_delay(Part &part, uint8_t *row, uint32_t count, uint32_t place, double delay) const {
        const int64_t steps = std::min<int64_t>(65535, steps_of(delay));
        part.shortest = std::min(part.shortest, steps);
        part.longest = std::max(part.longest, steps);
        reinterpret_cast<uint16_t *>(row + found_.format.delays_at(count))[place] = static_cast<uint16_t>(steps);
    }

    // Keep the targets (ascending) of a source.
    void keep(uint32_t source, const uint32_t *targets, size_t number, Kinds &kinds, Part &part, Arena &arena) {
        const Format &format = found_.format;
        size_t begin = 0;
        for (size_t block = 0; begin < number; ++block) {
            const size_t end = std::lower_bound(targets + begin, targets + number, bounds_[block + 1]) - targets;
            const uint32_t count = static_cast<uint32_t>(end - begin);
            if (!count) continue;
            uint8_t *const row = arena.take(format.bytes(count));
            auto *const to = reinterpret_cast<uint16_t *>(row);
            const uint32_t *const from = &targets[begin];
            const uint32_t first = bounds_[block];
            for (uint32_t i = 0; i < count; ++i) to[i] = static_cast<uint16_t>(from[i] - first);
            if (drawn_weights_) {
                kinds.weights.take(count, part.values);
                put_weights(part, row, count);
            } else {
                put_same_weight(row, count);
            }
            if (format.delays) {
                kinds.delays.take(count, part.values);
                for (uint32_t i = 0; i < count; ++i) put_delay(part, row, count, i, part.values[i]);
            }
            found_.blocks[block].count[source] = count;
            found_.blocks[block].data[source] = row;
            begin = end;
        }
        part.synapses += number;
    }

    // Let `find(source, part)` name the targets of each source.
    void by_source(const std::function<void(uint32_t, Part &)> &find) {
        constexpr uint32_t at_once = 64;
        pool_.run((sources_ + at_once - 1) / at_once, [&](size_t task, int thread) {
            Part &part = mine_[thread];
            const uint32_t first = static_cast<uint32_t>(task) * at_once;
            Kinds drawn = kinds(first);
            for (uint32_t source = first; source < std::min(first + at_once, sources_); ++source) {
                part.targets.clear();
                find(source, part);
                keep(source, part.targets.data(), part.targets.size(), drawn, part, *arenas_[thread]);
            }
        });
    }

    // With hazard l = -log(1 - p) a trial fails if an exponential clock runs past it: one random number per synapse.
    void carry_out(const Bernoulli &rule) {
        const double hazard = rule.p < 1 ? -std::log1p(-rule.p) : 0;
        by_source([&](uint32_t source, Part &part) {
            Stream random = stream(for_pairs, source);
            double target = -1;
            while (true) {
                target += 1 + (rule.p < 1 ? std::floor(random.exponential() / hazard) : 0);
                if (target >= bounds_.back()) break;
                if (!(not_itself_ && target == source)) part.targets.push_back(static_cast<uint32_t>(target));
            }
        });
    }

    void carry_out(const AllToAll &) {
        by_source([&](uint32_t source, Part &part) {
            for (uint32_t target = 0; target < bounds_.back(); ++target)
                if (!(not_itself_ && target == source)) part.targets.push_back(target);
        });
    }

    void carry_out(const OneToOne &) {
        by_source([&](uint32_t source, Part &part) { part.targets.push_back(source); });
    }

    // p = 1, as a hazard: a draw fails once in 10^15.
    static constexpr double certain = 36;

    static std::vector<Bundle> bundles_of(const OnLattices &rule) {
        constexpr uint32_t most_pairs = 4096;
        std::vector<Bundle> bundles;
        for (uint32_t source = 0; source < rule.from[2] * rule.from_site; ++source) {
            if (bundles.empty() || bundles.back().sources == most_together || bundles.back().pairs.size() >= most_pairs)
                bundles.push_back({source, 0, {}});
            Bundle &bundle = bundles.back();
            const int32_t *const draws = &rule.draws[2][source / rule.from_site * rule.to[2]];
            for (uint32_t z = 0; z < rule.to[2]; ++z)
                for (uint32_t site = 0; site < rule.to_site; ++site)
                    for (int32_t draw = 0; draw < draws[z]; ++draw)
                        bundle.pairs.push_back({bundle.sources, z * rule.to_site + site});
            ++bundle.sources;
        }
        return bundles;
    }

    void carry_out(const OnLattices &rule) {
        const std::vector<Bundle> bundles = bundles_of(rule);
        const uint32_t deep = rule.from[2] * rule.from_site;
        pool_.run(rule.from[0] * rule.from[1], [&](size_t column, int thread) {
            Part &part = mine_[thread];
            const uint32_t x = static_cast<uint32_t>(column) / rule.from[1], y = column % rule.from[1];
            tabulate(rule, x, y, part.columns);
            const auto &hazard = part.columns.hazard;
            const bool sure = std::all_of(hazard.begin(), hazard.end(), [](double one) { return one == certain; });
            for (const Bundle &bundle : bundles) {
                std::fill_n(part.number_of, bundle.sources, 0);
                const uint32_t first = static_cast<uint32_t>(column) * deep + bundle.first;
                if (sure)
                    all_of(rule, bundle, first, part);
                else
                    some_of(rule, bundle, first, part);
                Kinds drawn = kinds(first);
                for (uint32_t one = 0; one < bundle.sources; ++one)
                    keep(first + one, part.targets_of[one].data(), part.number_of[one], drawn, part, *arenas_[thread]);
            }
        });
    }

    static void tabulate(const OnLattices &rule, uint32_t x, uint32_t y, Columns &table) {
        const uint32_t tx = rule.to[0], ty = rule.to[1];
        const size_t number = size_t(tx) * ty;
        table.chance.resize(number);
        table.hazard.resize(number);
        table.inverse.resize(number);
        table.draws.resize(number);
        table.before.resize(number + 2);
        for (uint32_t i = 0; i < tx; ++i)
            for (uint32_t j = 0; j < ty; ++j) {
                table.chance[i * ty + j] = rule.center * rule.chance[0][x * tx + i] * rule.chance[1][y * ty + j];
                table.draws[i * ty + j] = rule.draws[0][x * tx + i] * rule.draws[1][y * ty + j];
            }
        sampling().hazards(table.chance.data(), table.hazard.data(), static_cast<int>(number));
        double sum = 0;
        for (size_t at = 0; at < number; ++at) {
            const double p = table.chance[at];
            if (p > 0.5) table.hazard[at] = p < 1 ? std::min(certain, -std::log1p(-p)) : certain;
            table.inverse[at] = 1 / table.hazard[at];
            table.before[at] = sum;
            sum += table.hazard[at] * table.draws[at];
        }
        table.before[number] = sum;
        table.before[number + 1] = std::numeric_limits<double>::infinity();
    }

    void all_of(const OnLattices &rule, const Bundle &bundle, uint32_t first, Part &part) const {
        const uint32_t deep = rule.to[2] * rule.to_site;
        for (uint32_t one = 0; one < bundle.sources; ++one) part.targets_of[one].clear();
        for (uint32_t column = 0; column < part.columns.draws.size(); ++column)
            for (const auto &pair : bundle.pairs)
                for (uint32_t draw = 0; draw < part.columns.draws[column]; ++draw) {
                    const uint32_t target = column * deep + pair.target;
                    if (!(not_itself_ && target == first + pair.source)) part.targets_of[pair.source].push_back(target);
                }
        for (uint32_t one = 0; one < bundle.sources; ++one) part.number_of[one] = part.targets_of[one].size();
    }

    // All draws lie on a line, each as long as its hazard l = -log(1 - p); those that random points hit (on average one
    // on a length of 1) succeed: none hits with probability exp(-l) = 1 - p. Here the line is that of one pair; all
    // pairs lie side by side within each column.
    void some_of(const OnLattices &rule, const Bundle &bundle, uint32_t first, Part &part) const {
        const uint32_t deep = rule.to[2] * rule.to_site, columns = static_cast<uint32_t>(part.columns.draws.size());
        const double *const before = part.columns.before.data(), *const inverse = part.columns.inverse.data();
        const uint32_t *const draws_at = part.columns.draws.data();
        const Bundle::Pair *const pairs = bundle.pairs.data();
        const auto number = static_cast<uint32_t>(bundle.pairs.size());
        if (!number || !(before[columns] > 0)) return;
        const double unit = 1.0 / number;
        const int64_t itself = not_itself_ ? first : -most_together;
        Lanes lanes(seed_, stream_ | for_pairs, first);
        float gaps[drawn_at_once];
        uint32_t *next[most_together];
        double at = 0;
        uint32_t column = 0;
        uint64_t latest = ~uint64_t(0);
        for (uint32_t one = 0; one < bundle.sources; ++one) next[one] = part.targets_of[one].data();
        while (column < columns) {
            for (uint32_t one = 0; one < bundle.sources; ++one) {
                auto &targets = part.targets_of[one];
                const size_t held = static_cast<size_t>(next[one] - targets.data());
                if (targets.size() < held + drawn_at_once) targets.resize(2 * held + drawn_at_once);
                next[one] = targets.data() + held;
            }
            sampling().exponentials(lanes, gaps);
            for (const float gap : gaps) {
                at += gap * unit;
                while (at >= before[column + 1]) ++column;
                if (column == columns) break;
                const uint32_t draws = draws_at[column];
                const auto hit = static_cast<uint32_t>((at - before[column]) * inverse[column] * number);
                const uint32_t draw = std::min(draws * number - 1, hit);
                const Bundle::Pair pair = pairs[draws == 1 ? draw : draw / draws];
                const uint32_t target = column * deep + pair.target;
                const uint64_t name = static_cast<uint64_t>(column) << 32 | draw;
                *next[pair.source] = target;
                next[pair.source] += (name != latest) & (target != itself + pair.source);
                latest = name;
            }
        }
        for (uint32_t one = 0; one < bundle.sources; ++one)
            part.number_of[one] = static_cast<size_t>(next[one] - part.targets_of[one].data());
    }

    // Sources of every target are drawn twice with the same numbers: once to count, once to fill.
    void carry_out(const FixedInDegree &rule) {
        const uint32_t choices = sources_ - not_itself_;
        by_target([&](uint32_t target, std::vector<uint32_t> &drawn) {
            auto wanted = static_cast<uint32_t>(rule.indegree);
            if (rule.indegree > wanted)
                wanted += stream(for_degrees, target).uniform() < rule.indegree - wanted;
            drawn.clear();
            if (rule.masked) {
                draw_within(rule.mask, target, wanted, drawn);
                return;
            }
            if (rule.multapses)
                any(choices, target, wanted, drawn);
            else
                distinct(choices, target, wanted, drawn);
            if (not_itself_)
                for (auto &source : drawn) source += source >= target;
        });
    }

    void any(uint32_t choices, uint32_t target, uint32_t wanted, std::vector<uint32_t> &drawn) const {
        Lanes lanes(seed_, stream_ | for_pairs, target);
        drawn.resize((wanted + drawn_at_once - 1) / drawn_at_once * drawn_at_once);
        for (uint32_t i = 0; i < wanted; i += drawn_at_once) sampling().choices(lanes, choices, &drawn[i]);
        drawn.resize(wanted);
    }

    bool admitted(const Mask &mask, uint32_t source, uint32_t target) const {
        if (not_itself_ && source == target) return false;
        double apart[3];
        for (int axis = 0; axis < 3; ++axis) {
            double distance = std::fabs(mask.to[3 * size_t(target) + axis] - mask.from[3 * size_t(source) + axis]);
            if (mask.period[axis] > 0)
                distance = std::fabs(distance - mask.period[axis] * std::nearbyint(distance / mask.period[axis]));
            apart[axis] = distance;
        }
        if (mask.radius > 0) return apart[0] * apart[0] + apart[1] * apart[1] <= mask.radius * mask.radius;
        return apart[0] <= mask.half[0] && apart[1] <= mask.half[1] && apart[2] <= mask.half[2];
    }

    // Any sources until the mask admits one; if that takes too long, one of a list of all that it admits.
    void draw_within(const Mask &mask, uint32_t target, uint32_t wanted, std::vector<uint32_t> &drawn) const {
        Stream random = stream(for_pairs, target);
        constexpr int trials = 100;
        std::vector<uint32_t> all;
        while (drawn.size() < wanted) {
            uint32_t source = 0;
            bool found = false;
            for (int trial = 0; trial < trials && all.empty() && !found; ++trial) {
                source = random.below(sources_);
                found = admitted(mask, source, target);
            }
            if (!found) {
                for (uint32_t one = 0; one < sources_ && (all.empty() || one > all.back()); ++one)
                    if (admitted(mask, one, target)) all.push_back(one);
                if (all.empty()) throw std::out_of_range(std::to_string(target));
                source = all[random.below(static_cast<uint32_t>(all.size()))];
            }
            drawn.push_back(source);
        }
    }

    // Robert Floyd's sample without repetition; from many of few, what is left out is drawn.
    void distinct(uint32_t choices, uint32_t target, uint32_t wanted, std::vector<uint32_t> &drawn) const {
        Stream random = stream(for_pairs, target);
        std::vector<bool> taken(choices);
        const bool inverse = 2 * size_t(wanted) > choices;
        const uint32_t draws = inverse ? choices - wanted : wanted;
        for (uint32_t last = choices - draws; last < choices; ++last) {
            const uint32_t tried = random.below(last + 1);
            taken[taken[tried] ? last : tried] = true;
        }
        for (uint32_t source = 0; source < choices; ++source)
            if (taken[source] != inverse) drawn.push_back(source);
    }

    // Each block is filled by one thread; its targets ascend, so its rows do.
    void by_target(const std::function<void(uint32_t, std::vector<uint32_t> &)> &find) {
        const Format &format = found_.format;
        pool_.run(found_.blocks.size(), [&](size_t block, int thread) {
            Part &part = mine_[thread];
            Rows &rows = found_.blocks[block];
            for (uint32_t target = bounds_[block]; target < bounds_[block + 1]; ++target) {
                find(target, part.targets);
                for (const uint32_t source : part.targets) ++rows.count[source];
            }
            for (uint32_t source = 0; source < sources_; ++source) {
                if (rows.count[source]) rows.data[source] = arenas_[thread]->take(format.bytes(rows.count[source]));
                part.synapses += rows.count[source];
            }
            std::vector<float> weights, delays;
            std::vector<uint16_t *> next(sources_);
            for (uint32_t source = 0; source < sources_; ++source) next[source] = rows.targets(source);
            for (uint32_t target = bounds_[block]; target < bounds_[block + 1]; ++target) {
                find(target, part.targets);
                Kinds kinds = this->kinds(target);
                if (drawn_weights_) kinds.weights.take(static_cast<uint32_t>(part.targets.size()), weights);
                if (format.delays) kinds.delays.take(static_cast<uint32_t>(part.targets.size()), delays);
                for (size_t i = 0; i < part.targets.size(); ++i) {
                    const uint32_t source = part.targets[i];
                    uint16_t *const at = next[source]++;
                    *at = static_cast<uint16_t>(target - bounds_[block]);
                    if (!drawn_weights_ && !format.delays) continue;
                    const auto place = static_cast<uint32_t>(at - rows.targets(source));
                    if (drawn_weights_)
                        put_weight(part, rows.data[source], rows.count[source], place, weights[i]);
                    if (format.delays) put_delay(part, rows.data[source], rows.count[source], place, delays[i]);
                }
            }
            for (uint32_t source = 0; source < sources_ && !drawn_weights_; ++source)
                put_same_weight(rows.data[source], rows.count[source]);
        });
    }

    // Sorted by target first, so that rows ascend, whatever the order of the list.
    void carry_out(const Listed &rule) {
        std::vector<size_t> order(rule.count);
        for (size_t i = 0; i < rule.count; ++i) order[i] = i;
        std::stable_sort(order.begin(), order.end(),
                         [&](size_t a, size_t b) { return rule.targets[a] < rule.targets[b]; });
        Kinds kinds = this->kinds(0);
        const Format &format = found_.format;
        Part &part = mine_[0];
        const auto values = [&](bool wanted, const Distribution &distribution, Values &values) {
            if (!wanted) return std::vector<double>();
            if (distribution.kind == Distribution::listed)
                return std::vector<double>(distribution.values, distribution.values + rule.count);
            values.take(static_cast<uint32_t>(rule.count), part.values);
            return std::vector<double>(part.values.begin(), part.values.end());
        };
        const std::vector<double> weights = values(format.weights != Stored::once, weight_, kinds.weights);
        const std::vector<double> delays = values(format.delays, delay_, kinds.delays);
        std::vector<uint32_t> filled(sources_);
        size_t begin = 0;
        for (size_t block = 0; block < found_.blocks.size(); ++block) {
            Rows &rows = found_.blocks[block];
            size_t end = begin;
            for (; end < rule.count && rule.targets[order[end]] < bounds_[block + 1]; ++end)
                ++rows.count[rule.sources[order[end]]];
            for (uint32_t source = 0; source < sources_; ++source)
                if (rows.count[source]) rows.data[source] = arenas_[0]->take(format.bytes(rows.count[source]));
            std::fill(filled.begin(), filled.end(), 0);
            for (; begin < end; ++begin) {
                const size_t i = order[begin];
                const uint32_t source = rule.sources[i], place = filled[source]++, count = rows.count[source];
                rows.targets(source)[place] = static_cast<uint16_t>(rule.targets[i] - bounds_[block]);
                if (!weights.empty()) put_weight(part, rows.data[source], count, place, weights[i]);
                if (!delays.empty()) put_delay(part, rows.data[source], count, place, delays[i]);
            }
        }
        part.synapses += rule.count;
    }

    Pool &pool_;
    std::vector<std::unique_ptr<Arena>> &arenas_;
    const uint64_t seed_, stream_;
    const uint32_t sources_;
    const Bounds &bounds_;
    const bool not_itself_;
    const Distribution weight_, delay_;
    const bool drawn_weights_ = weight_.kind != Distribution::constant;
    std::vector<Part> mine_;
    Wiring found_;
};

}  // namespace animat
