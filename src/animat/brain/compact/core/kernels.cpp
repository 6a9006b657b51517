// Compiled several times, with ANIMAT_SET naming the instruction set.
#include "kernels.hpp"

#include <cmath>
#include <type_traits>

#include "functions.hpp"

namespace animat {
namespace ANIMAT_SET {

// Let a neuron fire whose potential, which rests while it is refractory, is to become `u`; whether it does.
template <class Real>
inline int32_t fire(Real u, Real theta, Real reset, int32_t refractory, Real &v, int32_t &left) {
    const int32_t rest = left > 0 ? left - 1 : 0;
    u = left > 0 ? v : u;
    const bool spike = u >= theta;
    v = spike ? reset : u;
    left = spike ? refractory : rest;
    return spike;
}

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
        ie[i] = fma(p21e, de[i], p11e * ie[i]);
        de[i] = fma(init_e, in_e[i], p11e * de[i]);
        ii[i] = fma(p21i, di[i], p11i * ii[i]);
        di[i] = fma(init_i, in_i[i], p11i * di[i]);
        in_e[i] = 0;
        in_i[i] = 0;
        fired[i] = fire(u, theta[i], reset, refractory, v[i], left[i]);
        any |= fired[i];
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
        ie[i] = fma(p11e, ie[i], in_e[i]);
        ii[i] = fma(p11i, ii[i], in_i[i]);
        in_e[i] = 0;
        in_i[i] = 0;
        fired[i] = fire(u, theta[i], reset, refractory, v[i], left[i]);
        any |= fired[i];
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
    const Real *const l = c + 8 + 7 * g.level;
    const Real scale = l[0], half = l[1], whole = l[2], me = l[3], pe = l[4], mi = l[5], pi = l[6];
    Real *const v = g.state[0], *const ge = g.state[1], *const gi = g.state[2], *const de = g.state[alpha ? 3 : 1],
         *const di = g.state[alpha ? 4 : 2], *const in_e = g.input[0], *const in_i = g.input[1];
    int32_t *const left = g.refractory, *const fired = g.fired;
    const Real *const theta = g.threshold, *const current = g.current;
    const int parts = whole_step ? 1 : static_cast<int>(c[7]) << g.level, count = g.count;
    const Real most = Real(stiffest) / c[8] - leak;
    int32_t any = 0, stiff = 0;
#pragma GCC ivdep
    for (int i = 0; i < count; ++i) {
        Real u = v[i], e = ge[i], n = gi[i], re = alpha ? de[i] : Real(0), rn = alpha ? di[i] : Real(0);
        for (int part = 0; part < parts; ++part) {
            const Real em = me * fma(half, re, e), nm = mi * fma(half, rn, n);
            const Real e1 = pe * fma(whole, re, e), n1 = pi * fma(whole, rn, n);
            const Real am = scale * (leak + em + nm), bm = scale * fma(drive_e, em, fma(drive_i, nm, current[i]));
            const Real next = advanced(u, scale * (leak + e + n), scale * fma(drive_e, e, fma(drive_i, n, current[i])),
                                       am, bm, scale * (leak + e1 + n1),
                                       scale * fma(drive_e, e1, fma(drive_i, n1, current[i])));
            if constexpr (whole_step)
                u = next;
            else  // where even a part is no small change, the potential follows its inputs' equilibrium
                u = am < Real(1) ? next : fma(u - bm / am, exponential(-am), bm / am);
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
    return {any != 0, stiff ? static_cast<float>(c[8] * (leak + largest)) : 0.0f};
}

template <class Real, bool alpha>
Found update_cond(const Group<Real> &g) {
    const bool whole = g.level == 0 && g.c[7] == Real(1);
    return whole ? conductances<Real, alpha, true>(g) : conductances<Real, alpha, false>(g);
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
        const Real u = v[i] < lowest ? lowest : v[i];
        fired[i] = fire(u, theta[i], reset, refractory, v[i], left[i]);
        any |= fired[i];
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
    if (rule.update == power_law) return w + rule.rate * std::pow(w, rule.mu) * trace;
    const Real part = w / rule.w_max;
    const Real more = rule.update == additive ? Real(1) : Real(1) - part;
    const Real next = part + rule.rate * more * trace;
    return next < 1 ? next * rule.w_max : rule.w_max;
}

template <class Real>
inline Real shrunk(const Learning<Real> &rule, Real w, Real trace) {
    const Real step = rule.alpha * rule.rate * trace;
    if (rule.update == power_law) return step < 1 ? w - step * w : Real(0);
    const Real part = w / rule.w_max;
    const Real next = part - step * (rule.update == additive ? Real(1) : part);
    return next > 0 ? next * rule.w_max : Real(0);
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

// A rule whose growth is a power of the weight, made ready. A weight w that has grown to w (1 + x) since the source's
// last spike grows next by w per e (1 + x)^mu, where per = rate trace w^(mu - 1) and e is what is left of the trace;
// the power of 1 + x is its series up to x^3.
struct Powers {
    float gain, exponent, loss, plus, minus, mu, c2, c3;
    int32_t low, high;

    Powers(const Learning<float> &rule, int32_t before, int32_t now, int32_t delay, float trace)
        : gain(rule.rate * trace), exponent(rule.mu - 1), loss(rule.alpha * rule.rate),
          plus(rule.step_over_tau_plus * log2_e), minus(rule.step_over_tau_minus * log2_e), mu(rule.mu),
          c2(mu * (mu - 1) / 2), c3(c2 * (mu - 2) / 3), low(before - delay), high(now - delay) {}

    float per(float w) const {
        const float e = exponent * logarithm_of_two(w), most = e > 0.0f ? 0.0f : e;
        return gain * power_of_two(most);
    }
    float left(int32_t time) const {
        return time > low ? power_of_two(static_cast<float>(low - time) * plus) : 0.0f;
    }
    float further(float x) const { return fma(x, fma(x, fma(x, c3, c2), mu), 1.0f); }
    float shrunk(float w, float trace, int32_t time) const {
        const float next = fma(-loss * trace * power_of_two(static_cast<float>(time - high) * minus), w, w);
        return next > 0.0f ? next : 0.0f;
    }
};

constexpr float series_holds = 0.03f;

// One synapse of a rule of powers, with the whole history.
float learnt_power(const Learning<float> &rule, const Powers &powers, const History<float> &history, uint32_t target,
                   float w, int32_t before, int32_t now, int32_t delay, float trace) {
    const uint32_t number = history.number[target], held = number < history.size ? number : history.size;
    const int32_t *const times = history.times + static_cast<size_t>(target) * history.size;
    const auto at = [&](uint32_t back) { return times[(number - back) & (history.size - 1)]; };
    uint32_t back = 1;
    while (back <= held && at(back) > powers.high) ++back;
    uint32_t oldest = back;
    while (oldest <= held && at(oldest) > powers.low) ++oldest;
    const float per = powers.per(w);
    float x = 0;
    for (uint32_t k = oldest; k-- > back;) x = fma(per * powers.left(at(k)), powers.further(x), x);
    if (!(x < series_holds)) return learnt(rule, history, target, w, before, now, delay, trace, true);
    while (back <= held && at(back) >= powers.high) ++back;
    w = fma(w, x, w);
    if (back > held) return w;
    return powers.shrunk(
        w, history.traces[static_cast<size_t>(target) * history.size + ((number - back) & (history.size - 1))],
        at(back));
}

// Most targets fired at most twice between two spikes of a source, nearly all at most four times: these go side by
// side, the others one by one.
inline void learn_powers(const Learning<float> &rule, const History<float> &history, const uint16_t *targets,
                         uint32_t count, float *weights, int32_t before, int32_t now, int32_t delay, float trace) {
    const Powers powers(rule, before, now, delay, trace);
    alignas(64) Latest<float> latest[chunk];
    alignas(64) int32_t several[chunk], other[chunk];
    alignas(64) float w_of[chunk], k_of[chunk], next_of[chunk];
    alignas(64) int32_t t1_of[chunk], t2_of[chunk], t3_of[chunk], t4_of[chunk];
    uint16_t few[chunk], rare[chunk];
    for (uint32_t first = 0; first < count; first += chunk) {
        const int n = static_cast<int>(count - first < chunk ? count - first : chunk);
        const uint16_t *const t = targets + first;
        float *const weight = weights + first;
        for (int i = 0; i < n; ++i) latest[i] = history.latest[t[i]];
#pragma GCC ivdep
        for (int i = 0; i < n; ++i) {
            const float w = weight[i], per = powers.per(w);
            const int32_t t1 = latest[i].t1;
            const float x2 = per * powers.left(latest[i].t2);
            const float x = fma(per * powers.left(t1), powers.further(x2), x2);
            const float next = powers.shrunk(fma(w, x, w), latest[i].k1, t1);
            const bool recent = t1 >= powers.high, more = (latest[i].t3 > powers.low) | !(x < series_holds);
            other[i] = recent;
            several[i] = more & !recent;
            weight[i] = recent | more ? w : next;
        }
        int fews = 0, rares = 0;
        for (int i = 0; i < n; ++i) {
            few[fews] = static_cast<uint16_t>(i);
            fews += several[i];
            rare[rares] = static_cast<uint16_t>(i);
            rares += other[i];
        }
        int kept = 0;
        for (int k = 0; k < fews; ++k) {
            const uint16_t i = few[k];
            const Earlier earlier = history.earlier[t[i]];
            rare[rares] = i;
            rares += earlier.t5 > powers.low;
            few[kept] = i;
            w_of[kept] = weight[i];
            k_of[kept] = latest[i].k1;
            t1_of[kept] = latest[i].t1;
            t2_of[kept] = latest[i].t2;
            t3_of[kept] = latest[i].t3;
            t4_of[kept] = earlier.t4;
            kept += earlier.t5 <= powers.low;
        }
#pragma GCC ivdep
        for (int k = 0; k < kept; ++k) {
            const float w = w_of[k], per = powers.per(w), x4 = per * powers.left(t4_of[k]);
            const float x3 = fma(per * powers.left(t3_of[k]), powers.further(x4), x4);
            const float x2 = fma(per * powers.left(t2_of[k]), powers.further(x3), x3);
            const float x = fma(per * powers.left(t1_of[k]), powers.further(x2), x2);
            const float next = powers.shrunk(fma(w, x, w), k_of[k], t1_of[k]);
            next_of[k] = x < series_holds ? next : -1.0f;
        }
        for (int k = 0; k < kept; ++k) {
            if (next_of[k] < 0.0f)
                rare[rares++] = few[k];
            else
                weight[few[k]] = next_of[k];
        }
        for (int k = 0; k < rares; ++k) {
            const int i = rare[k];
            weight[i] = learnt_power(rule, powers, history, t[i], weight[i], before, now, delay, trace);
        }
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
