"""1,000 random calls with wrong types, names and sizes: always JSON, never a hang, never a dead server."""

from __future__ import annotations

import http.client
import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from served_brain import TOKEN, Served, served

from animat.brain.install import EngineInstall
from animat.brain.nest.dialect.calls import CALLS, NEEDS_SCRIPTS, NODES

#: Seconds that a call may take.
PATIENCE_S = 30

PLACES = ("", "api", "exec", "api/", "api/Create/x", "nowhere")
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")
TYPES = ("application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "\xe9")
MODELS = ("iaf_psc_alpha", "spike_recorder", "poisson_generator", "multimeter", "static_synapse", "stdp_synapse", "nan")
PARAMETERS = ("V_m", "tau_m", "record_to", "record_from", "interval", "weight", "delay", "rule", "rate", "resolution")

words = st.sampled_from((*MODELS, *PARAMETERS, "all_to_all", "fixed_indegree", "indegree", "all", "")) | st.text(
    max_size=8
)
#: Long simulations are no mistake, so the numbers leave out what would be one.
numbers = (
    st.integers(-3, 12)
    | st.floats(-2.0, 20.0)
    | st.sampled_from(
        (1e300, -1e300, 10**12, -(10**12), 2**64, 10**40, float("inf"), float("-inf"), float("nan"), 2**63)
    )
)
ids = st.lists(st.integers(-1, 8), max_size=5)
leaves = st.none() | st.booleans() | numbers | words | ids
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)
calls = st.sampled_from(sorted(CALLS) + sorted(NEEDS_SCRIPTS)) | words
#: Mostly the right names, so that calls get far.
named = st.dictionaries(
    st.sampled_from((*sorted(NODES), "params", "keys", "model", "n", "conn_spec", "syn_spec", "val", "t", "args"))
    | words,
    values,
    max_size=4,
)
bodies = (
    st.tuples(st.sampled_from(MODELS), numbers, st.dictionaries(words, values, max_size=3)).map(list)
    | st.tuples(ids, ids, values, values).map(list)
    | st.lists(values, max_size=5)
    | named
    | values
)

#: Calls that are right, of which one argument is replaced, or none.
RIGHT: list[tuple[str, list[Any]]] = [
    ("Create", ["iaf_psc_alpha", 3, {"V_m": -60.0, "tau_m": 20.0}]),
    ("Create", ["spike_recorder", 1]),
    ("Create", ["iaf_psc_alpha", 1, {}, [[0.0, 0.5]]]),
    ("Connect", [[1, 2], [2, 3], "all_to_all", {"weight": 2.0, "delay": 1.0}]),
    ("Connect", [[1], [2, 3], {"rule": "fixed_indegree", "indegree": 2}, {"synapse_model": "stdp_synapse"}]),
    ("GetConnections", [[1], [2], "static_synapse"]),
    ("GetStatus", [[1, 2], ["V_m", "tau_m"]]),
    ("SetStatus", [[1, 2], {"V_m": -65.0}]),
    ("SetStatus", [[1], "I_e", 100.0]),
    ("Disconnect", [[1], [2]]),
    ("GetDefaults", ["iaf_psc_alpha", "V_m"]),
    ("SetDefaults", ["iaf_psc_alpha", {"C_m": 240.0}]),
    ("CopyModel", ["iaf_psc_alpha", "own", {"tau_m": 5.0}]),
    ("GetKernelStatus", [["resolution", "network_size"]]),
    ("SetKernelStatus", [{"rng_seed": 5, "print_time": False}]),
    ("GetNodes", [{"model": "iaf_psc_alpha"}, False]),
    ("Models", ["nodes", "iaf"]),
    ("Simulate", [2.0]),
    ("Run", [1.0]),
    ("Cleanup", []),
    ("ResetKernel", []),
    ("GetPosition", [[1]]),
    ("GetLocalVPs", []),
]


@st.composite
def nearly_right(draw: st.DrawFn) -> tuple[str, Any]:
    name, args = draw(st.sampled_from(RIGHT))
    place = draw(st.integers(-len(args), len(args) - 1)) if args else -1
    return name, [draw(values) if at == place else one for at, one in enumerate(args)]


@pytest.fixture(scope="module", params=["1", "2"], ids=["one process", "two processes"])
def server(request: pytest.FixtureRequest, nest_mpi: EngineInstall) -> Iterator[Served]:
    with served("--processes", request.param, "--memory", "2", "--limit", "20") as running:
        yield running


def ask(server: Served, method: str, path: str, body: bytes | None, kind: str = TYPES[0]) -> tuple[int, bytes]:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, {"NESTServerAuth": TOKEN, "Content-Type": kind.encode("latin1")})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def check(method: str, status: int, text: bytes) -> None:
    """A result or an error, in JSON that any parser reads."""
    if method in ("HEAD", "OPTIONS"):
        return
    answer = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert status == 200 or answer["message"], (status, text)


def prepare(server: Served) -> None:
    for name, args in (("ResetKernel", []), RIGHT[0], ("Connect", [[1], [2]])):
        assert ask(server, "POST", f"/api/{name}", json.dumps(args).encode())[0] == 200


def check_alive(server: Served) -> None:
    def call(name: str, *args: Any) -> Any:
        status, text = ask(server, "POST", f"/api/{name}", json.dumps(args).encode())
        assert status == 200, text
        return json.loads(text)

    assert server.process.poll() is None
    assert ask(server, "GET", "/", None)[0] == 200
    call("ResetKernel")
    neurons, recorder = call("Create", "iaf_psc_alpha", 4, {"I_e": 600.0}), call("Create", "spike_recorder")
    call("Connect", neurons, recorder)
    call("Simulate", 50.0)
    assert set(call("GetStatus", recorder, "events")[0]["senders"]) == set(neurons)


@pytest.mark.parametrize(
    ("asked", "right"),
    [(nearly_right(), 50), (st.tuples(calls, bodies), 0)],
    ids=["one argument wrong", "all wrong"],
)
def test_five_hundred_random_calls(server: Served, asked: st.SearchStrategy[tuple[str, Any]], right: int) -> None:
    seen: Counter[int] = Counter()

    @settings(
        max_examples=500,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(asked)
    def fire(what: tuple[str, Any]) -> None:
        name, body = what
        if right:
            prepare(server)
        status, text = ask(server, "POST", f"/api/{quote(name, safe='', errors='replace')}", json.dumps(body).encode())
        seen[status] += 1
        if status >= 500:
            print(name, body, text)
        check("POST", status, text)

    fire()
    restarts = json.loads(ask(server, "GET", "/", None)[1])["restarts"]
    print(f"answers by status: {dict(seen)}; brains lost: {restarts}")
    assert restarts <= 5
    assert sum(seen.values()) >= 500
    assert seen[200] >= right and seen[400] > 100
    check_alive(server)


def test_random_requests_of_any_form(server: Served) -> None:
    chance = random.Random(5)
    good = [b'["iaf_psc_alpha", 2]', b"model=iaf_psc_alpha&n=2", b'"x"', b"{}", b"", b"[[[[", b"\x00\xff", b"%%%=&&"]
    for _ in range(200):
        method, place = chance.choice(METHODS), chance.choice((*PLACES, "api/GetKernelStatus", "api/Create"))
        body = chance.choice([*good, chance.randbytes(chance.randrange(200))])
        query = chance.choice(("", "?inspect=getdoc", "?args=%5B1%5D&args=x", "?%ff=%00", "?nonfinite=literal"))
        status, text = ask(server, method, f"/{place}{query}", body, chance.choice(TYPES))
        assert status < 500
        if "literal" not in query:
            check(method, status, text)
    check_alive(server)
