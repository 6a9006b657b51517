// Compiled several times, with ANIMAT_SET naming the instruction set.
#include "sampling.hpp"

#include <cstring>

#include "functions.hpp"

namespace animat {
namespace ANIMAT_SET {

using Words = uint64_t __attribute__((vector_size(8 * Lanes::width)));

inline void draw(Lanes &lanes, uint32_t *bits) {
    Words s0, s1, s2, s3;
    std::memcpy(&s0, lanes.s[0], sizeof s0);
    std::memcpy(&s1, lanes.s[1], sizeof s1);
    std::memcpy(&s2, lanes.s[2], sizeof s2);
    std::memcpy(&s3, lanes.s[3], sizeof s3);
    for (int i = 0; i < drawn_at_once; i += 2 * Lanes::width) {
        const Words sum = s0 + s3, result = ((sum << 23) | (sum >> 41)) + s0, t = s1 << 17;
        s2 ^= s0;
        s3 ^= s1;
        s1 ^= s2;
        s0 ^= s3;
        s2 ^= t;
        s3 = (s3 << 45) | (s3 >> 19);
        std::memcpy(bits + i, &result, sizeof result);
    }
    std::memcpy(lanes.s[0], &s0, sizeof s0);
    std::memcpy(lanes.s[1], &s1, sizeof s1);
    std::memcpy(lanes.s[2], &s2, sizeof s2);
    std::memcpy(lanes.s[3], &s3, sizeof s3);
}

void choices(Lanes &lanes, uint32_t n, uint32_t *out) {
    uint32_t high[drawn_at_once], low[drawn_at_once];
    draw(lanes, high);
    draw(lanes, low);
    const uint64_t number = n;
    for (int i = 0; i < drawn_at_once; ++i)
        out[i] = static_cast<uint32_t>((high[i] * number + ((low[i] * number) >> 32)) >> 32);
}

inline float uniform(uint32_t bits) { return (static_cast<float>(static_cast<int32_t>(bits >> 1)) + 0.5f) * 0x1p-31f; }

void uniforms(Lanes &lanes, float *out) {
    uint32_t bits[drawn_at_once];
    draw(lanes, bits);
    for (int i = 0; i < drawn_at_once; ++i) out[i] = uniform(bits[i]);
}

void exponentials(Lanes &lanes, float *out) {
    uint32_t bits[drawn_at_once];
    draw(lanes, bits);
    for (int i = 0; i < drawn_at_once; ++i) out[i] = -log_2 * logarithm_of_two(uniform(bits[i]));
}

// Box and Muller (1958, doi:10.1214/aoms/1177706645): two from a radius and a direction; within a quarter turn by a
// number of 30 bits, which quarter by the two bits below.
void normals(Lanes &lanes, float *out) {
    uint32_t bits[drawn_at_once];
    draw(lanes, bits);
    constexpr int half = drawn_at_once / 2;
    for (int i = 0; i < half; ++i) {
        const float radius = std::sqrt(-2.0f * log_2 * logarithm_of_two(uniform(bits[i])));
        const uint32_t way = bits[half + i];
        const float turn = (static_cast<float>(static_cast<int32_t>(way >> 2)) + 0.5f) * 0x1p-30f - 0.5f;
        const float c = cosine_of_quarter(turn), s = sine_of_quarter(turn), signed_radius = way & 1 ? -radius : radius;
        out[i] = signed_radius * (way & 2 ? s : c);
        out[half + i] = signed_radius * (way & 2 ? c : s);
    }
}

void powers(float *x, int count) {
    for (int i = 0; i < count; ++i) x[i] = exponential(x[i]);
}

// -log(1 - p) = 2 artanh(p / (2 - p)).
void hazards(const double *p, double *out, int count) {
    for (int i = 0; i < count; ++i) {
        const double z = p[i] / (2 - p[i]), s = z * z;
        double sum = 1.0 / 23;
        sum = fma(s, sum, 1.0 / 21);
        sum = fma(s, sum, 1.0 / 19);
        sum = fma(s, sum, 1.0 / 17);
        sum = fma(s, sum, 1.0 / 15);
        sum = fma(s, sum, 1.0 / 13);
        sum = fma(s, sum, 1.0 / 11);
        sum = fma(s, sum, 1.0 / 9);
        sum = fma(s, sum, 1.0 / 7);
        sum = fma(s, sum, 1.0 / 5);
        sum = fma(s, sum, 1.0 / 3);
        out[i] = 2 * fma(s * z, sum, z);
    }
}

const Sampling &sampling() {
    static constexpr Sampling table = {choices, uniforms, exponentials, normals, powers, hazards};
    return table;
}

}  // namespace ANIMAT_SET
}  // namespace animat
