"""The server in front of a real NEST: in one process, and on two that MPI connects; the answers are the same."""

from __future__ import annotations

import http.client
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import psutil
import pytest
from served_brain import TOKEN, Served, served

from animat import NestClient
from animat.brain.install import EngineInstall
from animat.errors import AnimatError
from animat.studio.nest_client import NestBrainLost, NestServerError

INF = float("inf")


@pytest.fixture(scope="module", params=["1", "2"], ids=["one process", "two processes"])
def server(request: pytest.FixtureRequest, nest_mpi: EngineInstall) -> Iterator[Served]:
    with served("--exec", "--processes", request.param, "--memory", "4") as running:
        yield running


@pytest.fixture
def nest(server: Served) -> Iterator[NestClient]:
    with server.client() as client:
        client.startup(rng_seed=3)
        yield client


def test_it_says_what_it_is_and_what_can_be_called(nest: NestClient) -> None:
    about = nest.about()
    assert about["nest"].startswith("3.")
    assert about["mpi"] == (about["processes"] > 1)
    assert {"Create", "GetStatus", "resolution"} <= set(nest.names())
    assert nest.call("resolution") == nest.get_kernel_status("resolution") == 0.1


def test_status_of_nodes_is_set_and_got_in_every_form(nest: NestClient) -> None:
    ids = nest.Create("iaf_psc_alpha", 4)
    assert ids == [1, 2, 3, 4]
    nest.SetStatus(ids, {"V_m": -60.0})
    nest.SetStatus(nodes=[2], params={"V_m": -61.0})
    nest.SetStatus([3], "V_m", -62.0)
    nest.SetStatus(nodes_or_conns=[4], params=[{"V_m": -63.0, "I_e": 5.0}])
    assert nest.GetStatus(ids, "V_m") == [-60.0, -61.0, -62.0, -63.0]
    assert nest.GetStatus([4, 1], keys=["V_m", "I_e"]) == [[-63.0, 5.0], [-60.0, 0.0]]
    nest.SetStatus(ids, {"V_m": [-1.0, -2.0, -3.0, -4.0], "C_m": 200.0})
    assert nest.GetStatus(ids, ["V_m", "C_m"]) == [[-v, 200.0] for v in (1.0, 2.0, 3.0, 4.0)]
    nest.SetStatus(ids, "V_m", [-5.0, -6.0, -7.0, -8.0])
    full = nest.GetStatus(nodes=ids)
    assert [one["V_m"] for one in full] == [-5.0, -6.0, -7.0, -8.0]
    assert all(one["local"] and "tau_m" in one for one in full)


def test_infinities_and_nan_survive(nest: NestClient, server: Served) -> None:
    ids = nest.Create("iaf_psc_alpha", 3, {"V_min": [-INF, -100.0, -INF]})
    assert nest.GetStatus(ids, "V_min") == [-INF, -100.0, -INF]
    nest.SetStatus(ids, {"V_min": "-inf"})
    assert nest.GetStatus(ids, "V_min") == [-INF] * 3
    nest.SetStatus([2], {"V_m": math.nan})
    assert math.isnan(nest.GetStatus([2], "V_m")[0])
    status, text = _raw(server, "POST", "/api/GetStatus", b'{"nodes": [1, 2], "keys": ["V_min", "V_m"]}')
    assert (status, text) == (200, b'[[-1e999,-70.0],[-1e999,"NaN"]]')


def test_recorders_hold_the_events_of_all_neurons_in_order(nest: NestClient) -> None:
    ids = nest.Create("iaf_psc_alpha", 5, {"I_e": [500.0, 520.0, 540.0, 560.0, 580.0]})
    recorder = nest.create_device("spike_recorder")
    meter = nest.create_device("multimeter", record_from=["V_m"], interval=5.0)
    nest.connect_device(recorder, ids)
    nest.connect_device(meter, ids)
    assert nest.run_simulation(50.0) == 50.0
    status = nest.GetStatus([recorder.id])[0]
    events = status["events"]
    assert set(events["senders"]) == set(ids)
    assert status["n_events"] == len(events["times"]) == len(events["senders"])
    order = list(zip(events["times"], events["senders"], strict=True))
    assert order == sorted(order)
    samples = nest.get_device_data(meter)
    assert samples["senders"][:5] == ids
    assert len(samples["V_m"]) == len(samples["times"]) == 5 * 9


def test_the_answers_are_those_of_one_process(nest: NestClient) -> None:
    """Numbers written down once for all numbers of processes."""
    ids = nest.Create("iaf_psc_alpha", 4, {"I_e": [500.0, 510.0, 520.0, 530.0]})
    recorder = nest.Create("spike_recorder")
    nest.Connect(ids, recorder)
    nest.Simulate(50.0)
    events = nest.GetStatus(recorder, "events")[0]
    assert events["senders"] == [4, 3, 2, 1] * 3
    assert events["times"] == [12.3, 12.8, 13.3, 13.9, 26.6, 27.6, 28.6, 29.8, 40.9, 42.4, 43.9, 45.7]
    assert nest.GetNodes({"model": "iaf_psc_alpha"}) == nest.GetLocalNodeCollection(ids) == ids
    assert nest.Rank() == 0
    assert nest.GetKernelStatus(["network_size", "biological_time", "local_spike_counter"]) == [5, 50.0, 12]


def test_connections_come_as_one_and_go_back_as_they_came(nest: NestClient) -> None:
    ids = nest.Create("iaf_psc_alpha", 3)
    nest.Connect(ids, ids, "all_to_all", {"weight": 1.5, "delay": 2.0})
    found = nest.GetConnections(ids)
    assert list(zip(found["source"], found["target"], strict=True)) == [(a, b) for a in ids for b in ids]
    nest.SetStatus(found, {"weight": [float(n) for n in range(9)]})
    assert nest.GetStatus(found, "weight") == [float(n) for n in range(9)]
    one = nest.GetConnections(source=[2], target=[3])
    assert (one["source"], one["target"], one["weight"]) == (2, 3, 5.0)
    nest.SetStatus(one, "weight", -2.0)
    assert nest.GetStatus(one, ["source", "weight"]) == [[2, -2.0]]
    nest.Disconnect([2], [3])
    assert nest.GetConnections([2], [3]) == {}


def test_connections_may_be_looked_at_before_the_first_simulation(nest: NestClient) -> None:
    """With NEST 3.10 alone, processes that see other delays would wait for each other for ever."""
    ids = nest.Create("iaf_psc_alpha", 3)
    nest.Connect([1], [2], "one_to_one", {"delay": 2.0})
    found = nest.GetConnections(ids)
    nest.SetStatus(found, {"weight": 3.0})
    nest.Simulate(10.0)
    assert nest.GetStatus(found, ["weight", "delay"]) == [[3.0, 2.0]]
    with pytest.raises(NestServerError, match="no such connection as number 0"):
        nest.SetStatus({**found, "synapse_id": 99}, {"weight": 1.0})


def test_scripts_return_what_all_processes_have(nest: NestClient) -> None:
    source = """
import nest
nest.ResetKernel()
n = nest.Create("iaf_psc_alpha", 10, {"I_e": 600.0})
r = nest.Create("spike_recorder")
nest.Connect(n, r)
nest.Simulate(100.0)
def events():
    return r.events
response = {"events": [events()], "time": nest.biological_time, "nodes": n, "count": {"n_events": r.n_events}}
potentials = n.get("V_m")
print("done", nest.NumProcesses() > 0)
"""
    answer = nest.exec(source, ["response", "potentials"])
    response = answer.data["response"]
    assert answer.stdout == "done True\n"
    assert response["nodes"] == list(range(1, 11))
    assert set(response["events"][0]["senders"]) == set(range(1, 11))
    assert response["count"]["n_events"] == len(response["events"][0]["times"])
    assert response["events"][0]["times"] == sorted(response["events"][0]["times"])
    assert len(answer.data["potentials"]) == 10 and None not in answer.data["potentials"]
    assert response["time"] == 100.0


def test_a_network_is_loaded_and_driven_by_the_calls_of_the_paper(nest: NestClient, tmp_path: Path) -> None:
    script = tmp_path / "net.py"
    script.write_text('import nest\na = nest.Create("iaf_psc_alpha", 20)\npopulations = {"A": a}\n')
    populations = nest.load_network(script)
    noise = nest.create_device("poisson_generator", rate=0.0)
    nest.connect_device(noise, populations["A"], weight=100.0)
    recorder = nest.create_device("spike_recorder")
    nest.connect_device(recorder, populations["A"])
    nest.run_simulation(50.0)
    assert nest.get_device_data(recorder)["times"] == []
    nest.set_device_params(noise, rate=20000.0)
    nest.run_simulation(100.0)
    assert set(nest.get_device_data(recorder)["senders"]) == set(populations["A"])
    assert len(nest.get_population_parameters(populations["A"], ["V_m", "C_m"])["C_m"]) == 20


def test_positions_are_kept_for_spatial_calls(nest: NestClient) -> None:
    ids = nest.Create("iaf_psc_alpha", positions=[[0.0, 0.0], [0.5, 0.0], [0.0, 0.25]])
    assert ids == [1, 2, 3]
    assert nest.GetPosition(ids) == [[0.0, 0.0], [0.5, 0.0], [0.0, 0.25]]
    assert nest.GetPosition([2]) == [0.5, 0.0]


MISTAKES = [
    ("Create", ["no_such_model"], "no_such_model is not a known model"),
    ("Create", ["iaf_psc_alpha", 10**12], "take"),
    ("Create", ["iaf_psc_alpha", -1], "at least 1"),
    ("Create", ["iaf_psc_alpha", 2, {"tau_m": -1.0}], "Membrane time constant must be > 0"),
    ("SetStatus", [[1], {"tau_m": -1.0}], "Membrane time constant must be > 0"),
    ("SetStatus", [[1], {"nonsense": 1}], "nonsense"),
    ("SetStatus", [[1], {"V_m": "text"}], "V_m"),
    ("GetStatus", [[1], "nonsense"], "unknown parameter of iaf_psc_alpha 'nonsense'"),
    ("GetStatus", [[99]], "does not exist"),
    ("GetStatus", ["V_m"], "ids"),
    ("Connect", [[1], [2], "one_to_one", {"delay": -1.0}], "Delay"),
    ("Connect", [[1], [2], "one_to_one", {"receptor_type": 7}], "eceptor"),
    ("Connect", [[2, 1], [2]], "ascending"),
    ("Connect", [[1], [1], {"rule": "fixed_indegree", "indegree": 2, "allow_autapses": False}], "the 0 partners"),
    (
        "Connect",
        [[1, 2], [1, 2], {"rule": "fixed_indegree", "indegree": 2, "allow_autapses": False, "allow_multapses": False}],
        "the 1 partners",
    ),
    ("Simulate", [-1.0], "from 0 to 1e15"),
    ("Simulate", [INF], "from 0 to 1e15"),
    ("Simulate", ["soon"], "from 0 to 1e15"),
    ("SetKernelStatus", [{"local_num_threads": 10**6}], "at most"),
    ("SetKernelStatus", [{"nonsense": 1}], "nonsense"),
    ("Connect", [[1]], "missing"),
    ("GetConnections", [[1], None, "no_such_synapse"], "no_such_synapse"),
]


@pytest.mark.parametrize(("name", "args", "says"), MISTAKES, ids=[f"{m[0]}-{n}" for n, m in enumerate(MISTAKES)])
def test_mistakes_are_explained_and_cost_nothing(nest: NestClient, name: str, args: list[object], says: str) -> None:
    """Also where only the process that owns the node finds it."""
    nest.Create("iaf_psc_alpha", 3, {"I_e": 7.0})
    with pytest.raises(NestServerError, match=says) as caught:
        nest.call(name, *args)
    assert caught.value.status == 400 and not isinstance(caught.value, NestBrainLost)
    nest.Simulate(10.0)
    assert nest.GetStatus([1], "I_e") == [7.0]


SCRIPT_MISTAKES = [
    ("x = 1\nx = 1 / 0", "ZeroDivisionError at line 2", 2),
    ("x = (", "SyntaxError", 1),
    ("\nnest.Create('nothing')", r"UnknownModelName \(NESTError\) at line 2", 2),
    ("def f(): return f()\nf()", "RecursionError", 1),
    ("import sys\nsys.exit(3)", "ended itself", 2),
    ("raise KeyboardInterrupt", "KeyboardInterrupt", 1),
    ("y = 1", "unknown variable to return 'x'. Known: y", None),
    ("x = nest.Simulate", "x is a function, which cannot be sent", None),
    ("x = 2 ** 100", "101 bits", None),
]


@pytest.mark.parametrize(("source", "says", "line"), SCRIPT_MISTAKES)
def test_mistakes_in_scripts_are_placed(nest: NestClient, source: str, says: str, line: int | None) -> None:
    with pytest.raises(NestServerError, match=says) as caught:
        nest.exec(source, "x")
    assert (caught.value.status, caught.value.line) == (400, line)
    assert not isinstance(caught.value, NestBrainLost)


def test_a_lost_brain_is_replaced(nest: NestClient) -> None:
    nest.Create("iaf_psc_alpha", 3)
    with pytest.raises(NestBrainLost, match="all that was built in it"):
        nest.exec("import os\nos._exit(3)")
    assert nest.get_kernel_status("network_size") == 0
    assert nest.about()["restarts"] >= 1


def test_a_nest_that_ran_out_of_memory_is_replaced(nest: NestClient) -> None:
    nest.Create("iaf_psc_alpha", 2)
    nest.SetKernelStatus({"buffer_size_spike_data": 10**15})
    with pytest.raises(NestBrainLost, match="bad_alloc"):
        nest.Simulate(5.0)
    nest.Create("iaf_psc_alpha", 2)
    nest.Simulate(5.0)


def test_memory_beyond_the_limit_is_refused(nest: NestClient) -> None:
    with pytest.raises(NestServerError, match="MemoryError"):
        nest.exec("x = np.ones(10**10)")
    assert nest.Create("iaf_psc_alpha", 2) == [1, 2]


def test_a_call_beyond_the_limit_costs_the_brain() -> None:
    with served("--exec", "--limit", "1") as running, running.client() as client:
        with pytest.raises(NestBrainLost, match="within 1 s"):
            client.exec("while True: pass")
        assert client.Create("iaf_psc_alpha", 2) == [1, 2]


def test_the_server_answers_while_a_call_is_under_way(nest: NestClient, server: Served) -> None:
    slow = Thread(target=lambda: nest.exec("import time; time.sleep(1.5)"))
    slow.start()
    time.sleep(0.3)
    began = time.monotonic()
    with server.client() as other:
        assert other.about()["nest"]
        assert time.monotonic() - began < 1.0
        assert other.get_kernel_status("network_size") == 0
    assert time.monotonic() - began > 1.0
    slow.join()


def test_a_large_request_that_is_being_read_holds_nobody() -> None:
    """The process that reads it is halted until another client has had its answers."""
    with served() as running, running.client() as other:
        assert _raw(running, "POST", "/api/GetStatus", b"[" + b"1," * 50_000 + b"1]")[0] == 400
        (reader,) = (one for one in psutil.Process(running.process.pid).children() if "reader" in one.name())
        reader.suspend()
        done: list[tuple[int, bytes]] = []
        body = b'{"nodes": [' + b"[]," * 400_000 + b"[]]}"
        large = Thread(target=lambda: done.append(_raw(running, "POST", "/api/GetStatus", body)))
        large.start()
        assert other.Create("iaf_psc_alpha", 2) == [1, 2]
        other.Simulate(10.0)
        assert not done
        reader.resume()
        large.join()
        assert done[0][0] == 400
        assert other.get_kernel_status("network_size") == 2


def test_a_large_answer_that_is_being_written_holds_nobody() -> None:
    with served() as running, running.client() as other:
        assert other.Create("iaf_psc_alpha", 20_000) == list(range(1, 20_001))
        (reader,) = (one for one in psutil.Process(running.process.pid).children() if "reader" in one.name())
        reader.suspend()
        done: list[tuple[int, bytes]] = []
        large = Thread(target=lambda: done.append(_raw(running, "GET", "/api/GetNodes")))
        large.start()
        assert other.get_kernel_status("network_size") == 20_000
        assert not done
        reader.resume()
        large.join()
        assert done == [(200, json.dumps(list(range(1, 20_001)), separators=(",", ":")).encode())]


ALONE = [
    "if nest.Rank() == 1: raise ValueError('only here')",
    "if nest.Rank() == 1: raise ValueError('only here')\nnest.Create('iaf_psc_alpha')\nnest.Simulate(100.0)",
]


@pytest.mark.parametrize("source", ALONE, ids=["at the end", "while the other simulates"])
def test_an_error_in_one_process_of_two_is_told_within_seconds(nest: NestClient, server: Served, source: str) -> None:
    if nest.about()["processes"] == 1:
        pytest.skip("there is but one")
    began = time.monotonic()
    with pytest.raises(NestBrainLost, match="only here"):
        nest.exec(source)
    assert time.monotonic() - began < 5
    nest.Create("iaf_psc_alpha", 2)
    nest.Simulate(10.0)
    assert nest.get_kernel_status("biological_time") == 10.0


def test_no_process_is_left_when_it_ends_in_the_middle_of_a_call(nest_mpi: EngineInstall) -> None:
    with served("--exec", "--processes", "2") as running:
        family = psutil.Process(running.process.pid)
        with running.client() as client:
            call = Thread(target=_ended, args=(client,))
            call.start()
            time.sleep(0.5)
            processes = [family, *family.children(recursive=True)]
            assert len(processes) > 2
            running.process.terminate()
            began = time.monotonic()
            running.process.wait(10)
            assert time.monotonic() - began < 5
            call.join()
    assert not psutil.wait_procs(processes, timeout=2)[1]


def _ended(client: NestClient) -> None:
    with pytest.raises(AnimatError):
        client.exec("import time\ntime.sleep(60)")


def _raw(server: Served, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.request(method, path, body, {"NESTServerAuth": TOKEN, **headers})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, text


def test_every_form_of_a_request_is_understood(server: Served, nest: NestClient) -> None:
    nest.Create("iaf_psc_alpha", 3)
    want = [-70.0, -70.0]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    as_json = {"Content-Type": "application/json"}
    asked: list[tuple[str, str, bytes | None, dict[str, str]]] = [
        ("POST", "/api/GetStatus", b'{"nodes": [1, 2], "keys": "V_m"}', as_json),
        ("POST", "/api/GetStatus", b'{"args": [[1, 2], "V_m"]}', as_json),
        ("POST", "/api/GetStatus", b'[[1, 2], "V_m"]', form),
        ("GET", "/api/GetStatus", b'[[1, 2], "V_m"]', as_json),
        ("GET", "/api/GetStatus?nodes=[1,2]&keys=V_m", None, {}),
        ("GET", "/api/GetStatus?args=[1,2]&args=V_m", None, {}),
        ("POST", "/api/GetStatus", b"nodes=[1,2]&keys=V_m", form),
    ]
    for method, path, body, headers in asked:
        status, text = _raw(server, method, path, body, **headers)
        assert (status, json.loads(text)) == (200, want), (method, path, body, text)
    assert json.loads(_raw(server, "POST", "/api/GetDefaults", b'"iaf_psc_alpha"')[1])["V_m"] == -70.0
    doc = json.loads(_raw(server, "GET", "/api/Create?inspect=getdoc")[1])["data"]
    assert "Create" in doc
    assert "def Create" in json.loads(_raw(server, "GET", "/api/Create?inspect=getsource")[1])["data"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("DELETE", "/api", None, 405),
        ("GET", "/api/Creat", None, 404),
        ("POST", "/api/Create", b'{"model": "iaf', 400),
        ("POST", "/api/Create", b"[" * 100000, 400),
        ("POST", "/api/Create", b'["iaf_psc_alpha", 1' + b"0" * 5000 + b"]", 400),
        ("POST", "/api/Create", b'["\xff\xfe"]', 400),
        ("POST", "/api/Create", b'["\\ud800"]', 400),
        ("POST", "/exec", b'{"source": 3}', 400),
        ("POST", "/api/Create", b" " * (65 * 2**20), 413),
        ("GET", "/api/Create?inspect=getpass", None, 400),
    ],
)
def test_bad_requests_are_json_errors(server: Served, method: str, path: str, body: bytes | None, status: int) -> None:
    found, text = _raw(server, method, path, body)
    assert found == status
    assert json.loads(text)["message"]
