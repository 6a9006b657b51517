"""Clients cannot hold the loop: not by sending without end, not by sending much, not by live edits."""

import msgspec
import pytest
import zmq

import animat
from animat.simulation.control import REQUEST_BYTES, _Budget
from conftest import TRANSFER

COMPACT = {"brain.engine": "compact"}


@pytest.fixture
def stranger():
    """Opens sockets that send to a simulation without ever reading."""
    context = zmq.Context()

    def join(sim):
        socket = context.socket(zmq.DEALER)
        socket.connect(sim._client._description["commands"])
        return socket

    yield join
    context.destroy(linger=0)


def request(name, number=1, **arguments):
    return msgspec.msgpack.encode({"id": number, "name": name, "arguments": arguments})


def test_who_sends_without_reading_holds_neither_the_loop_nor_others(pendulum, tmp_path, stranger):
    with animat.load(pendulum(duration="1000 s"), out=tmp_path / "run", settings=COMPACT) as sim:
        socket = stranger(sim)
        sent = 0
        for number in range(70_000):
            try:
                socket.send(request(("status", "pause", "fly")[number % 3], number), zmq.NOBLOCK)
                sent += 1
            except zmq.Again:
                break
        assert sent > 100
        sim.run("400 ms")
        assert sim.state in ("paused", "initialized") and sim.time > 0
        socket.close(linger=0)
        sim.run("400 ms")


def test_a_client_may_leave_64_commands_unanswered(pendulum, tmp_path, stranger):
    with animat.load(pendulum(duration="1000 s"), out=tmp_path / "run", settings=COMPACT) as sim:
        socket = stranger(sim)
        for number in range(70):
            socket.send(request("run", number, wait=True))
        answers = []
        for _ in range(6):
            assert socket.poll(30_000)
            answers.append(msgspec.msgpack.decode(socket.recv()))
        assert all("64 of your commands have not been answered" in answer["error"] for answer in answers)
        sim.pause()
        for _ in range(64):
            assert socket.poll(30_000)
            assert msgspec.msgpack.decode(socket.recv())["ok"]["state"] == "paused"


def test_endless_names_and_requests_are_refused_in_a_few_words(pendulum, tmp_path):
    with animat.load(pendulum(duration="1000 s"), out=tmp_path / "run", settings=COMPACT) as sim:
        for ask in (
            lambda: sim._client.request("x" * 10_000_000),
            lambda: sim.get("signal:" + "x" * 10_000_000),
            lambda: sim.edit("x" * 10_000_000, ""),
        ):
            with pytest.raises(animat.AnimatError, match=r"10,000,\d+ characters in all") as caught:
                ask()
            assert len(str(caught.value)) < 2000
        with pytest.raises(animat.AnimatError, match="more than a simulation takes in one command"):
            sim.set("A", I_e=[1.0] * (REQUEST_BYTES // 8))
        sim.step()


def test_the_loop_runs_on_while_an_edit_is_tried(pendulum, tmp_path):
    slow_to_try = TRANSFER.replace("count.value += 1", "count.value += 1\n    if t > 100: __import__('time').sleep(1)")
    with animat.load(pendulum(duration="1000 s"), out=tmp_path / "run", settings=COMPACT) as sim:
        sim.start()
        before = sim.status()["tick"]
        sim.edit("transfer.py", slow_to_try)
        (edit,) = (event for event in sim.recording.events if event["kind"] == "edit")
        assert edit["tick"] >= before + 10 * 20_000_000
        assert sim.sources()["transfer.py"] == slow_to_try


def test_answering_is_slowed_once_it_takes_more_than_its_share():
    budget = _Budget()
    assert budget.rest(0.001) == 0.0
    assert all(0.0 <= budget.rest(0.05) <= 1.0 for _ in range(3))
    assert budget.rest(10.0) == 1.0
