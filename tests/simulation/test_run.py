"""Whole runs with real NEST and MuJoCo: what they leave behind, and that they can be repeated."""

import json
import os
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

import animat
from animat.experiment.read import read_experiment
from animat.simulation.client import Client
from animat.simulation.execute import execute
from animat.simulation.lifecycle import State
from animat.simulation.verify import verify


def run(folder, out, *, overrides=(), **options):
    return execute(read_experiment(folder, overrides), out, report=False, **options)


def quiet(_what, _done):
    pass


def test_a_run_leaves_everything_that_was_promised(pendulum, tmp_path):
    seen = {}

    def look(sim):
        sockets = [path for path in sim.folder.iterdir() if stat.S_ISSOCK(path.stat().st_mode)]
        seen["modes"] = {stat.S_IMODE(path.stat().st_mode) for path in sockets}
        seen["control"] = stat.S_IMODE((sim.folder / "control.json").stat().st_mode)
        seen["ps"] = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True).stdout

    sim = run(pendulum(), tmp_path / "run", on_open=look)
    assert sim.state is State.COMPLETED, sim.error
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["steps"] == 10 and summary["simulated_ms"] == 200
    assert summary["state"] == "completed" and summary["wall_s"] > 0 and summary["real_time_factor"] > 0
    for part in ("brain_kernel", "exchange", "body", "transfer", "record", "step"):
        assert {"mean", "median"} <= set(summary["profile"][part])
    assert set(summary["rates_hz"]) == {"A", "B"} and summary["rates_hz"]["A"] > 1
    assert summary["peak_memory_mb"]["simulation"] > 10 and summary["peak_memory_mb"]["brain"] > 10
    assert seen["modes"] == {0o600} and seen["control"] == 0o600
    workers = [line.split(None, 1) for line in seen["ps"].splitlines() if " animat.brain " in line]
    assert str(os.getpid()) in [parent for parent, _ in workers]
    recorded = animat.open_run(tmp_path / "run")
    assert recorded.spikes.num_rows == summary["spikes"] > 20
    assert recorded.signals.num_rows == 10
    for name in ("spikes", "signals", "body"):
        assert (tmp_path / "run" / f"{name}.parquet").exists()
    manifest = recorded.manifest
    assert manifest["seed"] == 3 and manifest["versions"]["mujoco"]
    assert set(manifest["inputs_sha256"]) == {"experiment.yaml", "transfer.py", "brain brain", "body body"}
    assert not (tmp_path / "run" / "control.json").exists()


def test_the_same_seed_gives_the_same_run_twice_and_another_seed_does_not(pendulum, tmp_path):
    folder = pendulum()
    for name, overrides in (("one", []), ("two", []), ("other", ["seed=4"])):
        assert run(folder, tmp_path / name, overrides=overrides).state is State.COMPLETED
    one, two, other = (animat.open_run(tmp_path / name) for name in ("one", "two", "other"))
    assert one.hashes() == two.hashes()
    assert one.spike_hash != other.spike_hash


def test_one_or_two_threads_at_fixed_virtual_processes_give_identical_spikes(pendulum, tmp_path):
    folder = pendulum()
    for threads in (1, 2):
        overrides = [f"brain.threads={threads}", "brain.virtual_processes=2"]
        assert run(folder, tmp_path / str(threads), overrides=overrides).state is State.COMPLETED
    one, two = animat.open_run(tmp_path / "1"), animat.open_run(tmp_path / "2")
    assert one.spikes.num_rows > 20 and one.hashes() == two.hashes()


def test_recorded_spikes_equal_the_counts(pendulum, tmp_path):
    sim = run(pendulum(), tmp_path / "run")
    recorded = animat.open_run(tmp_path / "run")
    for place, population in enumerate(sim.engines.infos["brain"].populations):
        assert len(recorded.spikes_of(population.name)[0]) == sim.recording.counts["brain"][place]


def test_verify_repeats_live_edits_and_settings(pendulum, tmp_path):
    folder = pendulum(extra="parameters: {gain: 1.0}")
    with animat.load(folder, out=tmp_path / "run") as sim:
        sim.run("60 ms")
        source = sim.sources()["transfer.py"].replace("1000 * abs", "20000 + 1000 * abs")
        sim.edit("transfer.py", source)
        sim.run("40 ms")
        sim.set("A", I_e="200 pA")
        sim.run()
        assert sim.state == "completed"
    first = animat.open_run(tmp_path / "run")
    again = verify(tmp_path / "run", tmp_path / "again", quiet)
    assert again.verdict == "identical"
    assert [
        event["kind"] for event in animat.open_run(tmp_path / "again").events if event["kind"] in ("edit", "set")
    ] == [
        "edit",
        "set",
    ]
    plain = run(folder, tmp_path / "plain")
    assert plain.state is State.COMPLETED
    assert animat.open_run(tmp_path / "plain").spike_hash != first.spike_hash


def test_verify_finds_a_difference(pendulum, tmp_path):
    assert run(pendulum(), tmp_path / "run").state is State.COMPLETED
    experiment = tmp_path / "run" / "experiment" / "experiment.yaml"
    experiment.write_text(experiment.read_text().replace("seed: 3", "seed: 5"))
    verdict = verify(tmp_path / "run", None, quiet)
    assert verdict.verdict == "different" and "spikes" in str(verdict)


def test_a_pynest_script_is_a_brain(pendulum, tmp_path):
    from conftest import SCRIPT

    sim = run(pendulum(script=SCRIPT), tmp_path / "run")
    assert sim.state is State.COMPLETED, sim.error
    assert animat.open_run(tmp_path / "run").spikes.num_rows > 20


def test_events_silence_clamp_message_and_stop(pendulum, tmp_path):
    extra = """\
events:
  - {at: 100 ms, silence: A, for: 100 ms}
  - {at: 40 ms, message: half way}
  - {at: 20 ms, set: {neurons: "B[0:5]", I_e: 500 pA}, for: 40 ms}
  - {at: 300 ms, stop: enough}
"""
    sim = run(pendulum(duration="1 s", extra=extra), tmp_path / "run")
    assert (sim.state, sim.reason) == (State.STOPPED, "enough")
    recorded = animat.open_run(tmp_path / "run")
    _, ticks = recorded.spikes_of("A")
    times = ticks / 1e6
    assert np.sum(times <= 100) > 10 and np.sum((times > 100.2) & (times <= 200)) == 0 and np.sum(times > 200) > 10
    assert "half way" in [event.get("text") for event in recorded.events]


@pytest.mark.parametrize("size", [20, 48])
def test_percentages_name_the_same_part_of_populations_of_any_size(pendulum, tmp_path, size):
    transfer = """\
from animat import spike_sink, spike_source, transfer_function

@transfer_function(
    quarter=spike_sink("A[25%:50%]", "leaky_integrator_alpha", each=True),
    half=spike_source("A[50%:]", "dc_source", amplitude="1 nA"),
)
def part(t, quarter, half):
    assert len(quarter.voltage) == SIZE // 4
""".replace("SIZE", str(size))
    extra = """\
events:
  - {at: 0 ms, silence: "A[:25%]"}
  - {at: 20 ms, set: {neurons: "A[25%:50%]", tau_m: 12 ms}, for: 40 ms}
"""
    folder = pendulum(transfer=transfer, extra=extra)
    network = folder / "network.yaml"
    network.write_text(network.read_text().replace("size: 20", f"size: {size}"))
    with animat.load(folder, out=tmp_path / "run", settings={"brain.engine": "compact"}) as sim:
        sim.run("40 ms")
        changed = [value == 12 for value in sim.get("A", "tau_m")["tau_m"]]
        assert changed == [size // 4 <= neuron < size // 2 for neuron in range(size)]
        sim.set("A[75%:]", V_reset="-80 mV")
        assert sim.get("A[50%:]", "V_reset")["V_reset"] == [-70.0] * (size // 4) + [-80.0] * (size // 4)
        with pytest.raises(animat.AnimatError, match=rf"A\[0%:1%\] selects no neuron: A has {size} neurons"):
            sim.get("A[0%:1%]", "V_m")
        sim.run()
        assert sim.state == "completed"
    recorded = animat.open_run(tmp_path / "run")
    counts = np.bincount(recorded.spikes_of("A")[0], minlength=size)
    assert not counts[: size // 4].any() and (counts[size // 2 :] > counts[size // 4 : size // 2].max()).all()
    assert not [event for event in recorded.events if event["kind"] == "transfer_function_failed"]
    assert verify(tmp_path / "run", tmp_path / "again", quiet).verdict == "identical"


def test_cutting_a_projection_stops_its_target(pendulum, tmp_path):
    sim = run(pendulum(extra="events: [{at: 100 ms, cut: A->B}]", duration="300 ms"), tmp_path / "run")
    assert sim.state is State.COMPLETED, sim.error
    _, ticks = animat.open_run(tmp_path / "run").spikes_of("B")
    assert np.sum(ticks <= 100e6) > 5 and np.sum(ticks > 130e6) == 0


def test_steering_from_several_clients_at_once(pendulum, tmp_path):
    with animat.load(pendulum(duration="10 s"), out=tmp_path / "run") as sim:
        assert sim.state == "initialized"
        sim.step(2)
        assert sim.time == 0.04 and sim.state == "paused"
        with animat.attach(tmp_path / "run") as other:
            other.run("60 ms")
            assert sim.time == 0.1
            assert other.get("A[0:3]", "V_m")["V_m"] == sim.get("A[0:3]", "V_m")["V_m"]
            with pytest.raises(animat.AnimatError, match="Known: A, B"):
                other.get("C", "V_m")
            with pytest.raises(animat.AnimatError, match="unknown parameter"):
                other.get("A", "V_x")
            assert other.get("variable:feel.count") == 5
        assert sim.state == "paused"
        sim.start()
        with Client(tmp_path / "run") as third:
            topics = set()
            for topic, content in third.stream("state", "signals", "spikes", "poses", timeout=5):
                topics.add(topic)
                assert content
                if topics == {"state", "signals", "spikes", "poses"}:
                    break
        assert topics == {"state", "signals", "spikes", "poses"}
        sim.pause()
        recorded = sim.stop()
    assert recorded.summary["state"] == "stopped"


def test_a_slow_or_killed_client_changes_nothing(pendulum, tmp_path):
    folder = pendulum(duration="2 s")
    assert run(folder, tmp_path / "alone").state is State.COMPLETED
    sleeper = (
        "import sys, time\nfrom animat.simulation.client import Client\n"
        "s = Client(sys.argv[1]).stream(); print('in', flush=True); next(s); time.sleep(60)"
    )
    with animat.load(folder, out=tmp_path / "watched") as sim:
        slow = subprocess.Popen([sys.executable, "-c", sleeper, str(tmp_path / "watched")], stdout=subprocess.PIPE)
        killed = subprocess.Popen([sys.executable, "-c", sleeper, str(tmp_path / "watched")], stdout=subprocess.PIPE)
        assert slow.stdout.readline() == b"in\n" and killed.stdout.readline() == b"in\n"
        time.sleep(0.5)
        sim.run("1 s")
        killed.kill()
        sim.run()
        assert sim.status()["state"] == "completed"
        slow.kill()
        for process in (slow, killed):
            process.wait()
            process.stdout.close()
    assert animat.open_run(tmp_path / "alone").hashes() == animat.open_run(tmp_path / "watched").hashes()


def test_reset_repeats_the_run_and_keeps_the_first(pendulum, tmp_path):
    with animat.load(pendulum(duration="10 s"), out=tmp_path / "run") as sim:
        sim.run("100 ms")
        sim.reset()
        assert sim.time == 0 and sim.state == "initialized"
        sim.run("100 ms")
        again = sim.stop()
    first = animat.open_run(tmp_path / "run" / "episodes" / "1")
    assert first.signals.num_rows == again.signals.num_rows == 5
    assert first.spikes.num_rows > 5 and first.hashes() == again.hashes()


def test_a_broken_edit_keeps_the_old_function_and_is_noted(pendulum, tmp_path):
    with animat.load(pendulum(duration="10 s"), out=tmp_path / "run") as sim:
        sim.run("40 ms")
        for broken in ("def x(:", "import nothing_like_this", sim.sources()["transfer.py"].replace('"B"', '"C"')):
            with pytest.raises(animat.AnimatError, match="the old source stays in use"):
                sim.edit("transfer.py", broken)
        with pytest.raises(animat.AnimatError, match=r"transfer\.py"):
            sim.edit("other.py", "")
        with pytest.raises(animat.AnimatError, match="did not return"):
            sim.edit("transfer.py", sim.sources()["transfer.py"].replace("count.value += 1", "while True: pass"))
        sim.run("40 ms")
        assert sim.get("variable:feel.count") == 4
        sim.edit("transfer.py", sim.sources()["transfer.py"].replace("count.value += 1", "count.value += 10"))
        sim.run("20 ms")
        assert sim.get("variable:feel.count") == 14
        recorded = sim.stop()
    kinds = [event["kind"] for event in recorded.events]
    assert kinds.count("edit_refused") == 4 and kinds.count("edit") == 1


@pytest.mark.usefixtures("nest_mpi")
def test_a_brain_on_two_processes_gives_the_run_of_one(pendulum, tmp_path):
    """With transfer functions, events and recording around it."""
    folder = pendulum(extra="events: [{at: 60 ms, silence: A, for: 60 ms}]")
    for processes in (1, 2):
        overrides = [f"brain.processes={processes}", "brain.virtual_processes=2"]
        sim = run(folder, tmp_path / str(processes), overrides=overrides)
        assert sim.state is State.COMPLETED, sim.error
    one, two = animat.open_run(tmp_path / "1"), animat.open_run(tmp_path / "2")
    assert one.spikes.num_rows > 20 and one.hashes() == two.hashes()
    assert two.manifest["brains"]["brain"]["processes"] == 2
    assert json.loads((tmp_path / "2" / "summary.json").read_text())["peak_memory_mb"]["brain"] > 100
    assert verify(tmp_path / "2", None, quiet).verdict == "identical"
