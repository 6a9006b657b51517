#include "simulation.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <map>
#include <stdexcept>
#include <type_traits>

#include "pool.hpp"
#include "random.hpp"
#include "wiring.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace animat {
namespace {

// Neurons that are updated together and rest together; also what a source draws for at a time.
constexpr uint32_t tile_size = 1024;
// Rings are longer than the longest delay by a slice, so slices are bounded.
constexpr int64_t longest_slice = 64;
constexpr int32_t never = std::numeric_limits<int32_t>::min() / 4;

// Numbers too small for full precision count as 0 while this lives: arithmetic with them is slow.
class NoSubnormals {
#if defined(__x86_64__)
  public:
    NoSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
    ~NoSubnormals() { _mm_setcsr(before_); }

  private:
    unsigned before_;
#elif defined(__aarch64__)
  public:
    NoSubnormals() {
        asm volatile("mrs %0, fpcr" : "=r"(before_));
        asm volatile("msr fpcr, %0" ::"r"(before_ | (1ull << 24)));
    }
    ~NoSubnormals() { asm volatile("msr fpcr, %0" ::"r"(before_)); }

  private:
    uint64_t before_;
#else
  public:
    ~NoSubnormals() {}
#endif
};

class File {
  public:
    File(const std::string &path, const char *mode) : file_(std::fopen(path.c_str(), mode)) {
        if (!file_) throw std::runtime_error("cannot open " + path);
    }
    ~File() {
        if (file_) std::fclose(file_);
    }
    File(const File &) = delete;
    File &operator=(const File &) = delete;

    void put(const void *data, size_t bytes) {
        if (bytes && std::fwrite(data, 1, bytes, file_) != bytes) throw std::runtime_error("the disk is full");
    }
    void get(void *data, size_t bytes) {
        if (bytes && std::fread(data, 1, bytes, file_) != bytes) throw std::runtime_error("the file is cut off");
    }
    void close() {
        FILE *const file = file_;
        file_ = nullptr;
        if (std::fclose(file)) throw std::runtime_error("the disk is full");
    }

  private:
    FILE *file_;
};

void exchange_raw(File &file, void *data, size_t bytes, bool saving) {
    if (saving)
        file.put(data, bytes);
    else
        file.get(data, bytes);
}

template <class T>
void exchange(File &file, T &value, bool saving) {
    exchange_raw(file, &value, sizeof value, saving);
}

template <class T>
void exchange(File &file, std::vector<T> &values, bool saving) {
    uint64_t size = values.size();
    exchange(file, size, saving);
    values.resize(size);
    exchange_raw(file, values.data(), size * sizeof(T), saving);
}

template <class Real>
class Engine final : public Simulation {
  public:
    Engine(int threads, uint64_t seed) : pool_(threads), seed_(seed), kernels_(kernels<Real>()) {
        for (int thread = 0; thread < pool_.size(); ++thread) arenas_.push_back(std::make_unique<Arena>());
    }

    int add_population(Model model, uint32_t size, int receptors, int states) override {
        Population p;
        p.model = model;
        p.size = size;
        p.padded = (size + 63) & ~63u;
        p.receptors = receptors;
        p.first = populations_.empty() ? 0 : populations_.back().first + populations_.back().size;
        p.state.assign(states, std::vector<Real>(p.padded));
        p.refractory.resize(p.padded);
        p.threshold.assign(p.padded, std::numeric_limits<Real>::max());
        p.bias.resize(p.padded);
        p.current.resize(p.padded);
        p.tiles.resize((size + tile_size - 1) / tile_size);
        populations_.push_back(std::move(p));
        return static_cast<int>(populations_.size()) - 1;
    }

    void arrange() override {
        uint64_t neurons = 0;
        for (const auto &p : populations_) neurons += p.size;
        const uint64_t fair = neurons / (static_cast<uint64_t>(pool_.size()) * 6) + 1;
        const uint64_t tiles = std::clamp<uint64_t>((fair + tile_size - 1) / tile_size, 4, most_in_block / tile_size);
        const auto at_once = static_cast<uint32_t>(tiles * tile_size);
        for (size_t place = 0; place < populations_.size(); ++place) {
            Population &p = populations_[place];
            for (uint32_t first = 0; first < p.size; first += at_once) {
                p.bounds.push_back(first);
                Block block;
                block.population = static_cast<int>(place);
                block.number = p.bounds.size() - 1;
                block.first = first;
                block.count = std::min(at_once, p.size - first);
                p.blocks.push_back(static_cast<int>(blocks_.size()));
                blocks_.push_back(std::move(block));
            }
            p.bounds.push_back(p.size);
        }
        std::vector<int> order(blocks_.size());
        for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
        std::stable_sort(order.begin(), order.end(),
                         [this](int a, int b) { return blocks_[a].count > blocks_[b].count; });
        order_ = order;
    }

    void set_coefficients(int population, const std::vector<uint32_t> &starts,
                          const std::vector<std::vector<double>> &coefficients) override {
        Population &p = populations_.at(population);
        p.starts = starts;
        p.coefficients.clear();
        for (const auto &c : coefficients) p.coefficients.emplace_back(c.begin(), c.end());
        wake(p);
    }

    void set_threshold(int population, const double *values) override {
        Population &p = populations_.at(population);
        for (uint32_t i = 0; i < p.size; ++i) p.threshold[i] = static_cast<Real>(values[i]);
        wake(p);
    }

    void set_current(int population, const double *values) override {
        Population &p = populations_.at(population);
        for (uint32_t i = 0; i < p.size; ++i) {
            p.current[i] += static_cast<Real>(values[i]) - p.bias[i];
            p.bias[i] = static_cast<Real>(values[i]);
            if (!p.has_currents) p.current[i] = p.bias[i];
        }
        wake(p);
    }

    void get_state(int population, int state, double *values) const override {
        const Population &p = populations_.at(population);
        for (uint32_t i = 0; i < p.size; ++i)
            values[i] = static_cast<double>(p.state.at(state)[i]);
    }

    void set_state(int population, int state, const double *values) override {
        Population &p = populations_.at(population);
        for (uint32_t i = 0; i < p.size; ++i) p.state.at(state)[i] = static_cast<Real>(values[i]);
        wake(p);
    }

    int add_projection(const ProjectionSpec &spec) override {
        const Population &pre = populations_.at(spec.pre), &post = populations_.at(spec.post);
        Format format;
        format.weights = spec.weight.kind == Distribution::constant ? Stored::once : spec.stored;
        if (spec.plastic) format.weights = std::is_same_v<Real, float> ? Stored::single : Stored::twice;
        format.delays = spec.delay.kind != Distribution::constant;
        const bool not_itself = spec.pre == spec.post && !spec.autapses;
        Drawing drawing(pool_, arenas_, seed_, spec.stream, pre.size, post.bounds, not_itself, format, spec.weight,
                        spec.delay);
        auto made = std::make_unique<Projection>();
        Projection &p = *made;
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
        if (p.wiring.synapses) {
            shortest_ = std::min(shortest_, p.wiring.shortest);
            note_delay(populations_[spec.post], p.wiring.longest);
        }
        if (p.plastic) {
            const double reach = (std::is_same_v<Real, float> ? 25.0 : 40.0) * spec.tau_plus;
            p.learning = {spec.update,
                          static_cast<Real>(spec.rate),
                          static_cast<Real>(spec.alpha),
                          static_cast<Real>(spec.mu),
                          static_cast<Real>(spec.w_max),
                          static_cast<Real>(1 / spec.tau_plus),
                          static_cast<Real>(1 / spec.tau_minus)};
            p.last.assign(pre.size, 0);
            p.trace.assign(pre.size, 0);
            p.tau_plus = spec.tau_plus;
            p.reach = static_cast<int32_t>(std::ceil(reach));
            remember(spec.post, spec.tau_minus, p.reach + static_cast<int32_t>(p.delay) + 4 * settle_every);
        }
        populations_[spec.post].incoming.push_back(static_cast<int>(projections_.size()));
        projections_.push_back(std::move(made));
        return static_cast<int>(projections_.size()) - 1;
    }

    double drawn() const override { return pool_.fraction(); }

    uint64_t synapses(int projection) const override { return projections_.at(projection)->wiring.synapses; }

    std::pair<int64_t, int64_t> delays(int projection) const override {
        const Wiring &wiring = projections_.at(projection)->wiring;
        return {wiring.shortest, wiring.longest};
    }

    void cut(int projection, bool cut) override { projections_.at(projection)->cut = cut; }

    void synapses_of(int projection, std::vector<uint32_t> &sources, std::vector<uint32_t> &targets,
                     std::vector<double> &weights, std::vector<int32_t> &delays) const override {
        const Projection &p = *projections_.at(projection);
        const Bounds &bounds = populations_[p.post].bounds;
        for (uint32_t source = 0; source < populations_[p.pre].size; ++source)
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

    uint64_t wiring() const override {
        std::vector<uint64_t> sums(pool_.size());
        for (size_t place = 0; place < projections_.size(); ++place) {
            const Projection &p = *projections_[place];
            const Bounds &bounds = populations_[p.post].bounds;
            pool_.run(p.wiring.blocks.size(), [&](size_t block, int thread) {
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

    int add_source(const SourceSpec &spec) override {
        auto made = std::make_unique<Source>();
        Source &s = *made;
        s.spec = spec;
        s.spec.stream += static_cast<uint64_t>(spec.population) << 44;
        s.number = spec.each ? spec.neurons.size() : 1;
        for (auto &values : s.values) values.assign(s.number, 0);
        s.trains_at.assign(s.number + 1, 0);
        Population &p = populations_.at(spec.population);
        for (size_t begin = 0; begin < spec.neurons.size();) {
            const uint32_t tile = spec.neurons[begin] / tile_size;
            size_t end = begin;
            while (end < spec.neurons.size() && spec.neurons[end] / tile_size == tile) ++end;
            s.parts.push_back({tile, begin, end});
            begin = end;
        }
        note_delay(p, spec.delay);
        if (spec.kind >= SourceSpec::dc) {
            s.spec.receptor = p.receptors;
            if (!p.has_currents) {
                p.has_currents = true;
                if (p.slots) p.ring.emplace_back(p.slots * p.padded);
            }
        }
        const int index = next_source_++;
        sources_[index] = std::move(made);
        share_sources();
        return index;
    }

    void remove_source(int source) override {
        sources_.erase(source);
        share_sources();
    }

    void set_source(int source, int which, const std::vector<double> &values) override {
        Source &s = *sources_.at(source);
        if (values.size() == s.number)
            s.values[which] = values;
        else
            s.values[which].assign(s.number, values.at(0));
    }

    void set_trains(int source, const std::vector<size_t> &starts, const std::vector<int64_t> &steps) override {
        Source &s = *sources_.at(source);
        s.trains_at = starts;
        s.trains = steps;
    }

    void run(int64_t steps) override {
        prepare();
        const NoSubnormals here;
        const int64_t end = now_ + steps;
        while (now_ < end) {
            const int64_t slice = std::min({end - now_, slice_});
            pool_.run(order_.size(), [&](size_t task, int) {
                const NoSubnormals there;
                advance(blocks_[order_[task]], slice);
            });
            gather(slice);
            if (any_spike_ || any_settling_)
                pool_.run(order_.size(), [&](size_t task, int) {
                    const NoSubnormals there;
                    deliver(blocks_[order_[task]], slice);
                });
            now_ += slice;
        }
    }

    void take_spikes(std::vector<int64_t> &neurons, std::vector<int64_t> &steps) override {
        neurons = std::move(spiked_);
        steps = std::move(spiked_at_);
        spiked_.clear();
        spiked_at_.clear();
    }

    std::pair<uint64_t, uint64_t> work() const override {
        uint64_t delivered = 0, updated = 0;
        for (const auto &block : blocks_) {
            delivered += block.delivered;
            updated += block.updated;
        }
        return {delivered, updated};
    }

    void save(const std::string &path) const override {
        File file(path, "wb");
        const_cast<Engine *>(this)->exchange_all(file, true);
        file.close();
    }

    void restore(const std::string &path) override {
        File file(path, "rb");
        exchange_all(file, false);
    }

  private:
    struct Tile {
        int64_t input_until = -1;  // the last step whose slot may hold something
        int32_t level = 0;
        int32_t still = 0;
    };

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
    struct Before {
        uint32_t source;
        int32_t before, now;
        Real trace;
    };

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
        std::vector<std::vector<Before>> seen;
        std::vector<Before> settling;
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

    static constexpr int32_t settle_every = 64;
    // What decays without input is 0 below this (mV, nS, pA), so that it comes to rest; far below what rounding does.
    static constexpr Real negligible = std::is_same_v<Real, float> ? Real(1e-9) : Real(1e-18);

    void wake(Population &p) {
        for (auto &tile : p.tiles) tile.still = 0;
    }

    void note_delay(Population &p, int64_t delay) {
        if (delay > p.longest) p.longest = delay;
        if (p.slots && p.longest + slice_ > p.slots) lay_out(p);
    }

    void prepare() {
        const int64_t slice = std::min(shortest_, longest_slice);
        if (slice != slice_ || !ready_) {
            slice_ = slice;
            ready_ = true;
            for (auto &p : populations_) lay_out(p);
            for (auto &block : blocks_) block.fired.resize(slice_);
            fired_.assign(populations_.size(), std::vector<std::vector<uint32_t>>(slice_));
        }
    }

    // Make rings as long as delays ask for; what is in them stays.
    void lay_out(Population &p) {
        const int64_t slots = p.longest + slice_;
        const size_t rings = p.receptors + p.has_currents;
        p.ring.resize(rings);
        for (auto &ring : p.ring) {
            std::vector<Real> fresh(slots * p.padded);
            for (int64_t step = now_; step < now_ + p.slots && step < now_ + slots && !ring.empty(); ++step)
                std::memcpy(&fresh[(step % slots) * p.padded], &ring[(step % p.slots) * p.padded],
                            p.padded * sizeof(Real));
            ring = std::move(fresh);
        }
        p.slots = slots;
    }

    Real *slot(Population &p, int receptor, int64_t step) { return &p.ring[receptor][(step % p.slots) * p.padded]; }

    // Which parts of which sources each block draws for, in order of attachment.
    void share_sources() {
        for (auto &block : blocks_) block.sources.clear();
        for (auto &[index, s] : sources_)
            for (size_t part = 0; part < s->parts.size(); ++part) {
                const Population &p = populations_[s->spec.population];
                const uint32_t first = s->parts[part].tile * tile_size;
                const auto at = std::upper_bound(p.bounds.begin(), p.bounds.end(), first) - p.bounds.begin() - 1;
                blocks_[p.blocks[at]].sources.emplace_back(index, part);
            }
    }

    void advance(Block &block, int64_t slice) {
        for (const auto &[index, part] : block.sources) emit(*sources_.find(index)->second, part, slice);
        for (auto &fired : block.fired) fired.clear();
        Population &p = populations_[block.population];
        const uint32_t end = block.first + block.count;
        for (uint32_t first = block.first; first < end; first += tile_size)
            advance_tile(p, block, first / tile_size, std::min(end - first, tile_size), slice);
    }

    void advance_tile(Population &p, Block &block, uint32_t number, uint32_t count, int64_t slice) {
        Tile &tile = p.tiles[number];
        const bool quiet = tile.input_until < now_;
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
            const int64_t at = now_ + step;
            const Found found = update_tile(p, first, count, at, tile.level, fired);
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
                if (std::abs(state[i]) < negligible) state[i] = 0;
        bool same = !any_fired && !refractory;
        const Real *was = before.data();
        for (const auto &state : p.state) {
            same = same && !std::memcmp(was, &state[first], count * sizeof(Real));
            was += count;
        }
        same = same && !std::memcmp(was, &p.current[first], count * sizeof(Real));
        tile.still = same;
    }

    Found update_tile(Population &p, uint32_t first, uint32_t count, int64_t at, int level, int32_t *fired) {
        Real *state[64], *input[32];
        Found found{false, 0};
        const auto group = std::upper_bound(p.starts.begin(), p.starts.end(), first) - p.starts.begin() - 1;
        for (size_t g = group; g < p.starts.size() && p.starts[g] < first + count; ++g) {
            const uint32_t begin = std::max(first, p.starts[g]);
            const uint32_t end = g + 1 < p.starts.size() ? std::min(first + count, p.starts[g + 1]) : first + count;
            for (size_t i = 0; i < p.state.size(); ++i) state[i] = &p.state[i][begin];
            for (int receptor = 0; receptor < p.receptors; ++receptor) input[receptor] = slot(p, receptor, at) + begin;
            const Found mine = kernels_.update[p.model](
                {p.coefficients[g].data(), state, &p.refractory[begin], &p.threshold[begin], &p.current[begin], input,
                 fired + (begin - first), static_cast<int>(end - begin), p.receptors, level});
            found.fired |= mine.fired;
            found.stiffness = std::max(found.stiffness, mine.stiffness);
        }
        return found;
    }

    void take_currents(Population &p, uint32_t first, uint32_t count, int64_t at) {
        Real *const in = slot(p, p.receptors, at) + first;
        for (uint32_t i = 0; i < count; ++i) {
            p.current[first + i] = p.bias[first + i] + in[i];
            in[i] = 0;
        }
    }

    // Add a source's effect on one tile during the slice.
    void emit(const Source &s, size_t part, int64_t slice) {
        const SourceSpec &spec = s.spec;
        Population &p = populations_[spec.population];
        const auto [number, begin, end] = s.parts[part];
        const uint32_t *const neurons = &spec.neurons[begin];
        const auto count = static_cast<uint32_t>(end - begin);
        const bool each = spec.each;
        const Real weight = static_cast<Real>(spec.weight);
        bool any = false;
        for (int64_t step = 0; step < slice; ++step) {
            const int64_t at = now_ + step;
            Real *const to = slot(p, spec.receptor, at + spec.delay);
            if (spec.kind == SourceSpec::poisson && at > spec.start) {
                if (!each) {
                    const double mean = s.values[0][0] * count;
                    if (mean <= 0) continue;
                    Stream random(seed_, spec.stream, number, at);
                    for (uint32_t left = random.poisson(mean); left; --left) to[neurons[random.few(count)]] += weight;
                } else {
                    Stream random(seed_, spec.stream, number, at);
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
                                  current * std::sin(6.283185307179586477 * s.values[2][element] * (at + 1) +
                                                     s.values[3][element]);
                    to[neurons[i]] += weight * static_cast<Real>(current);
                    any |= current != 0;
                }
            } else if (spec.kind == SourceSpec::noise) {
                Stream random(seed_, spec.stream, number, at / spec.hold);
                for (uint32_t i = 0; i < count; ++i) {
                    const size_t element = each ? begin + i : 0;
                    const double current = s.values[0][element] + s.values[1][element] * random.normal();
                    to[neurons[i]] += weight * static_cast<Real>(current);
                    any |= current != 0;
                }
            }
        }
        if (spec.kind == SourceSpec::trains) any = emit_trains(s, p, neurons, begin, count, slice);
        if (any) touch(p, number, number, now_ + slice - 1 + spec.delay);
    }

    bool emit_trains(const Source &s, Population &p, const uint32_t *neurons, size_t begin, uint32_t count,
                     int64_t slice) {
        const SourceSpec &spec = s.spec;
        bool any = false;
        const auto due = [&](size_t element, auto &&fire) {
            const auto from = s.trains.begin() + static_cast<ptrdiff_t>(s.trains_at[element]);
            const auto to = s.trains.begin() + static_cast<ptrdiff_t>(s.trains_at[element + 1]);
            for (auto spike = std::upper_bound(from, to, now_); spike != to && *spike <= now_ + slice; ++spike) {
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

    static void touch(Population &p, uint32_t first, uint32_t last, int64_t until) {
        for (uint32_t tile = first; tile <= last; ++tile)
            if (p.tiles[tile].input_until < until) p.tiles[tile].input_until = until;
    }

    // Collect the spikes of the slice, and what plastic synapses need to know of their sources.
    void gather(int64_t slice) {
        any_spike_ = false;
        for (size_t place = 0; place < populations_.size(); ++place) {
            Population &p = populations_[place];
            for (int64_t step = 0; step < slice; ++step) {
                auto &all = fired_[place][step];
                all.clear();
                for (const int block : p.blocks)
                    all.insert(all.end(), blocks_[block].fired[step].begin(), blocks_[block].fired[step].end());
                any_spike_ |= !all.empty();
            }
        }
        if (any_spike_)
            for (int64_t step = 0; step < slice; ++step)
                for (size_t place = 0; place < populations_.size(); ++place)
                    for (const uint32_t neuron : fired_[place][step]) {
                        spiked_.push_back(populations_[place].first + neuron);
                        spiked_at_.push_back(now_ + step + 1);
                    }
        any_settling_ = false;
        for (auto &projection : projections_)
            if (projection->plastic) note_sources(*projection, slice);
    }

    void note_sources(Projection &p, int64_t slice) {
        p.settling.clear();
        p.seen.resize(slice_);
        for (int64_t step = 0; step < slice; ++step) {
            p.seen[step].clear();
            for (const uint32_t source : fired_[p.pre][step]) {
                const auto stamp = static_cast<int32_t>(now_ + step + 1);
                p.seen[step].push_back({source, p.last[source], stamp, p.trace[source]});
                p.trace[source] = p.trace[source] * static_cast<Real>(std::exp((p.last[source] - stamp) / p.tau_plus)) + 1;
                p.last[source] = stamp;
            }
        }
        if (now_ / settle_every == (now_ + slice) / settle_every) return;
        for (uint32_t source = 0; source < p.last.size(); ++source)
            if (p.trace[source] > 0 && now_ - p.last[source] > p.reach + p.delay) {
                const int32_t until = p.last[source] + p.reach + static_cast<int32_t>(p.delay);
                p.settling.push_back({source, p.last[source], until, p.trace[source]});
                p.trace[source] = 0;
                p.last[source] = static_cast<int32_t>(now_);
            }
        any_settling_ |= !p.settling.empty();
    }

    void deliver(Block &block, int64_t slice) {
        Population &p = populations_[block.population];
        for (const int place : p.incoming) {
            const Projection &projection = *projections_[place];
            if (projection.cut) continue;
            for (const Before &record : projection.settling) learn(projection, block, record, false);
        }
        for (int64_t step = 0; step < slice; ++step)
            for (const int place : p.incoming) {
                Projection &projection = *projections_[place];
                const auto &fired = fired_[projection.pre][step];
                if (fired.empty() || projection.cut) continue;
                const Rows &rows = projection.wiring.blocks[block.number];
                const Before *const seen = projection.plastic ? projection.seen[step].data() : nullptr;
                for (size_t i = 0; i < fired.size(); ++i) {
                    if (i + 1 < fired.size()) fetch(projection, rows, fired[i + 1]);
                    if (seen) learn(projection, block, seen[i], true);
                    deliver_row(p, block, projection, rows, fired[i], now_ + step);
                }
            }
    }

    // Ask for the beginning of a row, and of its weights, before they are needed.
    static void fetch(const Projection &projection, const Rows &rows, uint32_t source) {
        const uint8_t *const row = rows.data[source];
        const Format &format = projection.wiring.format;
        for (int line = 0; line < 4; ++line) __builtin_prefetch(row + 64 * line);
        if (format.weights == Stored::once) return;
        const uint8_t *const weights = row + format.weights_at(rows.count[source]);
        for (int line = 0; line < 6; ++line) __builtin_prefetch(weights + 64 * line);
    }

    void deliver_row(Population &p, Block &block, const Projection &projection, const Rows &rows, uint32_t source,
                     int64_t at) {
        const uint32_t count = rows.count[source];
        if (!count) return;
        block.delivered += count;
        const uint8_t *const row = rows.data[source];
        const auto *const targets = reinterpret_cast<const uint16_t *>(row);
        const Format &format = projection.wiring.format;
        touch(p, (block.first + targets[0]) / tile_size, (block.first + targets[count - 1]) / tile_size,
              at + projection.wiring.longest);
        if (!format.delays && projection.receptor >= 0) {
            Real *const to = slot(p, projection.receptor, at + projection.delay) + block.first;
            if (format.weights == Stored::once) {
                kernels_.add(to, targets, count, projection.weight);
                return;
            }
            if (!(projection.magnitude && projection.wiring.negative)) {
                constexpr Stored own = std::is_same_v<Real, float> ? Stored::single : Stored::twice;
                if (format.weights == own) {
                    kernels_.add_each(to, targets, count,
                                      reinterpret_cast<const Real *>(row + format.weights_at(count)));
                    return;
                }
                alignas(64) Real some[512];
                for (uint32_t first = 0; first < count; first += 512) {
                    const uint32_t n = std::min<uint32_t>(512, count - first);
                    for (uint32_t i = 0; i < n; ++i)
                        some[i] = static_cast<Real>(weight_at(projection, row, count, first + i));
                    kernels_.add_each(to, targets + first, n, some);
                }
                return;
            }
        }
        for (uint32_t i = 0; i < count; ++i) {
            auto weight = static_cast<Real>(weight_at(projection, row, count, i));
            const int receptor = projection.receptor >= 0 ? projection.receptor : weight < 0;
            if (projection.magnitude) weight = std::abs(weight);
            const int64_t delay = format.delays ? delays_at(projection, row, count)[i] : projection.delay;
            slot(p, receptor, at + delay)[block.first + targets[i]] += weight;
        }
    }

    static double weight_at(const Projection &p, const uint8_t *row, uint32_t count, uint32_t i) {
        const uint8_t *const weights = row + p.wiring.format.weights_at(count);
        switch (p.wiring.format.weights) {
            case Stored::half: return from_half(reinterpret_cast<const uint16_t *>(weights)[i]);
            case Stored::single: return reinterpret_cast<const float *>(weights)[i];
            case Stored::twice: return reinterpret_cast<const double *>(weights)[i];
            default: return static_cast<double>(p.weight);
        }
    }

    static const uint16_t *delays_at(const Projection &p, const uint8_t *row, uint32_t count) {
        return reinterpret_cast<const uint16_t *>(row + p.wiring.format.delays_at(count));
    }

    // Plasticity.

    void remember(int population, double tau_minus, int32_t memory) {
        Population &p = populations_[population];
        p.tau_minus = tau_minus;
        p.memory = std::max(p.memory, memory);
        for (const int place : p.blocks) {
            Block &block = blocks_[place];
            if (block.remembered) continue;
            block.remembered = 16;
            block.latest.assign(block.count, {never, never, never, 0});
            block.earlier.assign(block.count, {never, never});
            block.number_of.assign(block.count, 0);
            block.times.assign(size_t(block.count) * block.remembered, never);
            block.traces.assign(size_t(block.count) * block.remembered, 0);
        }
    }

    void note_spike(const Population &p, Block &block, uint32_t neuron, int32_t stamp) {
        const uint32_t i = neuron - block.first;
        const uint32_t number = block.number_of[i];
        if (number >= block.remembered && block.times[place_of(block, i, number)] > stamp - p.memory) lengthen(block);
        Latest<Real> &latest = block.latest[i];
        const Real trace =
            number ? latest.k1 * static_cast<Real>(std::exp((latest.t1 - stamp) / p.tau_minus)) + 1 : Real(1);
        block.earlier[i] = {latest.t3, block.earlier[i].t4};
        latest = {stamp, latest.t1, latest.t2, trace};
        block.times[place_of(block, i, number)] = stamp;
        block.traces[place_of(block, i, number)] = trace;
        block.number_of[i] = number + 1;
    }

    static size_t place_of(const Block &block, uint32_t i, uint32_t number) {
        return size_t(i) * block.remembered + (number & (block.remembered - 1));
    }

    void lengthen(Block &block) {
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

    void learn(const Projection &projection, Block &block, const Before &record, bool depress) {
        const Rows &rows = projection.wiring.blocks[block.number];
        const uint32_t count = rows.count[record.source];
        if (!count) return;
        uint8_t *const row = rows.data[record.source];
        const History<Real> history{block.latest.data(), block.earlier.data(), block.times.data(), block.traces.data(),
                                    block.number_of.data(), block.remembered};
        kernels_.learn(projection.learning, history, reinterpret_cast<const uint16_t *>(row), count,
                       reinterpret_cast<Real *>(row + projection.wiring.format.weights_at(count)), record.before,
                       record.now, static_cast<int32_t>(projection.delay), record.trace, depress);
    }

    // Everything that changes while the network runs, but sources; in an order that knows nothing of blocks.
    void exchange_all(File &file, bool saving) {
        prepare();
        exchange_head(file, saving);
        exchange(file, now_, saving);
        for (auto &p : populations_) {
            for (auto &state : p.state) exchange(file, state, saving);
            exchange(file, p.refractory, saving);
            exchange(file, p.current, saving);
            exchange(file, p.tiles, saving);
            exchange(file, p.slots, saving);
            exchange(file, p.has_currents, saving);
            p.ring.resize(p.receptors + p.has_currents);
            for (auto &ring : p.ring) exchange(file, ring, saving);
            if (p.longest + slice_ > p.slots) lay_out(p);
            p.longest = p.slots - slice_;
            if (p.memory) exchange_memories(file, p, saving);
        }
        for (auto &projection : projections_) {
            if (!projection->plastic) continue;
            exchange(file, projection->last, saving);
            exchange(file, projection->trace, saving);
            for (uint32_t source = 0; source < projection->last.size(); ++source)
                for (auto &rows : projection->wiring.blocks) {
                    const uint32_t count = rows.count[source];
                    if (!count) continue;
                    exchange_raw(file, rows.data[source] + projection->wiring.format.weights_at(count),
                                 count * sizeof(Real), saving);
                }
        }
        spiked_.clear();
        spiked_at_.clear();
    }

    // What the file must agree with: its kind, the precision, and populations.
    void exchange_head(File &file, bool saving) {
        std::vector<uint64_t> head = {0x63746970d0a1, 1, sizeof(Real), populations_.size()};
        for (const auto &p : populations_) head.insert(head.end(), {p.size, p.state.size()});
        std::vector<uint64_t> found = head;
        exchange_raw(file, found.data(), found.size() * sizeof(uint64_t), saving);
        if (found != head) throw std::runtime_error("it is no state of this network, or of another version");
    }

    void exchange_memories(File &file, const Population &p, bool saving) {
        uint32_t remembered = 0;
        for (const int place : p.blocks) remembered = std::max(remembered, blocks_[place].remembered);
        exchange(file, remembered, saving);
        for (const int place : p.blocks) {
            Block &block = blocks_[place];
            if (saving)
                while (block.remembered < remembered) lengthen(block);
            block.remembered = remembered;
            block.times.resize(size_t(block.count) * remembered);
            block.traces.resize(size_t(block.count) * remembered);
        }
        const auto each = [&](auto Block::*values) {
            for (const int place : p.blocks) {
                auto &mine = blocks_[place].*values;
                exchange_raw(file, mine.data(), mine.size() * sizeof(mine[0]), saving);
            }
        };
        each(&Block::latest);
        each(&Block::earlier);
        each(&Block::number_of);
        each(&Block::times);
        each(&Block::traces);
    }

    mutable Pool pool_;
    const uint64_t seed_;
    const Kernels<Real> &kernels_;
    std::vector<std::unique_ptr<Arena>> arenas_;
    std::vector<Population> populations_;
    std::vector<Block> blocks_;
    std::vector<int> order_;
    std::vector<std::unique_ptr<Projection>> projections_;
    std::map<int, std::unique_ptr<Source>> sources_;
    int next_source_ = 0;
    int64_t now_ = 0, shortest_ = longest_slice, slice_ = 0;
    bool ready_ = false, any_spike_ = false, any_settling_ = false;
    std::vector<std::vector<std::vector<uint32_t>>> fired_;
    std::vector<int64_t> spiked_, spiked_at_;
};

}  // namespace

std::unique_ptr<Simulation> make_simulation(bool twice, int threads, uint64_t seed) {
    if (twice) return std::make_unique<Engine<double>>(threads, seed);
    return std::make_unique<Engine<float>>(threads, seed);
}

}  // namespace animat
