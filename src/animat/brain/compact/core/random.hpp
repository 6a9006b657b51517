// Random numbers that depend on what they are for, not on when or by whom they are drawn: every stream is named by the
// seed and up to three numbers (projection and neuron, or source, tile and step), so that nothing has to be kept.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace animat {

// 256 layers of the same area under a falling density (Marsaglia & Tsang 2000, doi:10.18637/jss.v005.i08): the width of
// each, the outermost with its tail, and the density at it.
struct Layers {
    double x[257], f[257];

    template <class Density, class Inverse>
    Layers(double r, double area, Density density, Inverse inverse) {
        x[0] = area / density(r);
        x[1] = r;
        for (int i = 2; i < 256; ++i) x[i] = inverse(area / x[i - 1] + density(x[i - 1]));
        x[256] = 0;
        for (int i = 0; i < 257; ++i) f[i] = density(x[i]);
    }

    double below(int layer, double u) const { return f[layer] + u * (f[layer + 1] - f[layer]); }
};

inline const Layers exponentials(
    7.69711747013104972, 3.9496598225815571993e-3, [](double x) { return std::exp(-x); },
    [](double y) { return -std::log(y); });
inline const Layers normals(
    3.6541528853610088, 4.92867323399e-3, [](double x) { return std::exp(-x * x / 2); },
    [](double y) { return std::sqrt(-2 * std::log(y)); });

// xoshiro256++ 1.0 (Blackman & Vigna 2021, doi:10.1145/3460772), its state filled by splitmix64.
class Stream {
  public:
    Stream(uint64_t seed, uint64_t what, uint64_t which, uint64_t when = 0) {
        uint64_t x = mixed(seed ^ mixed(what + 0x632be59bd9b4e019u));
        x = mixed(x ^ mixed(which + 0xd1342543de82ef95u));
        x = mixed(x ^ mixed(when + 0x9e6c63d0676a9a99u));
        for (auto &word : s_) word = mixed(x += 0x9e3779b97f4a7c15u);
    }

    uint64_t bits() {
        const uint64_t result = std::rotl(s_[0] + s_[3], 23) + s_[0];
        const uint64_t t = s_[1] << 17;
        s_[2] ^= s_[0];
        s_[3] ^= s_[1];
        s_[1] ^= s_[2];
        s_[0] ^= s_[3];
        s_[2] ^= t;
        s_[3] = std::rotl(s_[3], 45);
        return result;
    }

    // Uniform in (0, 1).
    double uniform() { return (static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53; }

    // Uniform in 0 .. n - 1, n < 2^32; no value is more likely than another by more than n / 2^64.
    uint32_t below(uint32_t n) {
        return static_cast<uint32_t>((static_cast<unsigned __int128>(bits()) * n) >> 64);
    }

    // The same for n <= 65536, two from each number of 64 bits.
    uint32_t few(uint32_t n) {
        held_ = half_ ? held_ >> 32 : bits();
        half_ = !half_;
        return static_cast<uint32_t>(((held_ & 0xffffffffu) * n) >> 32);
    }

    double exponential() {
        double beyond = 0;
        while (true) {
            const uint64_t drawn = bits();
            const int layer = drawn & 255;
            const double x = fraction(drawn) * exponentials.x[layer];
            if (x < exponentials.x[layer + 1]) return beyond + x;
            if (layer == 0)
                beyond += exponentials.x[1];
            else if (exponentials.below(layer, uniform()) < std::exp(-x))
                return beyond + x;
        }
    }

    double normal() {
        while (true) {
            const uint64_t drawn = bits();
            const int layer = drawn & 255;
            const double x = fraction(drawn) * normals.x[layer], sign = drawn & 256 ? -1 : 1;
            if (x < normals.x[layer + 1]) return sign * x;
            if (layer == 0) return sign * far_normal();
            if (normals.below(layer, uniform()) < std::exp(-x * x / 2)) return sign * x;
        }
    }

    // Poisson: by products of uniform numbers where the mean is small, else by transformed rejection
    // (Hoermann 1993, doi:10.1016/0167-6687(93)90997-4, algorithm PTRS).
    uint32_t poisson(double mean) {
        if (mean < 10) {
            const double bound = std::exp(-mean);
            uint32_t count = 0;
            for (double product = uniform(); product > bound; product *= uniform()) ++count;
            return count;
        }
        const double b = 0.931 + 2.53 * std::sqrt(mean), a = -0.059 + 0.02483 * b;
        const double inverse = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2), log_mean = std::log(mean);
        while (true) {
            const double u = uniform() - 0.5, v = uniform(), us = 0.5 - std::fabs(u);
            const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
            if (us >= 0.07 && v <= v_r) return static_cast<uint32_t>(k);
            if (k < 0 || (us < 0.013 && v > us)) continue;
            if (std::log(v * inverse / (a / (us * us) + b)) <= k * log_mean - mean - log_factorial(k))
                return static_cast<uint32_t>(k);
        }
    }

  private:
    static double fraction(uint64_t drawn) { return static_cast<double>(drawn >> 11) * 0x1p-53; }

    // Beyond the outermost layer (Marsaglia 1964, doi:10.1080/00401706.1964.10490150).
    double far_normal() {
        const double r = normals.x[1];
        double x, y;
        do {
            x = -std::log(uniform()) / r;
            y = -std::log(uniform());
        } while (2 * y < x * x);
        return r + x;
    }

    static uint64_t mixed(uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    // Stirling's series; lgamma of the C library is not safe with threads. Better than 1e-10 from 7 on.
    static double log_factorial(double k) {
        double shift = 0;
        while (k < 7) shift -= std::log(++k);
        const double n = k + 1, r = 1 / (n * n);
        return shift + (n - 0.5) * std::log(n) - n + 0.91893853320467274178 +
               (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r / 1680))) / n;
    }

    uint64_t s_[4];
    uint64_t held_ = 0;
    bool half_ = false;
};

}  // namespace animat
