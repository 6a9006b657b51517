// Functions that compilers can carry out for many numbers at once; included once for each instruction set, with
// ANIMAT_SET naming it. Coefficients: Chebyshev fits.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace animat {
namespace ANIMAT_SET {

inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }

// 2^x for x < 128, better than 2e-7 relative; 0 below -126.
inline float power_of_two(float x) {
    const float clipped = x < -127.0f ? -127.0f : x;
    const float n = std::nearbyintf(clipped), s = clipped - n;
    float p = fma(s, 1.34004369e-3f, 9.67604194e-3f);
    p = fma(s, p, 5.55032720e-2f);
    p = fma(s, p, 2.40221073e-1f);
    p = fma(s, p, 6.93147207e-1f);
    p = fma(s, p, 1.00000008f);
    return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

// log2(x) for x > 0, better than 6e-7.
inline float logarithm_of_two(float x) {
    const int32_t bits = std::bit_cast<int32_t>(x);
    const int32_t above = (bits - 0x3f3504f3) >> 23;  // so that the mantissa lies in sqrt(1/2) .. sqrt(2)
    const float y = std::bit_cast<float>(bits - (above << 23)) - 1.0f;
    float p = fma(y, 1.72130747e-1f, -2.69509344e-1f);
    p = fma(y, p, 2.95634105e-1f);
    p = fma(y, p, -3.59350380e-1f);
    p = fma(y, p, 4.80629104e-1f);
    p = fma(y, p, -7.21364045e-1f);
    p = fma(y, p, 1.44269643f);
    return fma(y, p, static_cast<float>(above));
}

constexpr float log2_e = 1.44269504f, log_2 = 0.693147181f;

inline float exponential(float x) { return power_of_two(x * log2_e); }
inline double exponential(double x) { return std::exp(x); }

// Sine and cosine of a quarter turn times x for |x| <= 1/2, better than 5e-9 and 3e-8.
inline float sine_of_quarter(float x) {
    const float s = x * x;
    return x * fma(s, fma(s, fma(s, -0.0046021631f, 0.0796802229f), -0.645963478f), 1.57079632f);
}
inline float cosine_of_quarter(float x) {
    const float s = x * x;
    return fma(s, fma(s, fma(s, -0.0204082555f, 0.253598608f), -1.23369701f), 0.999999972f);
}

}  // namespace ANIMAT_SET
}  // namespace animat
