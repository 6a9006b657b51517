// A network of point neurons on a time grid: built once, then advanced slice by slice of its smallest delay.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "blocks.hpp"
#include "draw.hpp"
#include "kernels.hpp"
#include "rows.hpp"

namespace animat {

struct ProjectionSpec {
    int pre, post;
    Rule rule;
    bool autapses;
    Distribution weight, delay;  // delays in steps
    int receptor;                // -1: by the sign of each weight, 0 where it is positive and 1 where it is not
    bool magnitude;              // of negative weights the magnitude counts
    Stored stored;
    bool plastic;
    Update update;
    double rate, alpha, mu, w_max, tau_plus, tau_minus;  // time constants in steps
    uint64_t stream;
};

struct SourceSpec {
    enum Kind { poisson, trains, dc, ac, noise } kind;
    int population;
    std::vector<uint32_t> neurons;  // ascending
    bool each;                       // every neuron has an element of its own
    int receptor;                    // of spikes
    double weight;
    int64_t delay;
    uint64_t stream;
    int64_t start;   // the step after which Poisson trains begin
    int64_t hold;    // noise: steps between draws
};

class Simulation {
  public:
    virtual ~Simulation() = default;

    virtual int add_population(Model model, uint32_t size, int receptors, int states) = 0;
    // Populations are complete: divide them among threads.
    virtual void arrange() = 0;
    // Neurons from each of `starts` on have these coefficients.
    virtual void set_coefficients(int population, const std::vector<uint32_t> &starts,
                                  const std::vector<std::vector<double>> &coefficients) = 0;
    virtual void set_threshold(int population, const double *values) = 0;
    virtual void set_current(int population, const double *values) = 0;
    virtual void get_state(int population, int state, double *values) const = 0;
    virtual void set_state(int population, int state, const double *values) = 0;

    virtual int add_projection(const ProjectionSpec &spec) = 0;
    // About how much of what is being drawn is there; may be asked by another thread.
    virtual double drawn() const = 0;
    virtual uint64_t synapses(int projection) const = 0;
    // Shortest and longest, in steps.
    virtual std::pair<int64_t, int64_t> delays(int projection) const = 0;
    virtual void cut(int projection, bool cut) = 0;
    // (source, target, weight, delay) of all synapses, ascending by source, then target.
    virtual void synapses_of(int projection, std::vector<uint32_t> &sources, std::vector<uint32_t> &targets,
                             std::vector<double> &weights, std::vector<int32_t> &delays) const = 0;

    // A number that tells one drawn wiring from another, whatever the blocks.
    virtual uint64_t wiring() const = 0;

    virtual int add_source(const SourceSpec &spec) = 0;
    virtual void remove_source(int source) = 0;
    // Rates per step, amplitudes and so on, by element or one for all; `which` is 0 for the first property of a kind.
    virtual void set_source(int source, int which, const std::vector<double> &values) = 0;
    // Steps at whose end elements fire, ascending: `starts` has one entry per element and one more.
    virtual void set_trains(int source, const std::vector<size_t> &starts, const std::vector<int64_t> &steps) = 0;

    virtual void run(int64_t steps) = 0;
    // Number of each neuron that fired since the last call (counted over all populations), and the step at whose end.
    virtual void take_spikes(std::vector<int64_t> &neurons, std::vector<int64_t> &steps) = 0;

    // Spikes times targets that were delivered, and updates of neurons that were not resting.
    virtual std::pair<uint64_t, uint64_t> work() const = 0;
    virtual void save(const std::string &path) = 0;
    virtual void restore(const std::string &path) = 0;
};

std::unique_ptr<Simulation> make_simulation(bool twice, int threads, uint64_t seed);

}  // namespace animat
