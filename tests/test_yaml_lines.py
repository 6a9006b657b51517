from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animat.errors import AnimatError
from animat.yaml_lines import dump_yaml, load_yaml, parse_yaml

TEXT = """\
# a comment
brain:
  threads: 2
  list: [1, {deep: x}]
events:
  - at: 1 s
  -
    at: 2 s
"""

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_lines_of_keys_and_items() -> None:
    source = parse_yaml(TEXT)
    assert source.data["brain"] == {"threads": 2, "list": [1, {"deep": "x"}]}
    assert source.line(()) == 2
    assert source.line(("brain", "threads")) == 3
    assert source.line(("brain", "list", 1, "deep")) == 4
    assert source.line(("events", 1, "at")) == 8
    assert source.line(("nothing",)) is None
    assert source.error("x", ("brain", "missing", 3)).line == 2


def test_values_mean_what_they_look_like() -> None:
    text = "{a: 1e3, b: yes, c: 2024-01-01, d: 10:30, e: 010, f: true, g: ~, h: .inf, i: 1_000}"
    assert parse_yaml(text).data == {
        "a": 1000.0,
        "b": "yes",
        "c": "2024-01-01",
        "d": "10:30",
        "e": "010",
        "f": True,
        "g": None,
        "h": float("inf"),
        "i": 1000,
    }


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: [1, 2\n", 2, "YAML"),
        ("a: 1\na: 2\n", 2, "twice"),
        ("a: 1\n\tb: 2\n", 2, "YAML"),
        ("a: 1\n? [1]\n: 2\n", 2, "key"),
        ("a: !!python/object:os.system x\n", 1, "tag"),
        ("a: &x [*x]\n", 1, "itself"),
        ("a: !!int x\n", 1, "tag"),
        ("a: *nothing\n", 1, "YAML"),
        ("--- 1\n--- 2\n", 2, "YAML"),
    ],
)
def test_errors_name_the_line(text: str, line: int, words: str) -> None:
    with pytest.raises(AnimatError, match=words) as caught:
        parse_yaml(text, "file.yaml")
    assert caught.value.line == line


def test_aliases_of_aliases_are_stopped() -> None:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(AnimatError, match="alias"):
        parse_yaml("\n".join(["a0: &a0 [1, 1]", *levels]))


def test_files_that_are_not_text(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with pytest.raises(AnimatError, match="No such file"):
        load_yaml(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AnimatError, match="UTF-8"):
        load_yaml(path)
    path.write_text("[" * 5000)
    with pytest.raises(AnimatError):
        load_yaml(path)


@given(plain)
def test_what_is_written_reads_back(data: object) -> None:
    assert parse_yaml(dump_yaml(data)).data == data


@given(st.text())
def test_any_text_is_read_or_explained(text: str) -> None:
    try:
        parse_yaml(text)
    except AnimatError:
        pass
