// What Python sees of the core: arrays in, arrays out; errors are plain exceptions, the caller explains.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "simulation.hpp"

namespace nb = nanobind;
using namespace animat;

namespace {

template <class T>
using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
std::vector<T> copied(const Array<T> &array) {
    return std::vector<T>(array.data(), array.data() + array.size());
}

template <class T>
nb::ndarray<nb::numpy, T, nb::ndim<1>> given(std::vector<T> &&values) {
    auto *const kept = new std::vector<T>(std::move(values));
    nb::capsule owner(kept, [](void *p) noexcept { delete static_cast<std::vector<T> *>(p); });
    return nb::ndarray<nb::numpy, T, nb::ndim<1>>(kept->data(), {kept->size()}, owner);
}

// ("constant", a), ("uniform", low, high), ("normal", mean, sd), ("lognormal", mu, sigma) or ("listed", array)
Distribution distribution(const nb::tuple &said) {
    const auto kind = nb::cast<std::string>(said[0]);
    Distribution found;
    if (kind == "listed") {
        found.kind = Distribution::listed;
        found.values = nb::cast<Array<double>>(said[1]).data();
        return found;
    }
    found.kind = kind == "uniform"  ? Distribution::uniform
                 : kind == "normal" ? Distribution::normal
                 : kind == "lognormal" ? Distribution::lognormal
                                       : Distribution::constant;
    found.a = nb::cast<double>(said[1]);
    if (said.size() > 2) found.b = nb::cast<double>(said[2]);
    return found;
}

Rule rule(const nb::tuple &said) {
    const auto kind = nb::cast<std::string>(said[0]);
    if (kind == "bernoulli") return Bernoulli{nb::cast<double>(said[1])};
    if (kind == "fixed_indegree") {
        FixedInDegree found{nb::cast<double>(said[1]), nb::cast<bool>(said[2])};
        if (said.size() > 3) {
            found.masked = true;
            found.mask.from = copied(nb::cast<Array<double>>(said[3]));
            found.mask.to = copied(nb::cast<Array<double>>(said[4]));
            found.mask.radius = nb::cast<double>(said[5]);
            for (int axis = 0; axis < 3; ++axis) {
                found.mask.half[axis] = nb::cast<double>(said[6][axis]);
                found.mask.period[axis] = nb::cast<double>(said[7][axis]);
            }
        }
        return found;
    }
    if (kind == "all_to_all") return AllToAll{};
    if (kind == "one_to_one") return OneToOne{};
    if (kind == "listed") {
        const auto sources = nb::cast<Array<uint32_t>>(said[1]), targets = nb::cast<Array<uint32_t>>(said[2]);
        return Listed{sources.data(), targets.data(), sources.size()};
    }
    OnLattices found;
    for (int axis = 0; axis < 3; ++axis) {
        found.from[axis] = nb::cast<uint32_t>(said[1][axis]);
        found.to[axis] = nb::cast<uint32_t>(said[2][axis]);
        found.chance[axis] = copied(nb::cast<Array<double>>(said[6][axis]));
        found.draws[axis] = copied(nb::cast<Array<int32_t>>(said[7][axis]));
    }
    found.from_site = nb::cast<uint32_t>(said[3]);
    found.to_site = nb::cast<uint32_t>(said[4]);
    found.center = nb::cast<double>(said[5]);
    return found;
}

Stored stored(const std::string &name) {
    return name == "half" ? Stored::half : name == "single" ? Stored::single : Stored::twice;
}

int add_projection(Simulation &self, int pre, int post, const nb::tuple &how, bool autapses, const nb::tuple &weight,
                   const nb::tuple &delay, int receptor, bool magnitude, const std::string &weights,
                   const nb::object &plastic, uint64_t stream) {
    ProjectionSpec spec{};
    spec.pre = pre;
    spec.post = post;
    spec.rule = rule(how);
    spec.autapses = autapses;
    spec.weight = distribution(weight);
    spec.delay = distribution(delay);
    spec.receptor = receptor;
    spec.magnitude = magnitude;
    spec.stored = stored(weights);
    spec.stream = stream;
    if (!plastic.is_none()) {
        const auto update = nb::cast<std::string>(plastic[0]);
        spec.plastic = true;
        spec.update = update == "additive" ? additive : update == "multiplicative" ? multiplicative : power_law;
        spec.rate = nb::cast<double>(plastic[1]);
        spec.alpha = nb::cast<double>(plastic[2]);
        spec.mu = nb::cast<double>(plastic[3]);
        spec.w_max = nb::cast<double>(plastic[4]);
        spec.tau_plus = nb::cast<double>(plastic[5]);
        spec.tau_minus = nb::cast<double>(plastic[6]);
    }
    nb::gil_scoped_release released;
    return self.add_projection(spec);
}

int add_source(Simulation &self, const std::string &kind, int population, const Array<uint32_t> &neurons,
               bool each, int receptor, double weight, int64_t delay, uint64_t stream,
               int64_t start, int64_t hold) {
    SourceSpec spec{};
    spec.kind = kind == "poisson"  ? SourceSpec::poisson
                : kind == "trains" ? SourceSpec::trains
                : kind == "dc"     ? SourceSpec::dc
                : kind == "ac"     ? SourceSpec::ac
                                   : SourceSpec::noise;
    spec.population = population;
    spec.neurons = copied(neurons);
    spec.each = each;
    spec.receptor = receptor;
    spec.weight = weight;
    spec.delay = delay;
    spec.stream = stream;
    spec.start = start;
    spec.hold = hold;
    return self.add_source(spec);
}

}  // namespace

NB_MODULE(_core, m) {
    m.def("instruction_set", &instruction_set);
    m.def("make_simulation", &make_simulation, nb::arg("twice"), nb::arg("threads"), nb::arg("seed"));
    m.attr("longest_slice") = longest_slice;
    m.def("block_size", &block_size, nb::arg("neurons"), nb::arg("threads"));
    nb::enum_<Model>(m, "Model")
        .value("psc_alpha", psc_alpha)
        .value("psc_exp", psc_exp)
        .value("cond_alpha", cond_alpha)
        .value("cond_exp", cond_exp)
        .value("psc_alpha_multi", psc_alpha_multi)
        .value("relay", relay);
    nb::class_<Simulation>(m, "Simulation")
        .def("add_population", &Simulation::add_population)
        .def("arrange", &Simulation::arrange)
        .def("set_coefficients", &Simulation::set_coefficients)
        .def("set_threshold", [](Simulation &self, int p, const Array<double> &v) { self.set_threshold(p, v.data()); })
        .def("set_current", [](Simulation &self, int p, const Array<double> &v) { self.set_current(p, v.data()); })
        .def("state",
             [](const Simulation &self, int population, int state, size_t size) {
                 std::vector<double> values(size);
                 self.get_state(population, state, values.data());
                 return given(std::move(values));
             })
        .def("set_state",
             [](Simulation &self, int p, int state, const Array<double> &v) { self.set_state(p, state, v.data()); })
        .def("add_projection", &add_projection, nb::arg("pre"), nb::arg("post"), nb::arg("rule"), nb::arg("autapses"),
             nb::arg("weight"), nb::arg("delay"), nb::arg("receptor"), nb::arg("magnitude"), nb::arg("weights"),
             nb::arg("plastic").none(), nb::arg("stream"))
        .def("drawn", &Simulation::drawn)
        .def("synapses", &Simulation::synapses)
        .def("delays", &Simulation::delays)
        .def("cut", &Simulation::cut)
        .def("synapses_of",
             [](const Simulation &self, int projection) {
                 std::vector<uint32_t> sources, targets;
                 std::vector<double> weights;
                 std::vector<int32_t> delays;
                 self.synapses_of(projection, sources, targets, weights, delays);
                 return nb::make_tuple(given(std::move(sources)), given(std::move(targets)), given(std::move(weights)),
                                       given(std::move(delays)));
             })
        .def("wiring", &Simulation::wiring, nb::call_guard<nb::gil_scoped_release>())
        .def("add_source", &add_source, nb::arg("kind"), nb::arg("population"), nb::arg("neurons"),
             nb::arg("each"), nb::arg("receptor"), nb::arg("weight"), nb::arg("delay"), nb::arg("stream"),
             nb::arg("start"), nb::arg("hold"))
        .def("remove_source", &Simulation::remove_source)
        .def("set_source", &Simulation::set_source)
        .def("set_trains", &Simulation::set_trains)
        .def("run", &Simulation::run, nb::call_guard<nb::gil_scoped_release>())
        .def("take_spikes",
             [](Simulation &self) {
                 std::vector<int64_t> neurons, steps;
                 self.take_spikes(neurons, steps);
                 return nb::make_tuple(given(std::move(neurons)), given(std::move(steps)));
             })
        .def_prop_ro("work", &Simulation::work)
        .def("save", &Simulation::save, nb::call_guard<nb::gil_scoped_release>())
        .def("restore", &Simulation::restore, nb::call_guard<nb::gil_scoped_release>());
}
