"""Answers kept on disk: found again, bounded, shared by processes, and never in the way."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from blackbox_align.engines import kept
from blackbox_align.engines.kept import AnswerCache
from blackbox_align.errors import RunError


def answers(*numbers):
    return {bytes([n % 256, n // 256]) * 16: np.full(4, n / 7, np.float32) for n in numbers}


@pytest.fixture
def cache(tmp_path):
    return AnswerCache(tmp_path / "folder" / "answers.sqlite")


def sql(cache, *statement):
    with closing(sqlite3.connect(cache.path, timeout=60)) as database, database:
        return database.execute(*statement).fetchall()


def test_what_was_put_is_found_again_to_the_bit(cache):
    """Known keys come back with their exact numbers, unknown ones do not come back at all."""
    given = answers(1, 2, 3)
    cache.put(given)
    found = AnswerCache(cache.path).get([*given, *answers(4)])
    assert found.keys() == given.keys()
    for key, row in given.items():
        np.testing.assert_array_equal(found[key], row)
    assert cache.size()[0] == 3 and not cache.trouble


def test_the_first_answer_stays(cache):
    """Two processes that computed the same answer agree on the one that was written first."""
    (key,) = answers(1)
    cache.put({key: np.zeros(2, np.float32)})
    cache.put({key: np.ones(2, np.float32)})
    np.testing.assert_array_equal(cache.get([key])[key], np.zeros(2))


def test_more_keys_than_a_query_takes_are_found(cache):
    """However many keys are asked for at once, all that are known are found."""
    given = answers(*range(1200))
    cache.put(given)
    assert cache.get(list(given)).keys() == given.keys()


def test_the_file_stays_within_its_limit_and_forgets_the_oldest(cache):
    """Beyond the limit the oldest answers go, the newest are there, and the file grows no more."""
    cache.limit = 200_000
    for start in range(0, 6000, 100):
        cache.put(answers(*range(start, start + 100)))
    count, size = cache.size()
    assert 500 < count < 5000 and size <= cache.limit
    assert cache.path.stat().st_size < 1.2 * cache.limit
    assert not cache.get(list(answers(*range(100))))
    assert len(cache.get(list(answers(*range(5900, 6000))))) == 100


def test_a_damaged_answer_is_not_known(cache):
    """Bytes that changed on the disk are not taken for an answer."""
    given = answers(1, 2, 3)
    cache.put(given)
    ((packed,),) = sql(cache, "SELECT answer FROM answers WHERE id = 1")
    turned = packed[:-1] + bytes([packed[-1] ^ 1])
    sql(cache, "UPDATE answers SET answer = ? WHERE id = 1", (turned,))
    sql(cache, "UPDATE answers SET answer = x'00' WHERE id = 2")
    sql(cache, "UPDATE answers SET answer = 'text' WHERE id = 3")
    assert cache.get(list(given)) == {} and not cache.trouble


def test_clear_forgets_everything_and_gives_the_room_back(cache):
    """After clear nothing is known, the file is small, and it can be used again."""
    cache.clear()  # nothing there yet
    given = answers(*range(3000))
    cache.put(given)
    before = cache.path.stat().st_size
    cache.clear()
    assert cache.size()[0] == 0 and cache.path.stat().st_size < before / 10
    cache.put(given)
    assert cache.size()[0] == 3000


@pytest.mark.parametrize("content", [b"no database" * 500, b"SQLite format 3\0" + b"x" * 5000])
def test_a_damaged_file_is_trouble_and_not_an_error_and_can_be_cleared(cache, content):
    """The cache stays silent on a file that is none; `clear` removes it, and then all is well."""
    cache.path.parent.mkdir()
    cache.path.write_bytes(content)
    given = answers(1)
    assert cache.get(list(given)) == {}
    cache.put(given)
    assert cache.trouble
    assert cache.path.read_bytes() == content, "somebody's file is not overwritten"
    with pytest.raises(RunError, match="bbalign cache --clear"):
        cache.size()
    cache.clear()
    fresh = AnswerCache(cache.path)
    fresh.put(given)
    assert fresh.get(list(given)).keys() == given.keys() and not fresh.trouble


def test_a_locked_file_is_waited_for_and_then_left_alone(cache, monkeypatch):
    """A process that holds the file costs its patience once, not an answer nor a wait per batch."""
    monkeypatch.setattr(kept, "_PATIENCE", 0.05)
    given = answers(1)
    cache.put(given)
    with closing(sqlite3.connect(cache.path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert cache.get(list(given)) == {} and "locked" in cache.trouble
        cache.put(answers(2))
        with pytest.raises(RunError, match="locked"):
            AnswerCache(cache.path).clear()
        other.rollback()
    assert AnswerCache(cache.path).size()[0] == 1


def test_a_read_only_file_system_is_read_and_not_written(small_disk):
    """What is on a read-only disk is found; what is new is trouble for the cache and nobody else."""
    disk = small_disk("4m")
    cache = AnswerCache(disk / "answers.sqlite")
    cache.put(answers(1))
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert len(cache.get(list(answers(1, 2)))) == 1 and not cache.trouble
    cache.put(answers(2))
    assert "readonly" in cache.trouble
    nowhere = AnswerCache(disk / "folder" / "answers.sqlite")
    nowhere.put(answers(1))
    assert "Read-only" in nowhere.trouble


def test_a_full_disk_loses_nothing_that_was_kept(small_disk):
    """Where there is no room the answer is not kept, and the others still are."""
    cache = AnswerCache(small_disk("256k") / "answers.sqlite")
    cache.put(answers(1))
    for start in range(0, 20_000, 1000):
        cache.put(answers(*range(start + 2, start + 1002)))
    assert "full" in cache.trouble
    assert len(AnswerCache(cache.path).get(list(answers(1)))) == 1


WRITER = """
import sys
import numpy as np
from pathlib import Path
from blackbox_align.engines.kept import AnswerCache

cache = AnswerCache(Path(sys.argv[1]))
first, last = int(sys.argv[2]), int(sys.argv[3])
keys = [bytes([n % 256, n // 256]) * 16 for n in range(first, last)]
print("ready", flush=True)
for start in range(0, len(keys), 25):
    some = keys[start : start + 25]
    known = cache.get(some)
    cache.put({key: np.full(4, (first + start + n) / 7, np.float32)
               for n, key in enumerate(some) if key not in known})
assert not cache.trouble, cache.trouble
assert cache.get(keys).keys() == set(keys)
"""


def count(cache):
    try:
        return sql(cache, "SELECT count(*) FROM answers")[0][0]
    except sqlite3.OperationalError:  # nobody has written yet
        return 0


def start_writer(cache, first, last):
    command = [sys.executable, "-c", WRITER, str(cache.path), str(first), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_write_at_once_and_lose_nothing(cache):
    """Three processes with overlapping questions end with every answer, each exactly once."""
    writers = [start_writer(cache, 300 * n, 300 * n + 600) for n in range(3)]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors
    assert sql(cache, "SELECT count(*), count(DISTINCT key) FROM answers") == [(1200, 1200)]
    for key, row in answers(0, 299, 300, 1199).items():
        np.testing.assert_array_equal(cache.get([key])[key], row)


def test_a_process_killed_while_it_writes_leaves_a_sound_file(cache):
    """SIGKILL between or inside transactions costs the answers of one batch at most."""
    for first in (0, 20_000):
        writer = start_writer(cache, first, first + 20_000)
        assert writer.stdout.readline() == "ready\n"
        seen = count(cache)
        while count(cache) < seen + 100:
            assert writer.poll() is None, writer.stderr.read()
        writer.kill()
        writer.communicate()
        assert sql(cache, "PRAGMA integrity_check") == [("ok",)]
        assert count(cache) % 25 == 0, "a batch is there whole or not at all"
        assert len(cache.get(list(answers(first)))) == 1
