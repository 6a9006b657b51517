"""Which process is meant, and whether it lives."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from animat.link.identity import Identity, alive, identity_of


@pytest.fixture
def ended() -> Identity:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        identity = identity_of(process.pid)
        assert identity is not None and alive(identity)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not alive(identity) and identity_of(process.pid) is None, "what is left of a process counts as none"
    return identity


def test_this_process_lives_and_crosses_a_file() -> None:
    identity = identity_of()
    assert identity is not None and identity.pid == os.getpid() and alive(identity)
    text = msgspec.json.encode(identity)
    assert msgspec.json.decode(text, type=Identity) == identity == identity_of(os.getpid())


def test_one_that_has_ended_does_not_live(ended: Identity) -> None:
    assert not alive(ended)


def test_a_number_that_was_given_away_again_is_not_taken_for_it(ended: Identity) -> None:
    assert not alive(msgspec.structs.replace(ended, pid=os.getpid()))


def test_of_other_machines_and_containers_nothing_is_certain(ended: Identity) -> None:
    boot, _, namespace = ended.place.partition(" ")
    elsewhere = msgspec.structs.replace(ended, host="elsewhere", place=f"another {namespace}")
    assert alive(elsewhere)
    assert alive(msgspec.structs.replace(ended, place=f"{boot} pid:[1]"))
    assert not alive(msgspec.structs.replace(elsewhere, host=ended.host)), "this machine was started anew since"
