"""Lines that notice every damage."""

from __future__ import annotations

import json

import pytest

from blackbox_align.files.journal import START, append, read_lines, set_aside, to_line

VALUES = [{"ids": [n], "loss": 0.1 * n, "name": "Åland\r\n"} for n in range(4)]


@pytest.fixture
def journal(tmp_path):
    """A file of four lines."""
    path, checksum = tmp_path / "journal.jsonl", START
    for value in VALUES:
        content, checksum = to_line(value, checksum)
        append(path, content)
    return path


def test_what_was_written_is_read(journal):
    """Values come back equal; the reading ends where the file does, and every line is JSON."""
    reading = read_lines(journal)
    assert [line.value for line in reading.lines] == VALUES
    assert reading.damage is None and reading.end == journal.stat().st_size
    content, _ = to_line({"ids": [4]}, reading.checksum)
    append(journal, content)
    assert [line.value for line in read_lines(journal).lines] == [*VALUES, {"ids": [4]}]
    assert all("checksum" in json.loads(line) for line in journal.read_bytes().splitlines())


def test_a_file_that_is_not_there_has_no_lines(tmp_path):
    """Reading makes nothing."""
    assert read_lines(tmp_path / "none").lines == () and not list(tmp_path.iterdir())


@pytest.mark.parametrize("line", range(4))
def test_every_flipped_bit_is_noticed(line, journal):
    """Whichever bit of a line it is, the lines before stay and that one is named."""
    whole = journal.read_bytes()
    ends = [0, *(one.end for one in read_lines(journal).lines)]
    for place in range(ends[line], ends[line + 1] - 1):
        for bit in (0, 3, 6):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << bit
            journal.write_bytes(flipped)
            reading = read_lines(journal)
            assert [one.value for one in reading.lines] == VALUES[:line]
            assert reading.damage is not None and reading.damage.number == line + 1
            assert reading.damage.inside == (line < 3)


def test_lines_that_are_lost_doubled_or_moved_are_noticed(journal):
    """Each line names the one before it, so that none can go, come twice or change its place."""
    one, two, three, four = journal.read_bytes().splitlines(keepends=True)
    for content, number in (
        ([one, three, four], 2),
        ([one, two, two, three, four], 3),
        ([one, three, two, four], 2),
        ([two, three, four], 1),
    ):
        journal.write_bytes(b"".join(content))
        damage = read_lines(journal).damage
        assert damage is not None and damage.number == number and damage.inside
        assert "does not follow on the line before" in damage.reason


def test_a_torn_end_is_no_line_and_reading_leaves_it(journal):
    """What a kill, or a write under way, leaves without a line end is told apart from damage."""
    whole = journal.read_bytes()
    for size in range(len(whole) - 60, len(whole)):
        journal.write_bytes(whole[:size])
        reading = read_lines(journal)
        assert len(reading.lines) == 3
        assert reading.damage is not None and reading.damage.torn
        assert journal.read_bytes() == whole[:size]


def test_what_is_set_aside_is_kept(journal):
    """The file ends at the given size, and what stood behind it lies in a file of its own."""
    whole, end = journal.read_bytes(), read_lines(journal).lines[1].end
    aside = set_aside(journal, end)
    assert aside is not None and aside.name.startswith("journal.jsonl.damaged-")
    assert journal.read_bytes() + aside.read_bytes() == whole
    assert set_aside(journal, end) is None


def test_a_first_line_is_the_bytes_that_it_always_was():
    """What earlier versions wrote has to be read: its start and its checksum stay."""
    line = b'{"a": 1, "before": "0000000000000000", "checksum": "0addf90b6ed16164"}\n'
    assert to_line({"a": 1}, START) == (line, "0addf90b6ed16164")
