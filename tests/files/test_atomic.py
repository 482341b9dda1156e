"""Writing files: whole or not at all, and one sentence where the machine refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blackbox_align.errors import RunError
from blackbox_align.files.atomic import read_json, replace_folder, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_is_written_as_it_is_and_replaces_what_was_there(tmp_path):
    """The file holds exactly the text in UTF-8, and nothing else is left in the folder."""
    path = tmp_path / "a.txt"
    for text in ("first\n", "Åland\r\n\n", ""):
        write_text(path, text)
        assert path.read_bytes() == text.encode()
    assert names(tmp_path) == ["a.txt"]


def test_json_comes_back_whole(tmp_path):
    """What is written as JSON is read back equal, floats to the last bit, names unescaped."""
    path, value = tmp_path / "a.json", {"name": "Åland", "loss": 0.1 + 0.2, "gaps": [None, 1]}
    write_json(path, value)
    assert read_json(path) == value
    assert "Åland" in path.read_text("utf-8")


def test_nan_is_refused_and_the_old_file_stays(tmp_path):
    """NaN has no place in JSON: it is an error before anything is touched."""
    path = tmp_path / "a.json"
    write_json(path, {"loss": 1.0})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"loss": float("nan")})
    assert read_json(path) == {"loss": 1.0}
    assert names(tmp_path) == ["a.json"]


def test_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path):
    """An error in the middle of writing keeps the old content and leaves no scrap behind."""
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new" * 10_000 + "\ud800")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_keeps_the_old_content(small_disk):
    """On a disk that is really full the error says so, and the old file is whole."""
    path = small_disk("64k") / "a.txt"
    write_text(path, "old")
    with pytest.raises(RunError, match=r"a\.txt: the disk is full.*run the same command again"):
        write_text(path, "x" * 200_000)
    assert path.read_text() == "old"
    assert names(path.parent) == ["a.txt"]
    write_text(path, "new")
    assert path.read_text() == "new"


def test_a_size_limit_keeps_the_old_content(tmp_path):
    """Where a process may not write more, the error is a sentence and the old file is whole."""
    path = tmp_path / "a.txt"
    write_text(path, "old")
    script = (
        "import resource, pathlib, sys\n"
        "from blackbox_align.errors import RunError\n"
        "from blackbox_align.files.atomic import write_text\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_text(pathlib.Path(sys.argv[1]), 'x' * 200_000)\n"
        "except RunError as error:\n"
        "    print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)
    assert ran.stdout == f"{path}: File too large.\n", ran.stderr
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_read_only_file_system_gets_a_sentence(small_disk):
    """Where a file system has become read-only the error names another way; the old file stays."""
    folder = small_disk("64k")
    write_text(folder / "a.txt", "old")
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    with pytest.raises(RunError, match="the file system is read-only; name another folder"):
        write_text(folder / "a.txt", "new")
    assert (folder / "a.txt").read_text() == "old"


def test_a_folder_without_permission_gets_a_sentence(tmp_path):
    """Writing to a folder that is not one's own is a RunError that names another way."""
    tmp_path.chmod(0o500)
    myself = os.geteuid()
    if myself == 0:  # root may write anywhere
        os.seteuid(65534)
    try:
        with pytest.raises(RunError, match="this account may not write there; name another folder"):
            write_text(tmp_path / "a.txt", "new")
    finally:
        os.seteuid(myself)


def test_what_is_in_the_way_gets_a_sentence(tmp_path):
    """A missing folder, or a file where a folder should be, is a RunError as well."""
    with pytest.raises(RunError, match="there is no such file"):
        write_text(tmp_path / "none" / "a.txt", "new")
    write_text(tmp_path / "file", "")
    with pytest.raises(RunError, match="a file is in the way where a folder should be"):
        write_text(tmp_path / "file" / "a.txt", "new")
    with pytest.raises(RunError, match=r"none\.json: there is no such file"):
        read_json(tmp_path / "none.json")


@pytest.mark.parametrize("content", [b"{\n'a': 1}", b"", b'{"a": 1', b"\xff\xfe"])
def test_what_is_no_json_gets_a_sentence(content, tmp_path):
    """A file that is not JSON, or not even text, is a RunError that names it."""
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"a\.json.*not (valid JSON|UTF-8 text)"):
        read_json(path)


WRITER = """
import itertools, pathlib, sys
from blackbox_align.files.atomic import write_text
path = pathlib.Path(sys.argv[1])
for n in itertools.count():
    write_text(path, str(n % 10) * 200_000)
    print(n, flush=True)
"""


def test_a_reader_sees_whole_files_only_even_when_the_writer_is_killed(tmp_path):
    """While a process rewrites a file, and after it is killed, the file holds one whole content."""
    path = tmp_path / "a.txt"
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) as writer:
        writer.stdout.readline()
        seen = set()
        deadline = time.monotonic() + 20
        while len(seen) < 5 and time.monotonic() < deadline:
            content = path.read_text()
            assert len(content) == 200_000
            assert len(set(content)) == 1
            seen.add(content[0])
        writer.send_signal(signal.SIGKILL)
    assert len(seen) > 1
    content = path.read_text()
    assert len(content) == 200_000
    assert len(set(content)) == 1


def folder_with(path, text):
    path.mkdir()
    (path / "a.txt").write_text(text)
    return path


def test_a_folder_takes_the_place_of_another(tmp_path):
    """The new folder stands where the old one was, whether there was one or not; no scrap is left."""
    place = tmp_path / "expert"
    for text in ("one", "two"):
        replace_folder(folder_with(tmp_path / ".new", text), place)
        assert (place / "a.txt").read_text() == text
        assert names(tmp_path) == ["expert"]


def test_a_folder_is_replaced_after_a_kill_in_between(tmp_path):
    """Where a kill left the old folder set aside, the next replacement ends as if nothing was."""
    place = tmp_path / "expert"
    folder_with(tmp_path / ".expert.old", "set aside")
    replace_folder(folder_with(tmp_path / ".new", "two"), place)
    assert (place / "a.txt").read_text() == "two"
    assert names(tmp_path) == ["expert"]


def test_json_is_plain_enough_for_other_programs(tmp_path):
    """The file is standard JSON, one value, ending in a line end."""
    write_json(tmp_path / "a.json", [1.5, "x"])
    text = (tmp_path / "a.json").read_text()
    assert text.endswith("\n")
    assert json.loads(text) == [1.5, "x"]
