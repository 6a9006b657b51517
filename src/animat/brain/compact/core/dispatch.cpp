// Which of the compiled sets of inner loops this machine can run.
#include "kernels.hpp"
#include "sampling.hpp"

#include <cstdlib>
#include <string>

namespace animat {

#define ANIMAT_DECLARE(set)                       \
    namespace set {                               \
    const Kernels<float> &single_precision();     \
    const Kernels<double> &double_precision();    \
    const Sampling &sampling();                   \
    }

ANIMAT_DECLARE(plain)
#ifdef ANIMAT_X86
ANIMAT_DECLARE(avx2)
ANIMAT_DECLARE(avx512)
#endif

namespace {

struct Chosen {
    const char *name = "plain";
    const Kernels<float> *single = &plain::single_precision();
    const Kernels<double> *twice = &plain::double_precision();
    const Sampling *many = &plain::sampling();

    Chosen() {
#ifdef ANIMAT_X86
        __builtin_cpu_init();
        const char *const asked = std::getenv("ANIMAT_INSTRUCTION_SET");
        const std::string most = asked ? asked : "avx512";
        if (most == "plain") return;
        const bool wide = most != "avx2" && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            name = wide ? "avx512" : "avx2";
            single = wide ? &avx512::single_precision() : &avx2::single_precision();
            twice = wide ? &avx512::double_precision() : &avx2::double_precision();
            many = wide ? &avx512::sampling() : &avx2::sampling();
        }
#endif
    }
};

const Chosen &chosen() {
    static const Chosen found;
    return found;
}

}  // namespace

template <>
const Kernels<float> &kernels<float>() {
    return *chosen().single;
}
template <>
const Kernels<double> &kernels<double>() {
    return *chosen().twice;
}

const Sampling &sampling() { return *chosen().many; }

const char *instruction_set() { return chosen().name; }

}  // namespace animat
