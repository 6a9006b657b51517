// Random numbers many at a time, for what is drawn once and kept; compiled once for each instruction set.
#pragma once

#include <cstdint>

#include "random.hpp"

namespace animat {

// Eight streams side by side (see `Stream`), one for each of the words that are drawn at once.
struct Lanes {
    static constexpr int width = 8;
    alignas(64) uint64_t s[4][width];

    Lanes(uint64_t seed, uint64_t what, uint64_t which) {
        Stream seeds(seed, what, which);
        for (auto &word : s)
            for (auto &lane : word) lane = seeds.bits();
    }
};

// All are drawn in single precision from 31 or 32 random bits each, `drawn_at_once` of them.
constexpr int drawn_at_once = 64;

struct Sampling {
    void (*choices)(Lanes &, uint32_t n, uint32_t *);  // 0 .. n - 1, by 64 bits each, as `Stream::below`
    void (*uniforms)(Lanes &, float *);                // in (0, 1]
    void (*exponentials)(Lanes &, float *);            // of mean 1, up to 22
    void (*normals)(Lanes &, float *);                 // within 6.7 standard deviations
    void (*powers)(float *, int);                      // e to each
    void (*hazards)(const double *p, double *, int);   // -log(1 - p) for p <= 1/2, better than 1e-12 relative
};

const Sampling &sampling();

}  // namespace animat
