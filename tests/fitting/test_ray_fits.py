"""Whole fits through Ray workers: whatever happens to them, the run ends on the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch

import blackbox_align as bba
from blackbox_align.engines.ray.cluster import Workers

QUICK = {"budget": 36, "target_loss": 0.0}
FIT = (
    "fit",
    "--country",
    "SAU",
    "--runs",
    "runs",
    "--name",
    "one",
    "--budget",
    "36",
    "--target-loss",
    "0",
)
COMPARED = ("journal.jsonl", "result.json", "expert/adapter_model.safetensors")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The files that the run ends with in one process, on one thread as a worker has it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run = bba.fit("SAU", runs=tmp_path_factory.mktemp("undisturbed"), **QUICK)
    torch.set_num_threads(threads)
    return {name: (run.path / name).read_bytes() for name in COMPARED}


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with one CPU each; fits connect to it by its address."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


def workers_of(process):
    """The processes of workers below a process that have begun to answer."""
    return [
        child
        for child in psutil.Process(process).children(recursive=True)
        if "ray::_Process" in child.name() or "ray::_Process" in " ".join(child.cmdline())
    ]


def old_workers(seconds):
    """The workers of this process that have been there for so long."""
    start = time.time() - seconds
    return [worker for worker in workers_of(os.getpid()) if worker.create_time() < start]


def assert_same(run, undisturbed):
    for name, content in undisturbed.items():
        assert (run / name).read_bytes() == content, name


def test_two_workers_one_of_them_killed_end_on_the_bits_of_one_process(
    undisturbed, cluster, tmp_path
):
    """Journal, result and expert are equal byte for byte; the loss of a worker is told."""
    complaints = []

    def kill_one(progress):
        if progress.evaluations == 12:
            workers_of(os.getpid())[0].send_signal(signal.SIGKILL)

    run = bba.fit(
        "SAU",
        runs=tmp_path,
        workers=Workers(2, cluster.address),
        on_progress=kill_one,
        on_trouble=complaints.append,
        **QUICK,
    )
    assert_same(run.path, undisturbed)
    ids = [i for entry in run.entries() for i in entry.ids]
    assert ids == list(range(36)), "every evaluation once"
    lost = [c for c in complaints if not c.startswith("Waiting until")]
    assert len(lost) == 1 and "its process died" in lost[0], complaints
    assert run.record["conditions"][-1]["workers"] == {
        "count": 2,
        "address": cluster.address,
        "gpus": None,
    }


@pytest.mark.slow
def test_a_node_may_go_in_the_middle_of_a_run(undisturbed, cluster, tmp_path):
    """The rest of the cluster finishes the run, on the same bits."""
    node = cluster.add_node(num_cpus=2)
    complaints = []

    def remove(progress):
        if progress.evaluations == 12:
            # Its workers must have loaded the model, or the run may end without them.
            wait_until(lambda: len(old_workers(15.0)) == 4)
            cluster.remove_node(node, allow_graceful=False)

    run = bba.fit(
        "SAU",
        runs=tmp_path,
        workers=Workers(None, cluster.address),
        on_progress=remove,
        on_trouble=complaints.append,
        **QUICK,
    )
    assert_same(run.path, undisturbed)
    causes = ("its node is gone", "it cannot be reached")  # whichever Ray notices first
    assert any(cause in complaint for cause in causes for complaint in complaints), complaints


@pytest.mark.slow
def test_a_killed_driver_continues_on_the_cluster(
    undisturbed, cluster, start_bbalign, bbalign_process, tmp_path
):
    """SIGKILL of the run itself: its workers go, and the same command ends on the same bits."""
    where = ("--workers", "2", "--ray-address", cluster.address)
    process = start_bbalign(*FIT, *where)
    journal = tmp_path / "runs" / "one" / "journal.jsonl"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n"), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = bbalign_process(*FIT, *where)
    assert again.returncode == 0, again.stderr
    assert "Continued after" in again.stderr
    assert_same(journal.parent, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_ray_of_our_own_leaves_no_process_behind(
    end, undisturbed, start_bbalign, bbalign_process, tmp_path
):
    """Ctrl-C and even SIGKILL take everything along; a run continued in one process ends the same."""
    process = start_bbalign(*FIT, "--workers", "2")
    journal = tmp_path / "runs" / "one" / "journal.jsonl"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n"), process)
    children = psutil.Process(process.pid).children(recursive=True)
    assert any("raylet" in child.name() for child in children)
    process.send_signal(end)
    process.communicate(timeout=60)
    assert process.returncode == (130 if end == signal.SIGINT else -signal.SIGKILL)
    _, left = psutil.wait_procs(children, timeout=180)  # Ray's agents look for it now and then
    assert not left
    assert bbalign_process(*FIT).returncode == 0
    assert_same(journal.parent, undisturbed)


@pytest.mark.slow
def test_results_alone_go_to_stdout(start_bbalign, tmp_path):
    """With --json, a worker that dies is told on stderr, and stdout is JSON."""
    process = start_bbalign(*FIT, "--workers", "2", "--json")
    journal = tmp_path / "runs" / "one" / "journal.jsonl"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n"), process)
    workers_of(process.pid)[0].send_signal(signal.SIGKILL)
    result, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(result)["search"]["evaluations"] == 36
    assert "its process died" in errors


def test_what_is_wrong_with_the_workers_is_said_before_anything_starts(bbalign):
    """A count that is none, and an address where nobody answers."""
    refused = bbalign("fit", "--country", "SAU", "--workers", "many")
    assert refused.returncode == 2 and "a number or 'auto'; not 'many'" in refused.stderr
    refused = bbalign("fit", "--country", "SAU", "--ray-address", "127.0.0.1:1")
    assert refused.returncode == 1
    assert "No Ray cluster answers at 127.0.0.1:1" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_ray_is_imported_only_to_connect():
    """Nothing that a fit in one process imports loads Ray."""
    script = (
        "import sys\n"
        "from blackbox_align.engines.ray import pool, worker_model\n"
        "from blackbox_align.fitting import fit\n"
        "pool.Pool(pool.Workers(2)).close()\n"
        "assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def wait_until(condition, process=None, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)
