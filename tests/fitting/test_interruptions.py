"""Real processes, really killed."""

from __future__ import annotations

import shutil
import signal
import time

import numpy as np
import pytest

from tests.seeds import SHIFT

FIT = (
    "fit", "--country", "SAU", "--runs", "runs", "--name", "one", "--target-loss", "0",
    "--optimizer", "cma-diagonal", "--budget", "200",
)  # fmt: skip
COMPARED = (
    "journal.jsonl",
    "vectors.f64",
    "result.json",
    "expert/adapter_model.safetensors",
    "expert/expert.json",
)


def wait_until(condition, process, seconds=300.0):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.002)


def lines(journal):
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the run ends with when nobody disturbs it."""
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("undisturbed")
    command = [sys.executable, "-m", "blackbox_align", *FIT]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return {name: (folder / "runs" / "one" / name).read_bytes() for name in COMPARED}


def test_a_run_killed_several_times_ends_on_the_same_bits(
    undisturbed, start_bbalign, bbalign_process, tmp_path
):
    """SIGKILL while the search runs and while the expert is written loses nothing at all."""
    run = tmp_path / "runs" / "one"
    for moment in (
        lambda: (run / "run.json").exists(),
        lambda: lines(run / "journal.jsonl") >= 5,
        lambda: (run / ".expert.new").exists(),
    ):
        process = start_bbalign(*FIT)
        wait_until(moment, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    done = bbalign_process(*FIT)
    assert done.returncode == 0, done.stderr
    same(run, undisturbed)
    assert not list(run.glob(".*")), "nothing is left lying about"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(
    sent, undisturbed, start_bbalign, bbalign, bbalign_process, tmp_path
):
    """Ctrl-C, and SIGTERM, which a batch system sends: exit 130, one line with the command, the best
    prompt so far; then the same end.
    """
    run = tmp_path / "runs" / "one"
    process = start_bbalign(*FIT)
    wait_until(lambda: lines(run / "journal.jsonl") >= 3, process)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert (
        "To continue: " in errors and " fit --country SAU" in errors and "Traceback" not in errors
    )
    assert (run / "expert" / "adapter_model.safetensors").exists()
    shown = bbalign("show", run)
    assert shown.returncode == 0 and "This run is interrupted" in shown.stderr
    if sent == signal.SIGTERM:
        return  # one end of both
    assert bbalign_process(*FIT).returncode == 0
    same(run, undisturbed)


def test_two_processes_do_not_write_to_one_run(start_bbalign, bbalign_process, tmp_path):
    """The second one is turned away with a sentence; the first goes on."""
    first = start_bbalign(*FIT)
    wait_until(lambda: lines(tmp_path / "runs" / "one" / "journal.jsonl") >= 1, first)
    first.send_signal(signal.SIGSTOP)  # it must not be done before the second one comes
    second = bbalign_process(*FIT)
    assert second.returncode == 1 and "another process" in second.stderr
    first.send_signal(signal.SIGCONT)
    assert first.wait(timeout=300) == 0


def test_a_full_disk_loses_nothing(undisturbed, bbalign_process, small_disk, tmp_path):
    """When the disk fills up the run stops with a sentence, and goes on when there is room."""
    import subprocess

    disk = small_disk("120k")
    arguments = [str(disk) if part == "runs" else part for part in FIT]
    stopped = bbalign_process(*arguments)
    assert stopped.returncode == 1 and "the disk is full" in stopped.stderr, stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert lines(disk / "one" / "journal.jsonl") >= 1
    subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
    assert bbalign_process(*arguments).returncode == 0
    for name in ("journal.jsonl", "expert/adapter_model.safetensors"):
        assert (disk / "one" / name).read_bytes() == undisturbed[name], name


def test_a_read_only_folder_is_refused_in_a_sentence(bbalign, small_disk):
    """Nothing is evaluated when nothing can be kept."""
    import subprocess

    disk = small_disk("1m")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    refused = bbalign("fit", "--country", "SAU", "--runs", disk)
    assert refused.returncode == 1 and "read-only" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_kills_change_no_bit(seed, undisturbed, start_bbalign, bbalign_process, tmp_path):
    """Wherever SIGKILL comes, while everything is loaded, in the middle of a line, or at the end."""
    rng, run = np.random.default_rng(SHIFT + seed), tmp_path / "runs" / "one"
    done = 0
    while done < 15:
        process, before = start_bbalign(*FIT), lines(run / "journal.jsonl")
        cold = rng.random() < 0.3
        wanted = 0 if cold else before + int(rng.integers(1, 9))
        end = time.monotonic() + (rng.uniform(0.0, 3.0) if cold else 120.0)
        while lines(run / "journal.jsonl") < max(wanted, 1) and time.monotonic() < end:
            if process.poll() is not None:
                break
            time.sleep(0.005)  # a core that looks all the time is missing to the search
        time.sleep(rng.uniform(0.0, 0.02))
        process.kill()
        process.wait()
        done += 1
        if (run / "result.json").exists():  # it came to its end: the next one begins anew
            if process.returncode:  # but not to its last line
                assert bbalign_process(*FIT).returncode == 0
            same(run, undisturbed)
            shutil.rmtree(run)
    assert bbalign_process(*FIT).returncode == 0
    same(run, undisturbed)
    assert not list(run.glob(".*")) and not list(run.glob("*.damaged-*.damaged-*"))


def same(run, undisturbed):
    for name, content in undisturbed.items():
        assert (run / name).read_bytes() == content, name
