"""The record of a run: what is written is read, and no damage passes for a number."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.errors import BlackboxAlignError, RunError, SpecificationError
from blackbox_align.files.atomic import read_json, write_json, write_sealed_json
from blackbox_align.fitting import Specification, Stopping
from blackbox_align.fitting.conditions import conditions
from blackbox_align.fitting.entry import Entry, digest
from blackbox_align.fitting.record import Record
from blackbox_align.fitting.specification import folder
from tests.experts.hand_made import result as hand_made_result
from tests.seeds import SHIFT

DIMENSION, FACTS = 7, {"countries": ["SAU"], "dimension": 7, "constants": [1.5, 2.5]}
FORMAT_1 = Path(__file__).parent / "format_1" / "SAU"


def tell(first: int, rng: np.random.Generator) -> tuple[Entry, np.ndarray]:
    """Four candidates, the second one failed."""
    answers = rng.dirichlet(np.ones(5), size=(4, 3)).astype(np.float32)
    answers[1, 1] = np.nan
    vectors = rng.standard_normal((4, DIMENSION))
    losses = (3.25, None, 0.1 + 0.2, 4.0)
    return Entry(tuple(range(first, first + 4)), answers, losses, digest(vectors)), vectors


@pytest.fixture
def record(tmp_path):
    """A finished run of five tells that no model was asked for."""
    record, rng = Record(tmp_path / "runs" / "one"), np.random.default_rng(0)
    with record.writing() as writer:
        writer.begin(Specification("SAU"), Stopping(), FACTS, conditions("cpu", None))
        for first in range(0, 20, 4):
            writer.append(*tell(first, rng))
        write_sealed_json(record.path / "result.json", hand_made_result().to_dict())
        writer.close("done", "the budget is spent", 1.0, 20)
    return Record(record.path)


def told(path: Path) -> list[tuple]:
    """All that a record holds, to be compared."""
    record = Record(path)
    past = record.past(vectors=True)
    record.refuse_damage(past)
    return [
        (one.ids, one.answers.tobytes(), one.losses, past.vectors_of(one).tobytes())
        for one in past.entries
    ]


def test_what_was_told_is_read_to_the_last_bit(record):
    """Ids, answers, losses and vectors come back, failures as NaN; no number is rounded."""
    rng = np.random.default_rng(0)
    past = record.past(vectors=True)
    assert past.told == 20 and past.damage is None
    for entry, first in zip(past.entries, range(0, 20, 4), strict=True):
        written, vectors = tell(first, rng)
        assert entry.ids == written.ids and entry.losses == written.losses
        assert entry.answers.tobytes() == written.answers.tobytes()
        np.testing.assert_array_equal(past.vectors_of(entry), vectors)
    assert record.facts == FACTS and record.status == "done"


def test_reading_writes_nothing(record):
    """A torn end, and vectors without a line, are left as they are by whoever only reads."""
    with (record.path / "journal.jsonl").open("ab") as file:
        file.write(b'{"ids": [20, 2')
    with (record.path / "vectors.f64").open("ab") as file:
        file.write(bytes(30))
    before = {p.name: p.read_bytes() for p in record.path.iterdir()}
    run = bba.Run.load(record.path)
    assert len(run.history()) == 20 and run.status == "done" and repr(run)
    assert len(record.past(vectors=True).entries) == 5
    assert {p.name: p.read_bytes() for p in record.path.iterdir()} == before


def test_a_torn_end_is_set_aside_by_the_next_writer(record):
    """It is kept in a file of its own, and said; vectors without a line are cut."""
    journal, vectors = record.path / "journal.jsonl", record.path / "vectors.f64"
    whole, size, notes = journal.read_bytes(), vectors.stat().st_size, []
    journal.write_bytes(whole[:-9])
    with vectors.open("ab") as file:
        file.write(bytes(3 * 8))
    with record.writing(notes.append) as writer:
        assert writer.mend().told == 16
    (aside,) = record.path.glob("journal.jsonl.damaged-*")
    assert journal.read_bytes() + aside.read_bytes() == whole[:-9]
    assert vectors.stat().st_size == size * 4 // 5
    assert len(notes) == 1 and "from line 5 on, is damaged" in notes[0] and aside.name in notes[0]


def test_a_damaged_end_is_named_to_readers_and_set_aside_by_writers(record):
    """A flipped bit in the last line costs that line alone, and nobody reads it as a number."""
    journal = record.path / "journal.jsonl"
    whole = bytearray(journal.read_bytes())
    whole[-200] ^= 1
    journal.write_bytes(whole)
    with pytest.raises(
        RunError, match=r"line 5: this line is damaged \(its checksum.*sets it aside"
    ):
        record.entries()
    with record.writing() as writer:
        assert writer.mend().told == 16
        rng = np.random.default_rng(0)
        lines = [tell(first, rng) for first in range(0, 20, 4)]
        writer.append(*lines[-1])
    assert told(record.path)[-1][0] == (16, 17, 18, 19)


def test_damage_inside_is_refused_with_what_can_be_done(record):
    """A damaged line with good ones behind it is named, by readers and by writers."""
    journal = record.path / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], b"{}\n", *lines[2:]]))
    for attempt in (record.entries, lambda: record.writing().__enter__().mend()):
        with pytest.raises(RunError, match=r"line 2: this line is damaged.*--name"):
            attempt()


def test_vectors_of_another_search_are_noticed(record):
    """A changed number in vectors.f64 is found by the digest of its line."""
    file = record.path / "vectors.f64"
    numbers = np.fromfile(file)
    numbers[4 * DIMENSION] += 1e-12  # the first one of the second tell
    numbers.tofile(file)
    past = record.past(vectors=True)
    assert past.damage is not None and past.damage.inside and past.damage.number == 2
    assert len(record.entries()) == 5, "who needs no vectors reads on"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: a * 1.01, "sum to 1.01"),
        (lambda a: a + np.array([5, -5, 0, 0, 0]), "the probability"),
        (lambda a: a - np.array([0.9, -0.9, 0, 0, 0]), "the probability -"),
    ],
)
def test_numbers_that_are_no_probabilities_are_no_answers(change, reason, record):
    """A line whose checksum holds may still say what cannot be."""
    rng = np.random.default_rng(1)
    entry, vectors = tell(20, rng)
    answers = np.full((4, 3, 5), 0.2, np.float32)
    with record.writing() as writer:
        writer.mend()
        changed = change(answers).astype(np.float32)
        writer.append(Entry(entry.ids, changed, entry.losses, entry.digest), vectors)
    with pytest.raises(RunError, match=rf"line 6: .*{reason}"):
        record.entries()


def damage(path: Path, rng: np.random.Generator) -> None:
    """One random damage to one file of a run."""
    content = bytearray(path.read_bytes())
    lines = bytes(content).splitlines(keepends=True)
    place, other = (int(n) for n in rng.integers(0, len(content), size=2))
    kind = int(rng.integers(0, 8))
    if kind == 0:
        content[place] ^= 1 << int(rng.integers(0, 8))
    elif kind == 1:
        content[place:other] = b""
    elif kind == 2:
        del content[place:]
    elif kind == 3:
        content[place:place] = rng.bytes(int(rng.integers(1, 40)))
    elif kind == 4:
        content[place : place + 1] = b"%d" % rng.integers(0, 10)
    elif kind == 5:
        rng.shuffle(lines)
        content = bytearray(b"".join(lines))
    elif kind == 6:
        content = bytearray(b"".join([*lines, lines[int(rng.integers(0, len(lines)))]]))
    else:
        path.unlink()
        return
    path.write_bytes(content)


def test_300_random_damages_are_noticed_or_change_nothing(record, tmp_path):
    """Every figure that is still read is the one that was written; every refusal is a sentence."""
    whole, result, head = told(record.path), bba.Run(record.path).result, record.head
    refused = 0
    for seed in range(300):
        rng = np.random.default_rng(SHIFT + seed)
        path = tmp_path / "runs" / "two"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(record.path, path)
        name = ("run.json", "journal.jsonl", "vectors.f64", "result.json")[seed % 4]
        damage(path / name, rng)
        run = bba.Run(path)
        for read, right in (
            (lambda run=run: run.record, head),
            (lambda run=run: run.result, result),
            (lambda path=path: told(path), whole),
        ):
            try:
                assert read() == right, (seed, name)
            except BlackboxAlignError as error:
                assert str(path) in str(error), (seed, name)
                refused += 1
        assert len(bba.find_runs(tmp_path / "runs")) in (1, 2)
        assert run.status in ("done", "damaged", "empty")
        with (
            Record(path).writing() if run.status != "empty" else Record(path / "new").writing() as w
        ):
            try:
                past = w.mend() if run.status == "done" else None
            except BlackboxAlignError as error:
                assert "damaged" in str(error), (seed, name)
                continue
        if past is not None:
            kept = told(path)
            assert kept == whole[: len(kept)], (seed, name)
    assert refused > 200


def test_a_run_whose_process_is_gone_is_interrupted(record):
    """Neither a number that was given again nor a reboot makes a dead process a running one."""
    with record.writing() as writer:
        writer.begin(record.specification, record.stopping, FACTS, conditions("cpu", None))
    assert Record(record.path).status == "running", "it is this process"
    for change in ({"pid": 2**22 + 1}, {"started": 1.0}):
        with record.writing() as writer:
            writer.update(process={**record.head["process"], **change})
        assert Record(record.path).status == "interrupted"
    with record.writing() as writer:
        writer.update(process={**record.head["process"], "host": "elsewhere"})
    assert Record(record.path).status == "running", "what another machine does is not known"


def test_the_lock_of_a_dead_process_holds_nobody_up(record):
    """A child that outlives its run may hold on to the lock: its owner is gone, so it counts no more."""
    script = (
        "import os, sys, time\n"
        "from blackbox_align.fitting import Specification, Stopping\n"
        "from blackbox_align.fitting.conditions import conditions\n"
        "from blackbox_align.fitting.record import Record\n"
        "record = Record(sys.argv[1])\n"
        "with record.writing() as writer:\n"
        "    writer.begin(Specification('SAU'), Stopping(), {}, conditions('cpu', None))\n"
        "    if os.fork() == 0:\n"
        "        print(os.getpid(), flush=True)\n"
        "        time.sleep(60)\n"
        "    os._exit(9)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, record.path], stdout=subprocess.PIPE)
    child = int(process.stdout.readline())
    try:
        process.wait()
        with Record(record.path).writing() as writer:
            assert writer.mend().told == 20
    finally:
        os.kill(child, 9)


def test_what_killed_processes_left_is_swept(record):
    """Half-written files go when the next process holds the lock; an expert set aside comes back."""
    for name in (".run.json.99.tmp", ".journal.jsonl.7.tmp"):
        (record.path / name).write_text("half")
    (record.path / ".expert.new").mkdir()
    (record.path / ".expert.old").mkdir()
    (record.path / ".expert.old" / "a.txt").write_text("the only one")
    with record.writing():
        pass
    assert not list(record.path.glob(".*"))
    assert (record.path / "expert" / "a.txt").read_text() == "the only one"


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "../x", "a/b", "/tmp/x", "a\\b", "a\x1b", "x" * 201]
)
def test_a_name_stays_in_the_runs_folder(name, tmp_path):
    """A name that leads elsewhere, or that no folder can have, is refused; nothing is made."""
    with pytest.raises(SpecificationError, match="--name is the name of one folder"):
        bba.fit("SAU", runs=tmp_path / "runs", name=name)
    assert not list(tmp_path.glob("runs*"))
    assert folder("runs", "mine.2") == Path("runs/mine.2")


def test_reading_needs_no_torch(record, tmp_path):
    """`show`, `runs`, and all that reads a run leave torch alone."""
    write_json(tmp_path / "code.json", 0)
    script = (
        "import sys\n"
        "from blackbox_align.cli.main import app\n"
        "import blackbox_align as bba\n"
        "run = bba.Run.load(sys.argv[1])\n"
        "run.history(), run.result, run.status, run.summary(), bba.find_runs(run.path.parent)\n"
        "for words in (['runs', str(run.path.parent)], ['show', str(run.path)]):\n"
        "    app(words, standalone_mode=False)\n"
        "assert not {'torch', 'transformers', 'peft'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, FORMAT_1], check=True, timeout=60)


def test_one_bad_folder_does_not_stop_a_listing(record, bbalign):
    """It is named on stderr with what is wrong; the others are listed."""
    runs = record.path.parent
    for name, content in (("bad", "{"), ("worse", "[]"), ("newer", '{"format": 99}')):
        (runs / name).mkdir()
        (runs / name / "run.json").write_text(content)
    assert [run.status for run in bba.find_runs(runs)] == ["damaged", "damaged", "done", "damaged"]
    listed = bbalign("runs", runs, "--json")
    assert listed.returncode == 0, listed.stderr
    assert [row["run"] for row in json.loads(listed.stdout)] == [str(record.path)]
    assert "bad/run.json, line 1" in listed.stderr and "written in format 99" in listed.stderr


def test_runs_of_format_1_are_read(tmp_path):
    """A folder of an earlier version shows its table and its history; reading leaves it as it is."""
    path = tmp_path / "SAU"
    shutil.copytree(FORMAT_1, path)
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    run = bba.Run.load(path)
    assert run.status == "done" and len(run.history()) == 24
    assert run.loss == pytest.approx(run.history()["best"].iloc[-1], abs=1e-3)
    assert list(run.table().index) == ["PDI", "IDV", "MAS", "UAI", "LTO", "IVR"]
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before
    assert read_json(path / "run.json")["format"] == 1
