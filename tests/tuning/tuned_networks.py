"""A small network of a user with a knob of every kind, and the rates that it shall have."""

NETWORK = """\
name: every knob
populations:
  E:
    model: iaf_cond_exp
    size: 200
    params: &cond {C_m: 250 pF, g_L: 16.7 nS, E_L: -70 mV, V_th: -55 mV, V_reset: -60 mV, t_ref: 2 ms,
      tau_syn_ex: 2 ms, tau_syn_in: 8 ms, E_ex: 0 mV, E_in: -80 mV}
    initial: {V_m: {uniform: {low: -70 mV, high: -55 mV}}}
    drive: {rate: 500 Hz, weight: 5 nS, delay: 1.5 ms}
  I: {model: iaf_cond_exp, size: 50, params: *cond}
  current: &psc
    model: iaf_psc_exp
    size: 50
    params: {C_m: 250 pF, tau_m: 15 ms, E_L: -70 mV, V_th: -55 mV, V_reset: -70 mV, t_ref: 2 ms,
      tau_syn_ex: 2 ms, tau_syn_in: 5 ms}
    drive: {rate: 1 kHz, weight: 100 pA, delay: 1.5 ms}
  balance: *psc
  inhibited:
    model: iaf_cond_exp
    size: 50
    params: *cond
    drive: {rate: 600 Hz, weight: 5 nS, delay: 1.5 ms}
projections:
  - {from: E, to: E, rule: {pairwise_bernoulli: {p: 0.1}}, weight: 0.5 nS, delay: 1.5 ms}
  - {from: E, to: I, rule: {pairwise_bernoulli: {p: 0.1}}, weight: 2 nS, delay: 1.5 ms}
  - {from: I, to: E, rule: {pairwise_bernoulli: {p: 0.2}}, weight: -4 nS, delay: 1.5 ms}
  - {from: I, to: I, rule: {pairwise_bernoulli: {p: 0.2}}, weight: -4 nS, delay: 1.5 ms}
  - {from: E, to: current, rule: {fixed_indegree: {indegree: 40}}, weight: 100 pA, delay: 2 ms}
  - {from: E, to: balance, rule: {fixed_indegree: {indegree: 60}}, weight: 100 pA, delay: 2 ms}
  - {from: I, to: balance, rule: {fixed_indegree: {indegree: 20}}, weight: {normal: {mean: -100, sd: 20}}, delay: 2 ms}
  - {from: I, to: inhibited, rule: {fixed_indegree: {indegree: 20}}, weight: -6 nS, delay: 2 ms}
"""

TARGETS = """\
population,rate_hz,low_hz,high_hz,source,knob,note
E,5,2,8,a paper,,the drive
I,12,8,20,a paper,drive of 20,
current,8,,,a wish,current,
balance,10,,,a wish,gain E / I,
inhibited,6,,,a wish,gain I,
"""

#: Soon tuned: one drive, and a population without the parameters that turning its current needs.
SMALL = """\
name: small
populations:
  A:
    model: iaf_psc_exp
    size: 100
    params: {C_m: 250 pF, tau_m: 15 ms, E_L: -70 mV, V_th: -55 mV, V_reset: -70 mV}
    drive: {rate: 2 kHz, weight: 100 pA, delay: 1.5 ms}
  B: {model: iaf_psc_exp, size: 100}
projections:
  - {from: A, to: B, rule: {fixed_indegree: {indegree: 20}}, weight: 100 pA, delay: 1.5 ms}
"""
