"""What is said of text that is no YAML."""

import pytest

from animat.errors import AnimatError
from animat.yaml_lines import parse_yaml


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (
            "a:\n  b:\n    c: 1\n   d: 3\n",
            4,
            "this line's indentation fits nothing above it: entries of one map",
        ),
        ("a:\n  - 1\n - 2\n", 3, "this line's indentation fits nothing above it"),
        ("a:\n  - 1\n  b: 2\n", 3, "this line's indentation fits nothing above it"),
        ("a: x\n\n    b: 3\n", 3, "this line is indented deeper than the entry above it, which has a value"),
        ("name:Test\nstep: 20\n", 1, "'name:Test' is no entry; an entry is `NAME: VALUE`, with a space"),
        ("name: mouse: one\n", 1, "a value holds a colon and a space; put such text in quotes"),
        ("a: 1\nstep 20 ms\nb: 1\n", 2, "'step 20 ms' is no entry; an entry is `NAME: VALUE`"),
        ("a:\n\tb: 1\n", 2, "there is a tab; indent with spaces"),
        ("a: 1\nb: 'it\nc: 2\n", 2, "the quote that opens here is never closed"),
        ("a: 1\nb: {c: 1\nd: 2\n", 2, "the { that opens here is not closed with }"),
        ("a: [1, 2}\n", 1, "the [ that opens here is not closed with ]"),
        ("a: 1\nb: ]\n", 2, "there is a ] too many"),
        ("a: @b\n", 1, "text that begins with @ must stand in quotes"),
        ("a: *b\n", 1, "*b means what an earlier &b named, and there is none"),
        ('a: "C:\\path"\n', 1, "\\p means nothing in double quotes"),
        ("a: 1\n---\nb: 2\n", 2, "--- begins a second document"),
        ("a: 'b' c\n", 1, "text goes on behind a quote that is closed"),
        ("a: |3x\n  t\n", 1, "after | or > the text begins on the next line"),
    ],
)
def test_what_is_wrong_is_said_in_words_at_the_line_to_look_at(text: str, line: int, words: str) -> None:
    with pytest.raises(AnimatError) as caught:
        parse_yaml(text, "x.yaml")
    assert str(caught.value).startswith(f"x.yaml:{line}: is not valid YAML: {words}")


def test_a_character_that_no_text_has_is_told_with_its_line() -> None:
    with pytest.raises(AnimatError) as caught:
        parse_yaml("a: 1\nb: \x00\n", "x.yaml")
    assert str(caught.value) == "x.yaml:2: holds a character that no text has (code 0)"
