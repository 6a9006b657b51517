// Compiled several times, with ANIMAT_SET naming the instruction set.
#include "kernels.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace animat {
namespace ANIMAT_SET {

inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }

// exp(x) for x <= 0, better than 2e-7 relative; 0 below -87.
inline float exponential(float x) {
    const float clipped = x < -87.0f ? -87.0f : x;
    const float n = std::nearbyintf(clipped * 1.44269504f);
    const float r = fma(n, -0.693145752f, clipped), s = fma(n, -1.42860677e-6f, r);
    float p = fma(s, 1.0f / 720, 1.0f / 120);
    p = fma(s, p, 1.0f / 24);
    p = fma(s, p, 1.0f / 6);
    p = fma(s, p, 0.5f);
    p = fma(s, p, 1.0f);
    p = fma(s, p, 1.0f);
    const float scale = std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
    return x < -87.0f ? 0.0f : p * scale;
}
inline double exponential(double x) { return std::exp(x); }

// x^mu for x > 0 and mu in 0 .. 1, better than 1e-6 relative.
inline float power(float x, float mu) {
    const int32_t bits = std::bit_cast<int32_t>(x);
    const int32_t above = (bits - 0x3f3504f3) >> 23;  // so that the mantissa lies in sqrt(1/2) .. sqrt(2)
    const float m = std::bit_cast<float>(bits - (above << 23)), e = static_cast<float>(above);
    const float z = (m - 1) / (m + 1), q = z * z;
    float p = fma(q, 2.0f / 9, 2.0f / 7);
    p = fma(q, p, 2.0f / 5);
    p = fma(q, p, 2.0f / 3);
    p = fma(q, p, 2.0f);
    const float log2 = fma(z * p, 1.44269504f, e) * mu;
    const float n = std::nearbyintf(log2), s = (log2 - n) * 0.693147181f;
    float y = fma(s, 1.0f / 720, 1.0f / 120);
    y = fma(s, y, 1.0f / 24);
    y = fma(s, y, 1.0f / 6);
    y = fma(s, y, 0.5f);
    y = fma(s, y, 1.0f);
    y = fma(s, y, 1.0f);
    return y * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}
inline double power(double x, double mu) { return std::pow(x, mu); }

template <class Real>
Found update_psc_alpha(const Group<Real> &g) {
    const Real *const c = g.c;
    const Real reset = c[0], p30 = c[1], p33 = c[2], lowest = c[4];
    const int32_t refractory = static_cast<int32_t>(c[3]);
    const Real p11e = c[5], p21e = c[6], p31e = c[7], p32e = c[8], init_e = c[9];
    const Real p11i = c[10], p21i = c[11], p31i = c[12], p32i = c[13], init_i = c[14];
    Real *const v = g.state[0], *const de = g.state[1], *const ie = g.state[2], *const di = g.state[3],
         *const ii = g.state[4], *const in_e = g.input[0], *const in_i = g.input[1];
    int32_t *const left = g.refractory, *const fired = g.fired;
    const Real *const theta = g.threshold, *const current = g.current;
    const int count = g.count;
    int32_t any = 0;
#pragma GCC ivdep
    for (int i = 0; i < count; ++i) {
        Real u = fma(p33, v[i], v[i]);
        u = fma(p30, current[i], u);
        u = fma(p31e, de[i], fma(p32e, ie[i], u));
        u = fma(p31i, di[i], fma(p32i, ii[i], u));
        u = u < lowest ? lowest : u;
        u = left[i] > 0 ? v[i] : u;
        const int32_t rest = left[i] > 0 ? left[i] - 1 : 0;
        ie[i] = fma(p21e, de[i], p11e * ie[i]);
        de[i] = fma(init_e, in_e[i], p11e * de[i]);
        ii[i] = fma(p21i, di[i], p11i * ii[i]);
        di[i] = fma(init_i, in_i[i], p11i * di[i]);
        in_e[i] = 0;
        in_i[i] = 0;
        const bool spike = u >= theta[i];
        v[i] = spike ? reset : u;
        left[i] = spike ? refractory : rest;
        fired[i] = spike;
        any |= spike;
    }
    return {any != 0, 0};
}

template <class Real>
Found update_psc_exp(const Group<Real> &g) {
    const Real *const c = g.c;
    const Real reset = c[0], p20 = c[1], p22 = c[2];
    const int32_t refractory = static_cast<int32_t>(c[3]);
    const Real p11e = c[4], p21e = c[5], p11i = c[6], p21i = c[7];
    Real *const v = g.state[0], *const ie = g.state[1], *const ii = g.state[2], *const in_e = g.input[0],
         *const in_i = g.input[1];
    int32_t *const left = g.refractory, *const fired = g.fired;
    const Real *const theta = g.threshold, *const current = g.current;
    const int count = g.count;
    int32_t any = 0;
#pragma GCC ivdep
    for (int i = 0; i < count; ++i) {
        Real u = fma(p22, v[i], fma(p20, current[i], fma(p21e, ie[i], p21i * ii[i])));
        u = left[i] > 0 ? v[i] : u;
        const int32_t rest = left[i] > 0 ? left[i] - 1 : 0;
        ie[i] = fma(p11e, ie[i], in_e[i]);
        ii[i] = fma(p11i, ii[i], in_i[i]);
        in_e[i] = 0;
        in_i[i] = 0;
        const bool spike = u >= theta[i];
        v[i] = spike ? reset : u;
        left[i] = spike ? refractory : rest;
        fired[i] = spike;
        any |= spike;
    }
    return {any != 0, 0};
}

// One Runge-Kutta step of 4th order for du/dt = b - a u, both known at its beginning, middle and end; h is in a and b.
template <class Real>
inline Real advanced(Real u, Real a0, Real b0, Real am, Real bm, Real a1, Real b1) {
    const Real half = Real(0.5);
    const Real k1 = fma(-a0, u, b0);
    const Real k2 = fma(-am, fma(half, k1, u), bm);
    const Real k3 = fma(-am, fma(half, k2, u), bm);
    const Real k4 = fma(-a1, u + k3, b1);
    return fma(Real(1) / 6, fma(Real(2), k2 + k3, k1 + k4), u);
}

// Conductances are solved exactly; `alpha` ones have a second state each.
template <class Real, bool alpha, bool whole_step>
Found conductances(const Group<Real> &g) {
    const Real *const c = g.c;
    const Real reset = c[0];
    const int32_t refractory = static_cast<int32_t>(c[1]);
    const Real init_e = c[2], init_i = c[3], leak = c[4], drive_e = c[5], drive_i = c[6];
    const Real *const l = c + 7 + 7 * g.level;
    const Real scale = l[0], half = l[1], whole = l[2], me = l[3], pe = l[4], mi = l[5], pi = l[6];
    Real *const v = g.state[0], *const ge = g.state[1], *const gi = g.state[2], *const de = g.state[alpha ? 3 : 1],
         *const di = g.state[alpha ? 4 : 2], *const in_e = g.input[0], *const in_i = g.input[1];
    int32_t *const left = g.refractory, *const fired = g.fired;
    const Real *const theta = g.threshold, *const current = g.current;
    const int parts = whole_step ? 1 : 1 << g.level, count = g.count;
    const Real most = Real(stiffest) / c[7] - leak;
    int32_t any = 0, stiff = 0;
#pragma GCC ivdep
    for (int i = 0; i < count; ++i) {
        Real u = v[i], e = ge[i], n = gi[i], re = alpha ? de[i] : Real(0), rn = alpha ? di[i] : Real(0);
        for (int part = 0; part < parts; ++part) {
            const Real em = me * fma(half, re, e), nm = mi * fma(half, rn, n);
            const Real e1 = pe * fma(whole, re, e), n1 = pi * fma(whole, rn, n);
            u = advanced(u, scale * (leak + e + n), scale * fma(drive_e, e, fma(drive_i, n, current[i])),
                         scale * (leak + em + nm), scale * fma(drive_e, em, fma(drive_i, nm, current[i])),
                         scale * (leak + e1 + n1), scale * fma(drive_e, e1, fma(drive_i, n1, current[i])));
            e = e1;
            n = n1;
            re *= pe;
            rn *= pi;
        }
        const int32_t was = left[i], rest = was > 0 ? was - 1 : 0;
        const bool spike = (was == 0) & (u >= theta[i]);
        u = was > 0 ? reset : u;
        v[i] = spike ? reset : u;
        left[i] = spike ? refractory : rest;
        if constexpr (alpha) {
            re = fma(init_e, in_e[i], re);
            rn = fma(init_i, in_i[i], rn);
            de[i] = re;
            di[i] = rn;
        } else {
            e += in_e[i];
            n += in_i[i];
        }
        ge[i] = e;
        gi[i] = n;
        in_e[i] = 0;
        in_i[i] = 0;
        fired[i] = spike;
        any |= spike;
        stiff |= e + n + (alpha ? re + rn : Real(0)) > most;
    }
    Real largest = 0;
    for (int i = 0; i < count && stiff; ++i)
        largest = std::fmax(largest, ge[i] + gi[i] + (alpha ? de[i] + di[i] : Real(0)));
    return {any != 0, stiff ? static_cast<float>(c[7] * (leak + largest)) : 0.0f};
}

template <class Real, bool alpha>
Found update_cond(const Group<Real> &g) {
    return g.level ? conductances<Real, alpha, false>(g) : conductances<Real, alpha, true>(g);
}

template <class Real>
Found update_psc_alpha_multi(const Group<Real> &g) {
    const Real *const c = g.c;
    const Real reset = c[0], p30 = c[1], p33 = c[2], lowest = c[4];
    const int32_t refractory = static_cast<int32_t>(c[3]);
    Real *const v = g.state[0];
    int32_t *const left = g.refractory, *const fired = g.fired;
    const Real *const theta = g.threshold, *const current = g.current;
    const int count = g.count;
#pragma GCC ivdep
    for (int i = 0; i < count; ++i) {
        const Real u = fma(p30, current[i], p33 * v[i]);
        v[i] = left[i] > 0 ? v[i] : u;
    }
    for (int receptor = 0; receptor < g.receptors; ++receptor) {
        const Real *const p = c + 5 + 5 * receptor;
        const Real p11 = p[0], p21 = p[1], p31 = p[2], p32 = p[3], init = p[4];
        Real *const y1 = g.state[1 + 2 * receptor], *const y2 = g.state[2 + 2 * receptor], *const in = g.input[receptor];
#pragma GCC ivdep
        for (int i = 0; i < count; ++i) {
            const Real u = fma(p31, y1[i], fma(p32, y2[i], v[i]));
            v[i] = left[i] > 0 ? v[i] : u;
            y2[i] = fma(p21, y1[i], p11 * y2[i]);
            y1[i] = fma(init, in[i], p11 * y1[i]);
            in[i] = 0;
        }
    }
    int32_t any = 0;
#pragma GCC ivdep
    for (int i = 0; i < count; ++i) {
        const int32_t rest = left[i] > 0 ? left[i] - 1 : 0;
        Real u = v[i] < lowest ? lowest : v[i];
        u = left[i] > 0 ? v[i] : u;
        const bool spike = u >= theta[i];
        v[i] = spike ? reset : u;
        left[i] = spike ? refractory : rest;
        fired[i] = spike;
        any |= spike;
    }
    return {any != 0, 0};
}

template <class Real>
Found update_relay(const Group<Real> &g) {
    Real *const in = g.input[0];
    const int count = g.count;
    int32_t any = 0;
    for (int i = 0; i < count; ++i) {
        g.fired[i] = static_cast<int32_t>(in[i]);
        any |= g.fired[i];
        in[i] = 0;
    }
    return {any != 0, 0};
}

template <class Real>
void add(Real *slot, const uint16_t *targets, uint32_t count, Real weight) {
    for (uint32_t i = 0; i < count; ++i) slot[targets[i]] += weight;
}

template <class Real>
void add_each(Real *slot, const uint16_t *targets, uint32_t count, const Real *weights) {
    for (uint32_t i = 0; i < count; ++i) slot[targets[i]] += weights[i];
}

template <class Real>
inline Real grown(const Learning<Real> &rule, Real w, Real trace) {
    if (rule.update == power_law) return w + rule.rate * power(w, rule.mu) * trace;
    const Real part = w / rule.w_max;
    const Real more = rule.update == additive ? Real(1) : Real(1) - part;
    const Real next = part + rule.rate * more * trace;
    return next < 1 ? next * rule.w_max : rule.w_max;
}

template <class Real>
inline Real shrunk(const Learning<Real> &rule, Real w, Real trace) {
    const Real step = rule.alpha * rule.rate * trace;
    if (rule.update == additive) {
        const Real next = w / rule.w_max - step;
        return next > 0 ? next * rule.w_max : Real(0);
    }
    const Real next = w - step * w;
    return rule.update == power_law ? (next > 0 ? next : Real(0)) : next;
}

// One synapse after the other, with the whole history.
template <class Real>
Real learnt(const Learning<Real> &rule, const History<Real> &history, uint32_t target, Real w, int32_t before,
            int32_t now, int32_t delay, Real trace, bool depress) {
    const uint32_t number = history.number[target], held = number < history.size ? number : history.size;
    const int32_t *const times = history.times + static_cast<size_t>(target) * history.size;
    const Real *const traces = history.traces + static_cast<size_t>(target) * history.size;
    const auto place = [&](uint32_t back) { return (number - back) & (history.size - 1); };
    uint32_t back = 1;
    while (back <= held && times[place(back)] > now - delay) ++back;
    uint32_t oldest = back;
    while (oldest <= held && times[place(oldest)] > before - delay) ++oldest;
    if (trace > 0)
        for (uint32_t k = oldest; k-- > back;)
            w = grown(rule, w, trace * exponential((before - delay - times[place(k)]) * rule.step_over_tau_plus));
    if (!depress) return w;
    while (back <= held && times[place(back)] >= now - delay) ++back;
    if (back > held) return w;
    return shrunk(rule, w,
                  traces[place(back)] *
                      exponential((times[place(back)] - (now - delay)) * rule.step_over_tau_minus));
}

constexpr uint32_t chunk = 256;

// Most targets fired at most three times between two spikes of a source: their synapses go side by side. The power of
// a weight that has grown by the fraction x is that of the old one times (1 + x)^mu, whose series is cut at x^4.
inline void learn_powers(const Learning<float> &rule, const History<float> &history, const uint16_t *targets,
                         uint32_t count, float *weights, int32_t before, int32_t now, int32_t delay, float trace) {
    alignas(64) Latest<float> latest[chunk];
    alignas(64) int32_t rare[chunk];
    const int32_t low = before - delay, high = now - delay;
    const float gain = rule.rate * trace, loss = rule.alpha * rule.rate, mu = rule.mu;
    const float c2 = mu * (mu - 1) / 2, c3 = c2 * (mu - 2) / 3;
    const float plus = rule.step_over_tau_plus, minus = rule.step_over_tau_minus;
    for (uint32_t first = 0; first < count; first += chunk) {
        const int n = static_cast<int>(count - first < chunk ? count - first : chunk);
        const uint16_t *const t = targets + first;
        float *const weight = weights + first;
        for (int i = 0; i < n; ++i) latest[i] = history.latest[t[i]];
        int32_t any = 0;
#pragma GCC ivdep
        for (int i = 0; i < n; ++i) {
            const int32_t t1 = latest[i].t1, t2 = latest[i].t2, t3 = latest[i].t3;
            const float w = weight[i];
            const float e1 = t1 > low ? exponential(static_cast<float>(low - t1) * plus) : 0.0f;
            const float e2 = t2 > low ? exponential(static_cast<float>(low - t2) * plus) : 0.0f;
            const float per = gain * power(w, mu) / w;  // growth for a trace of 1, as a fraction
            const float x2 = per * e2;
            const float slope = fma(x2, fma(x2, fma(x2, c3, c2), mu), 1.0f);
            const float x1 = per * e1 * slope;
            const float k = latest[i].k1 * exponential(static_cast<float>(t1 - high) * minus);
            const float grown = w * (1.0f + (x2 + x1));
            const float next = fma(-loss * k, grown, grown);
            const bool special = t1 >= high || t3 > low || !(x2 < 0.03f);
            rare[i] = special;
            any |= special;
            weight[i] = special ? w : (next > 0 ? next : 0.0f);
        }
        if (any)
            for (int i = 0; i < n; ++i)
                if (rare[i]) weight[i] = learnt(rule, history, t[i], weight[i], before, now, delay, trace, true);
    }
}

template <class Real>
void learn(const Learning<Real> &rule, const History<Real> &history, const uint16_t *targets, uint32_t count,
           Real *weights, int32_t before, int32_t now, int32_t delay, Real trace, bool depress) {
    if constexpr (std::is_same_v<Real, float>)
        if (rule.update == power_law && depress) {
            learn_powers(rule, history, targets, count, weights, before, now, delay, trace);
            return;
        }
    for (uint32_t i = 0; i < count; ++i)
        weights[i] = learnt(rule, history, targets[i], weights[i], before, now, delay, trace, depress);
}

template <class Real>
const Kernels<Real> table = {
    {update_psc_alpha<Real>, update_psc_exp<Real>, update_cond<Real, true>, update_cond<Real, false>,
     update_psc_alpha_multi<Real>, update_relay<Real>},
    add<Real>,
    add_each<Real>,
    learn<Real>,
};

const Kernels<float> &single_precision() { return table<float>; }
const Kernels<double> &double_precision() { return table<double>; }

}  // namespace ANIMAT_SET
}  // namespace animat
