"""What clients, events and ordinary mistakes must not be able to do to a simulation."""

import json
import os
import signal
import subprocess
import time

import msgspec
import pytest
import zmq

import animat
from animat.experiment.read import read_experiment
from animat.simulation.client import Client
from animat.simulation.execute import execute
from animat.simulation.lifecycle import State
from animat.simulation.verify import verify
from conftest import TRANSFER


def run(folder, out, **options):
    return execute(read_experiment(folder), out, report=False, **options)


def quiet(_what, _done):
    pass


def test_brain_commands_wait_for_a_brain_step_that_is_longer_than_the_loops(pendulum, tmp_path):
    folder = pendulum(duration="10 s", extra="events: [{at: 20 ms, silence: B}]")
    with animat.load(folder, out=tmp_path / "run", settings={"brain.step": "40 ms"}) as sim:
        sim.step(1)
        assert len(sim.get("A", "V_m")["V_m"]) == 20
        sim.set("A", I_e="10 pA")
        sim.step(3)
        assert sim.state == "paused" and sim.time == 0.08


def test_odd_requests_are_refused_and_change_nothing(pendulum, tmp_path):
    with animat.load(pendulum(duration="10 s"), out=tmp_path / "run") as sim:
        for arguments in (
            {"name": "step", "count": float("inf")},
            {"name": "step", "count": "many"},
            {"name": "run", "for_ns": 7},
            {"name": "set", "target": "variable:nothing", "value": 1},
            {"name": "set", "target": "control:nothing", "value": 1},
            {"name": "set", "target": "signal:angle/hinge", "value": 1},
            {"name": "get", "target": "signal:nothing"},
            {"name": "edit", "file": "transfer.py"},
            {"name": "fly"},
        ):
            name = arguments.pop("name")
            with pytest.raises(animat.AnimatError):
                sim._client.request(name, timeout=20, **arguments)
        context = zmq.Context()
        socket = context.socket(zmq.DEALER)
        socket.connect(json.loads((tmp_path / "run" / "control.json").read_text())["commands"])
        for request in (
            b"",
            b"\xc1",
            msgspec.msgpack.encode({"id": "9" * 30, "name": "status"}),
            msgspec.msgpack.encode([1]),
        ):
            socket.send(request)
            assert socket.poll(5000) and "error" in msgspec.msgpack.decode(socket.recv())
        context.destroy(linger=0)
        sim.step()
        assert sim.state == "paused"


def test_a_brain_killed_while_paused_is_noticed(pendulum, tmp_path):
    with animat.load(pendulum(duration="10 s"), out=tmp_path / "run") as sim:
        sim.step()
        found = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True).stdout
        rows = [line.split(None, 2) for line in found.splitlines()[1:]]
        worker = next(
            int(row[0]) for row in rows if int(row[1]) == sim._client.pid and row[2].startswith("animat.brain")
        )
        os.kill(worker, signal.SIGKILL)
        killed = time.monotonic()
        while sim.state == "paused":
            assert time.monotonic() - killed < 2
            time.sleep(0.05)
        sim.wait(20)
        assert sim.recording.summary["state"] == "failed" and "SIGKILL" in sim.recording.summary["error"]


def test_a_brain_that_hangs_longer_than_its_patience_fails_the_run(pendulum, tmp_path):
    folder = pendulum(duration="10 s")
    with animat.load(folder, out=tmp_path / "run", settings={"brain.patience": "500 ms"}) as sim:
        sim.step(3)
        found = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True).stdout
        rows = [line.split(None, 2) for line in found.splitlines()[1:]]
        worker = next(
            int(row[0]) for row in rows if int(row[1]) == sim._client.pid and row[2].startswith("animat.brain")
        )
        os.kill(worker, signal.SIGSTOP)
        sim.start()
        sim.wait(30)
        assert sim.recording.summary["state"] == "failed" and "did not answer" in sim.recording.summary["error"]
        assert sim.recording.signals.num_rows == 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("raise SystemExit(0)", "SystemExit"),
        ("source.rate = -1.0", "at least 0"),
        ("source.rate = [1.0, 2.0]", "each=True"),
        ("source.rate = 'fast'", "must be a number"),
    ],
)
def test_a_function_that_fails_is_put_aside_and_its_source_rests(pendulum, tmp_path, wrong, words):
    transfer = TRANSFER.replace(
        "count.value += 1", f"count.value += 1\n    source.rate = 500.0\n    if 0.03 < t < 0.05: {wrong}"
    )
    sim = run(pendulum(transfer=transfer), tmp_path / "run")
    assert sim.state is State.COMPLETED and sim.steps == 10
    (aside,) = [bound for bound in sim.loop.functions if bound.problem]
    assert aside.function.name == "feel" and words in aside.problem
    t, rate = animat.open_run(tmp_path / "run").signal("feel.source.rate")
    assert rate[t < 0.05].min() == 500 and rate[t > 0.07].max() == 0


def test_an_edit_that_never_returns_or_exits_while_it_is_read_is_refused(pendulum, tmp_path):
    endless = TRANSFER.replace("count.value += 1", "while True: pass")
    settings = {"trial_patience": "1 s"}
    with animat.load(pendulum(duration="10 s"), out=tmp_path / "run", settings=settings) as sim:
        sim.step()
        for broken in (endless, "raise SystemExit(0)", "import os; os._exit(0)"):
            with pytest.raises(animat.AnimatError, match="the old source stays"):
                sim.edit("transfer.py", broken)
        sim.step()
        assert sim.get("variable:feel.count") == 2


def test_an_edit_that_fails_half_way_leaves_no_device(pendulum, tmp_path):
    folder = pendulum(duration="10 s")
    more = TRANSFER + (
        "\n@transfer_function(a=spike_source('A', 'poisson', rate=9000.0, weight=90.0),"
        " b=spike_source('A', 'poisson', delay='90 ms'))\ndef more(t, a, b): pass\n"
    )
    with animat.load(folder, out=tmp_path / "run") as sim:
        sim.run("100 ms")
        with pytest.raises(animat.AnimatError, match="the old source stays"):
            sim.edit("transfer.py", more)
        sim.run("100 ms")
        edited = sim.stop()
    with animat.load(folder, out=tmp_path / "plain") as sim:
        sim.run("200 ms")
        plain = sim.stop()
    assert [event["kind"] for event in edited.events].count("edit_refused") == 1
    assert edited.spike_hash == plain.spike_hash


def test_reset_undoes_events_and_keeps_edits_and_both_episodes_can_be_verified(pendulum, tmp_path):
    transfer = (
        TRANSFER.replace("transfer_function,", "parameter, transfer_function,")
        .replace(
            "count=variable(0))\ndef feel(t, hinge, source, count):",
            "count=variable(0), gain=parameter('gain', 'Hz'))\ndef feel(t, hinge, source, count, gain):",
        )
        .replace("1000 * abs(hinge.angle)", "gain")
    )
    extra = "parameters: {gain: 1 kHz}\nevents: [{at: 40 ms, set: {parameter: gain, value: 9 kHz}}]"
    with animat.load(pendulum(duration="10 s", transfer=transfer, extra=extra), out=tmp_path / "run") as sim:
        sim.run("80 ms")
        assert sim.get("parameter:gain") == "9 kHz"
        sim.reset()
        assert sim.get("parameter:gain") == "1 kHz"
        sim.run("20 ms")
        sim.edit("transfer.py", sim.sources()["transfer.py"].replace("'A'", "'A'") + "\n# changed\n")
        sim.reset()
        sim.run("80 ms")
        sim.stop()
    assert verify(tmp_path / "run" / "episodes" / "1", tmp_path / "first", quiet).verdict == "identical"
    assert verify(tmp_path / "run", tmp_path / "last", quiet).verdict == "identical"


def test_overlapping_silences_end_with_the_last(pendulum, tmp_path):
    extra = "events: [{at: 40 ms, silence: A, for: 60 ms}, {at: 60 ms, silence: A, for: 100 ms}]"
    assert run(pendulum(duration="240 ms", extra=extra), tmp_path / "run").state is State.COMPLETED
    ticks = animat.open_run(tmp_path / "run").spikes_of("A")[1] / 1e6
    assert sum((ticks > 40.2) & (ticks <= 160)) == 0 and sum(ticks > 160) > 5


def test_stop_at_the_beginning_runs_no_step(pendulum, tmp_path):
    sim = run(pendulum(extra="events: [{at: 0 ms, stop: at once}]"), tmp_path / "run")
    assert (sim.state, sim.reason, sim.steps) == (State.STOPPED, "at once", 0)


def test_a_timeout_ends_a_function_that_never_returns(pendulum, tmp_path):
    transfer = TRANSFER.replace("count.value += 1", "count.value += 1\n    while count.value > 20: pass")
    folder = pendulum(transfer=transfer, duration="1000 s", extra="timeout: 4 s")
    began = time.monotonic()
    sim = run(folder, tmp_path / "run")
    assert sim.state is State.STOPPED and "time-out" in sim.reason and time.monotonic() - began < 20


def test_everything_is_readable_as_soon_as_run_returns(pendulum, tmp_path):
    with animat.load(pendulum(), out=tmp_path / "run") as sim:
        sim.run()
        assert sim.signals.num_rows == 10 and sim.state == "completed"


def test_a_run_folder_that_is_an_experiment_is_refused(pendulum):
    folder = pendulum()
    with pytest.raises(animat.AnimatError, match="holds an experiment"):
        run(folder, folder)
    assert (folder / "transfer.py").exists()


def test_a_folder_in_which_another_simulation_runs_is_left_alone(pendulum, tmp_path):
    with animat.load(pendulum(duration="10 s"), out=tmp_path / "run") as first:
        first.step()
        with pytest.raises(animat.AnimatError, match="already holds a run"):
            animat.load(pendulum(duration="10 s"), out=tmp_path / "run")
        assert first.state == "paused"


def test_over_tcp_only_a_client_with_the_runs_keys_gets_in(pendulum, tmp_path):
    seen = {}

    def look(sim):
        control = json.loads((sim.folder / "control.json").read_text())
        assert control["commands"].startswith("tcp://127.0.0.1:")
        with Client(sim.folder) as client:
            seen["status"] = client.request("status", timeout=5)
        context = zmq.Context()
        stranger = context.socket(zmq.DEALER)
        stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
        stranger.curve_serverkey = control["server_key"].encode()
        stranger.connect(control["commands"])
        stranger.send(msgspec.msgpack.encode({"id": 1, "name": "status"}))
        seen["stranger"] = stranger.poll(1500)
        context.destroy(linger=0)

    sim = run(pendulum(duration="40 ms"), tmp_path / "run", tcp="127.0.0.1", on_open=look)
    assert sim.state is State.COMPLETED, sim.error
    assert seen["status"]["state"] == "initialized" and seen["stranger"] == 0
