#include "simulation.hpp"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "delivery.hpp"
#include "saving.hpp"
#include "stepping.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace animat {
namespace {

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

template <class Real>
class Engine final : public Simulation {
  public:
    Engine(int threads, uint64_t seed) : pool_(threads), brain_(seed) {
        for (int thread = 0; thread < pool_.size(); ++thread) brain_.arenas.push_back(std::make_unique<Arena>());
    }

    int add_population(Model model, uint32_t size, int receptors, int states) override {
        auto &populations = brain_.populations;
        Population<Real> p;
        p.model = model;
        p.size = size;
        p.padded = (size + 63) & ~63u;
        p.receptors = receptors;
        p.first = populations.empty() ? 0 : populations.back().first + populations.back().size;
        p.state.assign(states, std::vector<Real>(p.padded));
        p.refractory.resize(p.padded);
        p.threshold.assign(p.padded, std::numeric_limits<Real>::max());
        p.bias.resize(p.padded);
        p.current.resize(p.padded);
        p.tiles.resize((size + tile_size - 1) / tile_size);
        populations.push_back(std::move(p));
        return static_cast<int>(populations.size()) - 1;
    }

    void arrange() override {
        uint64_t neurons = 0;
        for (const auto &p : brain_.populations) neurons += p.size;
        const uint32_t at_once = block_size(neurons, pool_.size());
        auto &blocks = brain_.blocks;
        for (size_t place = 0; place < brain_.populations.size(); ++place) {
            Population<Real> &p = brain_.populations[place];
            for (uint32_t first = 0; first < p.size; first += at_once) {
                p.bounds.push_back(first);
                Block<Real> block;
                block.population = static_cast<int>(place);
                block.number = p.bounds.size() - 1;
                block.first = first;
                block.count = std::min(at_once, p.size - first);
                p.blocks.push_back(static_cast<int>(blocks.size()));
                blocks.push_back(std::move(block));
            }
            p.bounds.push_back(p.size);
        }
        order_.resize(blocks.size());
        for (size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<int>(i);
        std::stable_sort(order_.begin(), order_.end(),
                         [&blocks](int a, int b) { return blocks[a].count > blocks[b].count; });
    }

    void set_coefficients(int population, const std::vector<uint32_t> &starts,
                          const std::vector<std::vector<double>> &coefficients) override {
        Population<Real> &p = brain_.populations.at(population);
        p.starts = starts;
        p.coefficients.clear();
        for (const auto &c : coefficients) p.coefficients.emplace_back(c.begin(), c.end());
        wake(p);
    }

    void set_threshold(int population, const double *values) override {
        Population<Real> &p = brain_.populations.at(population);
        for (uint32_t i = 0; i < p.size; ++i) p.threshold[i] = static_cast<Real>(values[i]);
        wake(p);
    }

    void set_current(int population, const double *values) override {
        Population<Real> &p = brain_.populations.at(population);
        for (uint32_t i = 0; i < p.size; ++i) {
            p.current[i] += static_cast<Real>(values[i]) - p.bias[i];
            p.bias[i] = static_cast<Real>(values[i]);
            if (!p.has_currents) p.current[i] = p.bias[i];
        }
        wake(p);
    }

    void get_state(int population, int state, double *values) const override {
        const Population<Real> &p = brain_.populations.at(population);
        for (uint32_t i = 0; i < p.size; ++i) values[i] = static_cast<double>(p.state.at(state)[i]);
    }

    void set_state(int population, int state, const double *values) override {
        Population<Real> &p = brain_.populations.at(population);
        for (uint32_t i = 0; i < p.size; ++i) p.state.at(state)[i] = static_cast<Real>(values[i]);
        wake(p);
    }

    int add_projection(const ProjectionSpec &spec) override {
        auto drawn = made(brain_, pool_, spec);
        const Wiring &wiring = drawn->wiring;
        Population<Real> &post = brain_.populations[spec.post];
        if (wiring.synapses) {
            brain_.shortest = std::min(brain_.shortest, wiring.shortest);
            note_delay(brain_, post, wiring.longest);
        }
        if (spec.plastic) make_plastic(brain_, *drawn, spec);
        post.incoming.push_back(static_cast<int>(brain_.projections.size()));
        brain_.projections.push_back(std::move(drawn));
        return static_cast<int>(brain_.projections.size()) - 1;
    }

    double drawn() const override { return pool_.fraction(); }

    uint64_t synapses(int projection) const override { return brain_.projections.at(projection)->wiring.synapses; }

    std::pair<int64_t, int64_t> delays(int projection) const override {
        const Wiring &wiring = brain_.projections.at(projection)->wiring;
        return {wiring.shortest, wiring.longest};
    }

    void cut(int projection, bool cut) override {
        Projection<Real> &p = *brain_.projections.at(projection);
        if (p.cut && !cut) forget_sources(p);
        p.cut = cut;
    }

    void synapses_of(int projection, std::vector<uint32_t> &sources, std::vector<uint32_t> &targets,
                     std::vector<double> &weights, std::vector<int32_t> &delays) const override {
        list_synapses(brain_, *brain_.projections.at(projection), sources, targets, weights, delays);
    }

    uint64_t wiring() const override { return hash_of_wiring(brain_, pool_); }

    int add_source(const SourceSpec &spec) override { return attach_source(brain_, spec); }

    void remove_source(int source) override {
        brain_.sources.erase(source);
        share_sources(brain_);
    }

    void set_source(int source, int which, const std::vector<double> &values) override {
        Source &s = *brain_.sources.at(source);
        if (values.size() == s.number)
            s.values[which] = values;
        else
            s.values[which].assign(s.number, values.at(0));
    }

    void set_trains(int source, const std::vector<size_t> &starts, const std::vector<int64_t> &steps) override {
        Source &s = *brain_.sources.at(source);
        s.trains_at = starts;
        s.trains = steps;
    }

    void run(int64_t steps) override {
        prepare(brain_);
        const NoSubnormals here;
        const int64_t end = brain_.now + steps;
        while (brain_.now < end) {
            const int64_t slice = std::min({end - brain_.now, brain_.slice});
            pool_.run(order_.size(), [&](size_t task, int) {
                const NoSubnormals there;
                advance(brain_, brain_.blocks[order_[task]], slice);
            });
            gather(brain_, slice);
            if (brain_.any_spike || brain_.any_settling)
                pool_.run(order_.size(), [&](size_t task, int) {
                    const NoSubnormals there;
                    deliver(brain_, brain_.blocks[order_[task]], slice);
                });
            brain_.now += slice;
        }
    }

    void take_spikes(std::vector<int64_t> &neurons, std::vector<int64_t> &steps) override {
        neurons = std::move(brain_.spiked);
        steps = std::move(brain_.spiked_at);
        brain_.spiked.clear();
        brain_.spiked_at.clear();
    }

    std::pair<uint64_t, uint64_t> work() const override {
        uint64_t delivered = 0, updated = 0;
        for (const auto &block : brain_.blocks) {
            delivered += block.delivered;
            updated += block.updated;
        }
        return {delivered, updated};
    }

    void save(const std::string &path) override {
        StateFile file(path, true);
        exchange_all(file, brain_);
        file.close();
    }

    void restore(const std::string &path) override {
        StateFile file(path, false);
        exchange_all(file, brain_);
    }

  private:
    mutable Pool pool_;
    Brain<Real> brain_;
    std::vector<int> order_;  // of blocks, the largest first
};

}  // namespace

std::unique_ptr<Simulation> make_simulation(bool twice, int threads, uint64_t seed) {
    if (twice) return std::make_unique<Engine<double>>(threads, seed);
    return std::make_unique<Engine<float>>(threads, seed);
}

}  // namespace animat
