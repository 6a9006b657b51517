"""What a trial makes of functions that fail, loop, crash, or end Python; and that its process ends with its parent."""

import os
import re
import subprocess
import sys
import time

import psutil
import pytest

from animat.errors import AnimatError
from animat.transfer.bind import Surroundings
from animat.transfer.dry import dry_call, dry_load

HEAD = """\
from animat import transfer_function, variable

class Base(BaseException):
    pass

class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")

@transfer_function(seen=variable(0.0))
def act(t, seen):
"""
CALL = HEAD.count("\n") + 1


def trial(body, patience_s=20.0):
    dry_call({"transfer.py": f"{HEAD}    {body}\n"}, Surroundings({}, {}, {}), {}, patience_s=patience_s)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise Base('odd')", "act: Base: odd (at 0 s)"),
        ("raise KeyboardInterrupt", "act: KeyboardInterrupt (at 0 s)"),
        ("raise SystemExit(4)", "act: SystemExit: 4 (at 0 s)"),
        ("raise GeneratorExit", "act: GeneratorExit (at 0 s)"),
        ("raise Mute", "act: Mute: (what it says cannot be shown: RuntimeError) (at 0 s)"),
        ("raise ValueError('half \\ud800 a character')", "act: ValueError: half \\ud800 a character (at 0 s)"),
        ("raise ValueError('x' * 50_000_000)", "characters in all"),
        ("seen.value = 1 / 0", "act: ZeroDivisionError: division by zero (at 0 s)"),
        ("import os; os._exit(3)", "act ended the trial process (exit code 3)"),
        (
            "import os; os.write(2, b'out of luck'); os._exit(0)",
            "act ended the trial process (exit code 0) out of luck",
        ),
        ("import os; os.kill(os.getpid(), 11)", "act ended the trial process (Segmentation fault, SIGSEGV)"),
    ],
)
def test_whatever_a_function_does_ends_in_a_short_readable_error(body, words):
    with pytest.raises(AnimatError, match=re.escape(words)) as caught:
        trial(body)
    assert caught.value.file == "transfer.py" and caught.value.line in (CALL, CALL - 2)
    assert len(str(caught.value)) < 2500
    str(caught.value).encode()


def test_a_function_that_returns_is_fine_whatever_it_prints_and_starts():
    trial("import subprocess, sys; print('x' * 10_000); sys.stderr.write('y' * 200_000); input if t else None")
    trial("import subprocess; subprocess.Popen(['sleep', '60'])")
    with pytest.raises(AnimatError, match="EOFError"):
        trial("input()")


def test_only_calls_are_timed_and_the_patience_is_for_each():
    slow = f"import time\ntime.sleep(1.2)\n{HEAD}    time.sleep(0.3)\n"
    dry_call({"transfer.py": slow}, Surroundings({}, {}, {}), {}, patience_s=1.0, seconds=(0.0, 0.1, 0.2, 0.3, 0.4))


def test_a_call_that_does_not_return_is_told_with_what_gives_it_longer():
    with pytest.raises(AnimatError) as caught:
        trial("while True: pass", patience_s=0.5)
    assert str(caught.value) == (
        f"transfer.py:{CALL - 2}: act did not return within 0.5 s in a trial; "
        "`trial_patience: 1 min` in the experiment would give each call longer"
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import os\nos._exit(2)\n", "transfer.py: transfer.py ended the trial process (exit code 2)"),
        ("class B(BaseException): pass\nraise B('top')\n", "transfer.py:2: B: top"),
        ("raise KeyboardInterrupt\n", "transfer.py:1: KeyboardInterrupt"),
    ],
)
def test_loading_a_file_is_tried_too(source, words):
    with pytest.raises(AnimatError) as caught:
        dry_load({"transfer.py": source})
    assert str(caught.value) == words


def test_a_file_that_is_never_loaded_is_told(monkeypatch):
    monkeypatch.setattr("animat.transfer.dry._LOAD_S", 0.5)
    with pytest.raises(AnimatError, match=re.escape("transfer.py was not loaded within 0.5 s in a trial")):
        dry_load({"transfer.py": "while True: pass\n"}, 0.5)


LOOPS = {
    "Python": "while True: pass",
    "C, holding Python's lock": "sum(range(10**15))",
}

PARENT = """
from animat.transfer.bind import Surroundings
from animat.transfer.dry import dry_call

source = '''
from animat import transfer_function, variable
@transfer_function(seen=variable(0.0))
def act(t, seen):
    import os, pathlib
    pathlib.Path({mark!r}).write_text(str(os.getpid()))
    {loop}
'''
dry_call({{"transfer.py": source}}, Surroundings({{}}, {{}}, {{}}), {{}}, patience_s=600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python's lock has to be free for it")
@pytest.mark.parametrize("loop", LOOPS.values(), ids=list(LOOPS))
def test_a_looping_call_ends_with_its_parent(tmp_path, loop):
    mark = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT.format(mark=str(mark), loop=loop)])
    until = time.monotonic() + 60
    while not (mark.is_file() and mark.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    trial = psutil.Process(int(mark.read_text()))
    parent.kill()
    parent.wait()
    trial.wait(10)
    assert not trial.is_running()


def test_the_end_of_the_pipe_ends_the_process_where_the_system_does_not(tmp_path):
    code = "from animat.transfer.throwaway import serve; serve(lambda m: iter(lambda: __import__('time').sleep(60), 1))"
    read, write = os.pipe()
    child = subprocess.Popen([sys.executable, "-c", code], stdin=read, stdout=subprocess.DEVNULL)
    os.close(read)
    os.write(write, (0).to_bytes(8, "big"))
    os.close(write)
    assert child.wait(30) == 1
