"""YAML that remembers its lines."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_align.errors import DataFileError
from blackbox_align.files.tables import read_text
from blackbox_align.files.yaml import YamlDocument, read_yaml

TEXT = """\
# a comment
name: x

table:
  first: 1
  second:
    - a
    - {b: 2,
       c: 3}
long: >
  folded
  text
last: {}
"""


@pytest.fixture(scope="module")
def document():
    return YamlDocument(Path("x.yaml"), TEXT)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ((), 2),
        (("name",), 2),
        (("table",), 4),
        (("table", "first"), 5),
        (("table", "second"), 6),
        (("table", "second", 0), 7),
        (("table", "second", 1, "b"), 8),
        (("table", "second", 1, "c"), 9),
        (("long",), 10),
        (("last",), 13),
        (("table", "third"), 4),
        (("table", "second", 9, "z"), 6),
        (("nowhere", "at", "all"), 2),
    ],
)
def test_a_place_is_the_line_of_its_key(place, line, document):
    """An error names the line of a key or list entry, or of what is around one that is not there."""
    with pytest.raises(DataFileError, match=r"x.yaml, line") as caught:
        document.fail(place, "No.")
    assert caught.value.line == line


def test_required_values_are_given_back(document):
    """A value of the right kind is returned as it stands."""
    table = document.require(document.value, (), "table", dict, "a table")
    assert document.require(table, ("table",), "first", int, "a number") == 1
    assert document.require(table, ("table",), "second", list, "a list")[0] == "a"


@pytest.mark.parametrize(
    ("key", "kind", "line", "sentence"),
    [
        ("other", str, 2, "'other' is missing here: what it is for"),
        ("name", int, 2, "'name' must be a whole number .* found 'x'"),
        ("table", str, 4, "'table' must be text .* found 'key: value' pairs"),
        ("last", list, 13, "'last' must be a list .* found 'key: value' pairs"),
    ],
)
def test_a_required_value_that_is_missing_or_of_another_kind(key, kind, line, sentence, document):
    """The message says what was expected, what it is for and what was found, at the right line."""
    with pytest.raises(DataFileError, match=sentence) as caught:
        document.require(document.value, (), key, kind, "what it is for")
    assert caught.value.line == line


def test_unknown_keys_are_refused_with_the_known_ones(document):
    """A key that means nothing is likely a slip, so the valid ones are listed."""
    with pytest.raises(DataFileError, match="'table' is not known here; the keys are: last, name"):
        document.only(document.value, (), {"name", "last"})
    document.only(document.value, (), {"name", "table", "long", "last"})


def test_a_repeated_entry_behind_an_anchor_is_read():
    """Anchors and aliases are plain YAML and work."""
    assert YamlDocument(Path("x"), "a: &one [1, 2]\nb: *one\n").value == {"a": [1, 2], "b": [1, 2]}


def test_a_file_is_read_from_disk(tmp_path):
    """`read_yaml` reads UTF-8 with or without a byte order mark, whatever the line ends."""
    path = tmp_path / "x.yaml"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_bytes("name: Åland\r\nnext: 2\r\n".encode(encoding))
        assert read_yaml(path).value == {"name": "Åland", "next": 2}
        assert read_text(path) == "name: Åland\nnext: 2\n"


PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.floats(-1e6, 1e6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=5), st.integers(-9, 9)), inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(PLAIN, st.booleans())
def test_plain_values_are_read_as_the_safe_loader_reads_them(value, flow):
    """Whatever plain YAML can hold comes out as it was dumped."""
    text = yaml.safe_dump(value, default_flow_style=flow)
    assert YamlDocument(Path("x"), text).value == value == yaml.safe_load(text)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#,?\n\t \x00\x85\ufeff1.", max_size=30))
def test_any_text_is_read_or_refused_with_a_sentence(text):
    """No text makes the reader fail with anything but a DataFileError at a line of the text."""
    try:
        YamlDocument(Path("x"), text)
    except DataFileError as error:
        assert error.line is None or 1 <= error.line <= len(text) + 1
