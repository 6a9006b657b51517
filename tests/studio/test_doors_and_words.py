"""Who is let in, and how requests and answers are written, without a server."""

from __future__ import annotations

import base64
import json
import math
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from animat.errors import AnimatError
from animat.studio.doors import Doors, token_from
from animat.studio.server import check_doors
from animat.studio.words import AskedScript, arguments, encode, parse_body, read_call, read_script, write

BASIC = "Basic " + base64.b64encode(b"nest:secret").decode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"nestserverauth": "secret"}, None),
        ({"nestserverauth": "secre"}, 403),
        ({"nestserverauth": "\xe9"}, 403),
        ({"authorization": "Bearer secret"}, None),
        ({"authorization": BASIC}, None),
        ({"authorization": "Basic %%%"}, 403),
        ({"authorization": "Other"}, 401),
    ],
)
def test_the_token_is_shown_in_three_ways(headers: dict[str, str], status: int | None) -> None:
    refusal = Doors("secret").refusal(headers)
    assert (refusal and refusal[0]) == status


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({"host": "127.0.0.1:52425"}, True),
        ({"host": "localhost"}, True),
        ({"host": "[::1]:80"}, True),
        ({"host": "rebound.example:52425"}, False),
        ({}, False),
        ({"host": "localhost", "origin": "http://localhost:54286"}, True),
        ({"host": "localhost", "origin": "https://elsewhere.example"}, False),
        ({"host": "localhost", "origin": "http://localhost.elsewhere.example"}, False),
        ({"host": "localhost", "origin": "null"}, False),
        ({"host": "localhost", "sec-fetch-site": "cross-site"}, False),
        ({"host": "localhost", "sec-fetch-site": "same-origin"}, True),
        ({"host": "localhost", "origin": "https://own.example"}, True),
    ],
)
def test_without_a_token_pages_from_elsewhere_are_kept_out(headers: dict[str, str], let_in: bool) -> None:
    refusal = Doors(None, ("https://own.example",)).refusal(headers)
    assert (refusal is None) == let_in


def test_without_a_token_only_this_machine_is_served() -> None:
    check_doors("127.0.0.1", Doors(None))
    check_doors("0.0.0.0", Doors("secret"))
    with pytest.raises(AnimatError, match="--no-auth serves this machine only"):
        check_doors("0.0.0.0", Doors(None))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--no-auth", "--token-file", "token"], "leave one of them out"),
        (["--cors", "nonsense"], "'nonsense' is not one"),
        (["--memory", "0.01"], "too little"),
        (["--token-file", "."], "cannot use this token file"),
        (["--host", "192.0.2.1"], "see --host and --port"),
        (["--port", "70000"], "65535"),
    ],
)
def test_options_that_cannot_be_served_are_explained(options: list[str], said: str) -> None:
    command = [sys.executable, "-m", "animat.cli", "brain", "serve", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode in (1, 2)
    assert said in " ".join(done.stderr.split()) and "Traceback" not in done.stderr


def test_a_token_file_is_written_once_for_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    token = token_from(file)
    assert len(token) == 48 and token_from(file) == token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("\n")
    with pytest.raises(AnimatError, match="empty"):
        token_from(file)
    monkeypatch.setenv("NEST_SERVER_ACCESS_TOKEN", "own")
    assert token_from(None) == "own"
    monkeypatch.delenv("NEST_SERVER_ACCESS_TOKEN")
    assert token_from(None) != token_from(None)


@pytest.mark.parametrize(
    ("body", "kind", "query", "said"),
    [
        (b"", "", "", ([], {})),
        (b"", "", "nodes=[1,2]&keys=V_m", ([], {"nodes": [1, 2], "keys": "V_m"})),
        (b"", "", "args=iaf_psc_alpha&args=5", (["iaf_psc_alpha", 5], {})),
        (b'"iaf_psc_alpha"', "application/json", "", (["iaf_psc_alpha"], {})),
        (b"[1, 2]", "text/plain", "", ([1, 2], {})),
        (b"7", "application/json", "", ([7], {})),
        (b'{"args": [1], "n": 2}', "application/x-www-form-urlencoded", "", ([1], {"n": 2})),
        (b'{"args": 1}', "application/json", "", ([1], {})),
        (b"model=a&n=3", "application/x-www-form-urlencoded", "ignored=1", ([], {"model": "a", "n": 3})),
        (b"x=%5B1&y=Infinity", "", "", ([], {"x": "[1", "y": math.inf})),
    ],
)
def test_requests_are_read_in_every_form(body: bytes, kind: str, query: str, said: Any) -> None:
    assert arguments(parse_body(body, kind), query) == said


def test_json_that_is_none_is_explained_with_its_line() -> None:
    with pytest.raises(AnimatError, match="not JSON") as caught:
        parse_body(b'{"a":\n1,,}', "application/json")
    assert caught.value.line == 2
    for body in (b"[" * 10**5, b"1" + b"0" * 30, b'"\\ud800"', b"\xff", b"9" * 5000):
        with pytest.raises(AnimatError):
            parse_body(body, "application/json")


def test_a_body_of_countless_lists_is_refused_unread() -> None:
    assert len(parse_body(b"[" + b"[]," * 1000 + b"[]]", "application/json")) == 1001
    for small in (b"[],", b"{},"):
        with pytest.raises(AnimatError, match="holds 1,000,001 lists and objects; 500,000 are the most"):
            parse_body(b"[" + small * 10**6 + b"0]", "application/json")


def test_what_a_request_asks_for_is_packed_for_the_brain() -> None:
    asked = read_call(b'{"args": [[1, 2]], "keys": "V_m", "inspect": null}', "application/json", "nonfinite=literal")
    assert [msgspec.msgpack.decode(part) for part in (asked.args, asked.kwargs)] == [[[1, 2]], {"keys": "V_m"}]
    assert asked.inspect is None
    assert read_call(b"", "", "inspect=getdoc&nonfinite=literal") == read_call(b'{"inspect": "getdoc"}', "", "")
    assert write(msgspec.msgpack.encode({"data": asked.args}), False) == b'{"data":[[1,2]]}'
    assert write(msgspec.msgpack.encode([math.inf]), True) == b"[Infinity]"


def test_what_is_asked_of_a_script() -> None:
    assert read_script(b'["a = 1"]', "", "") == AskedScript("a = 1", None, False)
    assert read_script(b'{"source": "", "return": ["a"]}', "", "") == AskedScript("", ["a"], True)
    for body, said in ((b"{}", "the text of the script"), (b'{"source": "", "return": 1}', "name of a variable")):
        with pytest.raises(AnimatError, match=said):
            read_script(body, "", "")


@pytest.mark.parametrize("value", [1e308, math.inf, -math.inf, 0.1, -0.0, 5e-324])
def test_every_number_survives_both_ways(value: float) -> None:
    strict = encode({"x": [value]})
    assert json.loads(strict, parse_constant=lambda word: pytest.fail(word))["x"] == [value]
    assert json.loads(encode([value], literal=True)) == [value]
    assert parse_body(strict, "application/json")["x"] == [value]


def test_nan_is_a_text_unless_literals_are_asked_for() -> None:
    assert encode([math.nan, "NaN", "\0"]) == b'["NaN","NaN","\\u0000"]'
    assert encode([math.nan, -math.inf], literal=True) == b"[NaN,-Infinity]"
