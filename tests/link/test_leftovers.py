"""What dead processes leave, and who removes it."""

from __future__ import annotations

import errno
import mmap
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import animat.link.bootstrap as bootstrap
import animat.link.leftovers as leftovers
from animat.errors import AnimatError
from animat.link.identity import Identity, this_place
from animat.link.leftovers import fits_a_socket, private_folder, remove_leftovers
from animat.link.shared_memory import PLACE, remove
from animat.link.wire import Invitation, encode


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only place for temporary files."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        monkeypatch.setattr(leftovers, "_places", lambda: [Path(folder)])
        yield Path(folder)


def left_by_the_dead(place: Path) -> Path:
    code = f"from pathlib import Path; from animat.link.leftovers import *; print(private_folder(Path({str(place)!r})))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return Path(made.stdout.strip())


def test_whoever_comes_next_removes_what_belongs_to_the_dead_only(temporary: Path, tmp_path: Path) -> None:
    mine, theirs = private_folder(), left_by_the_dead(temporary)
    (theirs / "invitation").write_text("keys")
    nobodys = temporary / "animat-of-no-known-owner"
    nobodys.mkdir()
    pointer = temporary / "animat-pointer"
    elsewhere = left_by_the_dead(tmp_path)
    pointer.symlink_to(elsewhere)
    assert mine.stat().st_mode & 0o777 == 0o700
    remove_leftovers()
    assert mine.exists() and nobodys.exists() and not theirs.exists()
    assert pointer.is_symlink() and elsewhere.exists()
    remove_leftovers(tmp_path)
    assert not elsewhere.exists()


@pytest.mark.skipif(not PLACE.exists(), reason="shared memory has no names in the file system here")
def test_shared_memory_goes_once_nobody_has_it_mapped(temporary: Path) -> None:
    unused, used, foreign, fresh = (
        PLACE / f"{name}{os.getpid()}" for name in ("mpich_shm_test_a", "mpich_shm_test_b", "test_", "mpich_shm_test_c")
    )
    for file in (unused, used, foreign, fresh):
        file.write_bytes(bytes(4096))
    for file in (unused, used, foreign):
        os.utime(file, (1e9, 1e9))
    try:
        with used.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ):
            remove_leftovers()
            assert [file.exists() for file in (unused, used, foreign, fresh)] == [False, True, True, True]
    finally:
        remove({used, foreign, fresh})


@pytest.mark.parametrize("variable", ["TMPDIR", "XDG_RUNTIME_DIR"])
def test_a_path_too_long_for_a_socket_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    long = tmp_path / ("x" * 200)
    long.mkdir()
    monkeypatch.setenv(variable, str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)
    folder = private_folder()
    assert fits_a_socket(folder / "control.stream") and long not in folder.parents
    (folder / "owner").unlink()
    folder.rmdir()
    assert private_folder(long).parent == long


def test_a_full_disk_is_passed_over(temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, data: bytes) -> None:
        if tmp_path in path.parents:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        usual(path, data)

    usual = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", write)
    monkeypatch.setattr(leftovers, "fits_a_socket", lambda _path: True)
    monkeypatch.setattr(leftovers, "_places", lambda: [tmp_path, temporary])
    assert private_folder().parent == temporary
    assert not list(tmp_path.iterdir())


def test_where_no_folder_can_be_made_it_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 200)
    monkeypatch.setattr(leftovers, "_places", lambda: [long, Path("/no/such/place")])
    with pytest.raises(AnimatError, match=r"x \(its path is too long .*/no/such/place \(No such file .*set TMPDIR"):
        private_folder()


def test_a_worker_whose_parent_ended_before_it_began_ends(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    dead = Identity(child.pid, 1.0, this_place(), platform.node())
    child.wait()
    folder = private_folder(tmp_path)
    (folder / "owner").write_bytes(msgspec.json.encode(dead))
    invitation = Invitation("ipc:///nowhere", "x", "json", "title")
    (folder / "invitation").write_bytes(encode(invitation))
    command = [sys.executable, bootstrap.__file__, str(folder / "invitation")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "who started this worker has ended" in done.stderr
