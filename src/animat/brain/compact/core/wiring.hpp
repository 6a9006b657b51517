// Draws the synapses of a projection into rows, by all threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "draw.hpp"
#include "pool.hpp"
#include "random.hpp"
#include "rows.hpp"

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
        if (weight_.kind == Distribution::constant) {
            found_.negative = weight_.a < 0;
            found_.positive = !found_.negative;
        }
        return std::move(found_);
    }

  private:
    struct Part {
        std::vector<uint32_t> targets;
        std::vector<double> points;
        uint64_t synapses = 0;
        bool negative = false, positive = false;
        int64_t shortest = std::numeric_limits<int64_t>::max(), longest = 0;
    };

    enum Use : uint64_t { for_pairs = 0, for_weights = 1ull << 60, for_delays = 2ull << 60 };

    Stream stream(Use use, uint64_t which) const { return Stream(seed_, stream_ | use, which); }

    static int64_t steps_of(double delay) { return std::max<int64_t>(1, std::llround(delay)); }

    static double value(const Distribution &distribution, Stream &stream) {
        switch (distribution.kind) {
            case Distribution::uniform: return distribution.a + (distribution.b - distribution.a) * stream.uniform();
            case Distribution::normal: return distribution.a + distribution.b * stream.normal();
            case Distribution::lognormal: return std::exp(distribution.a + distribution.b * stream.normal());
            default: return distribution.a;
        }
    }

    void put_weight(Part &part, uint8_t *row, uint32_t count, uint32_t place, double weight) const {
        uint8_t *const weights = row + found_.format.weights_at(count);
        (weight < 0 ? part.negative : part.positive) = true;
        if (found_.format.weights == Stored::twice) reinterpret_cast<double *>(weights)[place] = weight;
        if (found_.format.weights == Stored::single)
            reinterpret_cast<float *>(weights)[place] = static_cast<float>(weight);
        if (found_.format.weights == Stored::half)
            reinterpret_cast<uint16_t *>(weights)[place] = to_half(static_cast<float>(weight));
    }

    void put_delay(Part &part, uint8_t *row, uint32_t count, uint32_t place, double delay) const {
        const int64_t steps = std::min<int64_t>(65535, steps_of(delay));
        part.shortest = std::min(part.shortest, steps);
        part.longest = std::max(part.longest, steps);
        reinterpret_cast<uint16_t *>(row + found_.format.delays_at(count))[place] = static_cast<uint16_t>(steps);
    }

    // Keep the targets (ascending) of a source.
    void keep(uint32_t source, Part &part, Arena &arena) {
        const auto &targets = part.targets;
        if (targets.empty()) return;
        const Format &format = found_.format;
        const bool weights = format.weights != Stored::once;
        Stream for_weight = stream(for_weights, source), for_delay = stream(for_delays, source);
        size_t begin = 0;
        for (size_t block = 0; begin < targets.size(); ++block) {
            const size_t end = std::lower_bound(targets.begin() + static_cast<ptrdiff_t>(begin), targets.end(),
                                                bounds_[block + 1]) -
                               targets.begin();
            const uint32_t count = static_cast<uint32_t>(end - begin);
            if (!count) continue;
            uint8_t *const row = arena.take(format.bytes(count));
            auto *const to = reinterpret_cast<uint16_t *>(row);
            const uint32_t *const from = &targets[begin];
            const uint32_t first = bounds_[block];
            for (uint32_t i = 0; i < count; ++i) to[i] = static_cast<uint16_t>(from[i] - first);
            if (weights)
                for (uint32_t i = 0; i < count; ++i) put_weight(part, row, count, i, value(weight_, for_weight));
            if (format.delays)
                for (uint32_t i = 0; i < count; ++i) put_delay(part, row, count, i, value(delay_, for_delay));
            found_.blocks[block].count[source] = count;
            found_.blocks[block].data[source] = row;
            begin = end;
        }
        part.synapses += targets.size();
    }

    // Let `find(source, part)` name the targets of each source.
    void by_source(const std::function<void(uint32_t, Part &)> &find) {
        constexpr uint32_t at_once = 64;
        pool_.run((sources_ + at_once - 1) / at_once, [&](size_t task, int thread) {
            Part &part = mine_[thread];
            const uint32_t first = static_cast<uint32_t>(task) * at_once;
            for (uint32_t source = first; source < std::min(first + at_once, sources_); ++source) {
                part.targets.clear();
                find(source, part);
                keep(source, part, *arenas_[thread]);
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

    // What sources above each other have in common: the hazard of one draw at each column of targets, the number of
    // draws for each neuron there, and the hazards of all columns before, all times their draws.
    struct Columns {
        std::vector<double> hazard, before;
        std::vector<uint32_t> draws;
    };

    // Columns that a point is compared with at a time.
    static constexpr uint32_t at_once = 8;

    // p = 1, as a hazard: a draw fails once in 10^26.
    static constexpr double certain = 60;

    void carry_out(const OnLattices &rule) {
        const uint32_t columns = rule.from[0] * rule.from[1], tz = rule.to[2];
        std::vector<std::vector<uint32_t>> trials(rule.from[2]);
        for (uint32_t z = 0; z < rule.from[2]; ++z)
            for (uint32_t to = 0; to < tz; ++to)
                for (uint32_t site = 0; site < rule.to_site; ++site)
                    for (int32_t draw = 0; draw < rule.draws[2][z * tz + to]; ++draw)
                        trials[z].push_back(to * rule.to_site + site);
        std::vector<Columns> tables(pool_.size());
        pool_.run(columns, [&](size_t column, int thread) {
            const uint32_t x = static_cast<uint32_t>(column) / rule.from[1], y = column % rule.from[1];
            Columns &table = tables[thread];
            tabulate(rule, x, y, table);
            const bool sure = std::all_of(table.hazard.begin(), table.hazard.end(),
                                          [](double hazard) { return hazard == certain; });
            for (uint32_t z = 0; z < rule.from[2]; ++z)
                for (uint32_t site = 0; site < rule.from_site; ++site) {
                    const uint32_t source = ((x * rule.from[1] + y) * rule.from[2] + z) * rule.from_site + site;
                    mine_[thread].targets.clear();
                    if (sure)
                        all_of(rule, source, table, trials[z], mine_[thread].targets);
                    else if (!trials[z].empty() && table.before[table.draws.size()] > 0)
                        some_of(rule, source, table, trials[z], mine_[thread]);
                    keep(source, mine_[thread], *arenas_[thread]);
                }
        });
    }

    // -log(1 - p); the series is cut where it no longer matters (p^6 / 6), and p = 1 is nearly so.
    static double hazard_of(double p) {
        if (p < 0.005) return p * (1 + p * (1.0 / 2 + p * (1.0 / 3 + p * (1.0 / 4 + p * (1.0 / 5)))));
        return p < 1 ? std::min(certain, -std::log1p(-p)) : certain;
    }

    static void tabulate(const OnLattices &rule, uint32_t x, uint32_t y, Columns &table) {
        const uint32_t tx = rule.to[0], ty = rule.to[1];
        const size_t number = size_t(tx) * ty;
        table.hazard.resize(number);
        table.draws.resize(number);
        table.before.resize(number + 1 + at_once);
        double sum = 0;
        for (uint32_t i = 0; i < tx; ++i) {
            const double along_x = rule.center * rule.chance[0][x * tx + i];
            const auto draws_x = static_cast<uint32_t>(rule.draws[0][x * tx + i]);
            for (uint32_t j = 0; j < ty; ++j) {
                const size_t at = size_t(i) * ty + j;
                const double p = along_x * rule.chance[1][y * ty + j];
                table.hazard[at] = hazard_of(p);
                table.draws[at] = draws_x * static_cast<uint32_t>(rule.draws[1][y * ty + j]);
                table.before[at] = sum;
                sum += table.hazard[at] * table.draws[at];
            }
        }
        std::fill(table.before.begin() + static_cast<ptrdiff_t>(number), table.before.end(),
                  std::numeric_limits<double>::infinity());
        table.before[number] = sum;
    }

    void all_of(const OnLattices &rule, uint32_t source, const Columns &table, const std::vector<uint32_t> &trials,
                std::vector<uint32_t> &targets) const {
        const uint32_t deep = rule.to[2] * rule.to_site;
        for (size_t column = 0; column < table.draws.size(); ++column)
            for (size_t trial = 0; trial < table.draws[column] * trials.size(); ++trial) {
                const uint32_t target = static_cast<uint32_t>(column) * deep + trials[trial / table.draws[column]];
                if (!(not_itself_ && target == source)) targets.push_back(target);
            }
    }

    // All draws lie on a line, each as long as its hazard l = -log(1 - p); those that random points hit (on average one
    // on a length of 1) succeed: none hits with probability exp(-l) = 1 - p.
    void some_of(const OnLattices &rule, uint32_t source, const Columns &table, const std::vector<uint32_t> &trials,
                 Part &part) const {
        const uint32_t deep = rule.to[2] * rule.to_site;
        const double number = static_cast<double>(trials.size()), unit = 1 / number;
        const double *const before = table.before.data();
        const double end = before[table.draws.size()];
        Stream random = stream(for_pairs, source);
        auto &points = part.points;
        points.clear();
        for (double at = random.exponential() * unit; at < end; at += random.exponential() * unit) points.push_back(at);
        part.targets.resize(points.size());
        uint32_t *next = part.targets.data();
        uint64_t latest = ~uint64_t(0);
        uint32_t column = 0;
        for (const double at : points) {
            for (uint32_t passed = at_once; passed == at_once; column += passed) {
                passed = 0;
                for (uint32_t i = 1; i <= at_once; ++i) passed += before[column + i] <= at;
            }
            const uint32_t draws = table.draws[column];
            const int32_t last = static_cast<int32_t>(draws * trials.size()) - 1;
            const auto hit = static_cast<int32_t>((at - before[column]) * number / table.hazard[column]);
            const auto draw = static_cast<uint32_t>(std::min(last, hit));
            const uint32_t target = column * deep + trials[draws == 1 ? draw : draw / draws];
            const uint64_t name = static_cast<uint64_t>(column) << 32 | draw;
            *next = target;
            next += (name != latest) & !(not_itself_ && target == source);
            latest = name;
        }
        part.targets.resize(next - part.targets.data());
    }

    // Sources of every target are drawn twice with the same numbers: once to count, once to fill.
    void carry_out(const FixedInDegree &rule) {
        const uint32_t choices = sources_ - not_itself_;
        by_target([&](uint32_t target, std::vector<uint32_t> &drawn) {
            Stream random = stream(for_pairs, target);
            double wanted = std::floor(rule.indegree);
            if (rule.indegree > wanted) wanted += random.uniform() < rule.indegree - wanted;
            drawn.clear();
            if (rule.masked) {
                draw_within(rule.mask, target, static_cast<uint32_t>(wanted), random, drawn);
                return;
            }
            if (rule.multapses) {
                for (uint32_t i = 0; i < wanted; ++i) drawn.push_back(random.below(choices));
            } else {
                distinct(choices, static_cast<uint32_t>(wanted), random, drawn);
            }
            if (not_itself_)
                for (auto &source : drawn) source += source >= target;
        });
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
    void draw_within(const Mask &mask, uint32_t target, uint32_t wanted, Stream &random,
                     std::vector<uint32_t> &drawn) const {
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
    static void distinct(uint32_t choices, uint32_t wanted, Stream &random, std::vector<uint32_t> &drawn) {
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
            std::vector<uint16_t *> next(sources_);
            for (uint32_t source = 0; source < sources_; ++source) next[source] = rows.targets(source);
            for (uint32_t target = bounds_[block]; target < bounds_[block + 1]; ++target) {
                find(target, part.targets);
                Stream for_weight = stream(for_weights, target), for_delay = stream(for_delays, target);
                for (const uint32_t source : part.targets) {
                    uint16_t *const at = next[source]++;
                    *at = static_cast<uint16_t>(target - bounds_[block]);
                    if (!drawn_weights_ && !format.delays) continue;
                    const auto place = static_cast<uint32_t>(at - rows.targets(source));
                    if (drawn_weights_)
                        put_weight(part, rows.data[source], rows.count[source], place, value(weight_, for_weight));
                    if (format.delays)
                        put_delay(part, rows.data[source], rows.count[source], place, value(delay_, for_delay));
                }
            }
            // plastic synapses begin alike
            for (uint32_t source = 0; source < sources_ && format.weights != Stored::once && !drawn_weights_; ++source)
                for (uint32_t place = 0; place < rows.count[source]; ++place)
                    put_weight(part, rows.data[source], rows.count[source], place, weight_.a);
        });
    }

    // Sorted by target first, so that rows ascend, whatever the order of the list.
    void carry_out(const Listed &rule) {
        std::vector<size_t> order(rule.count);
        for (size_t i = 0; i < rule.count; ++i) order[i] = i;
        std::stable_sort(order.begin(), order.end(),
                         [&](size_t a, size_t b) { return rule.targets[a] < rule.targets[b]; });
        Stream for_weight = stream(for_weights, 0), for_delay = stream(for_delays, 0);
        const Format &format = found_.format;
        Part &part = mine_[0];
        std::vector<double> weights, delays;
        for (size_t i = 0; i < rule.count && format.weights != Stored::once; ++i)
            weights.push_back(weight_.kind == Distribution::listed ? weight_.values[i] : value(weight_, for_weight));
        for (size_t i = 0; i < rule.count && format.delays; ++i)
            delays.push_back(delay_.kind == Distribution::listed ? delay_.values[i] : value(delay_, for_delay));
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
