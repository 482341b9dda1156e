"""Real Ray with several nodes, real processes, really killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from blackbox_align.adapters import Adapter, SoftPrompt
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.ray.cluster import Workers
from blackbox_align.engines.ray.jobs import chunks
from blackbox_align.engines.ray.pool import Pool, _shares
from blackbox_align.engines.ray.worker_model import LoadModel
from blackbox_align.errors import RunError, SpecificationError
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import sheet
from tests.worker_factories import Simulated, answer, asked_so_far


@pytest.fixture(scope="module")
def survey():
    return sheet(load_survey("vsm2013"))


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes with one CPU each; this process is connected to it."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    import ray

    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def pool_of(cluster, tmp_path):
    """Start a pool on the cluster; hands over the pool and the list of what it complains of."""
    pools = []

    def start(count, factory=None, **more):
        complaints = []

        def note(sentence):
            if not sentence.startswith("Waiting until"):  # which depends on how busy the machine is
                complaints.append(sentence)

        pool = Pool(Workers(count), on_trouble=note, **more)
        pools.append(pool)
        pool.load(factory or Simulated(tmp_path))
        return pool, complaints

    yield start
    for pool in pools:
        pool.close()


def prompts(count):
    """Prompts whose first entries are 0, 1, 2, ... so that each can be told."""
    rows = np.zeros((count, 2, 3), np.float32)
    rows[:, 0, 0] = np.arange(count)
    return [Adapter(prompt=SoftPrompt(row)) for row in rows]


def when(condition, action):
    """Do something in another thread as soon as ``condition()`` gives something."""

    def wait():
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = condition()
            if found:
                action(found)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize("count", [0, 1, 2, 3, 12, 20, 37, 1000])
def test_chunks_hold_every_candidate_once_and_none_is_alone(count):
    """Chunks follow on one another, are of 2 to 16, and equal to within one."""
    cut = chunks(count)
    assert [row for rows in cut for row in range(count)[rows]] == list(range(count))
    sizes = {rows.stop - rows.start for rows in cut}
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
    assert count < 2 or (min(sizes) >= 2 and max(sizes) < 16)


def test_an_ask_is_cut_for_as_many_workers_as_were_asked_for():
    """128 candidates keep 64 workers busy, and 32; up to 16 workers an ask is cut as for one."""
    assert [len(chunks(128, workers)) for workers in (64, 32, 16, 1)] == [64, 32, 16, 16]
    assert len(chunks(12, 64)) == 6  # of two, never of one


@pytest.fixture
def one_thread():
    """As many threads as a worker has: equal bits are promised for equal numbers alone."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.mark.usefixtures("one_thread")
def test_workers_answer_as_the_model_in_this_process_does(pool_of, survey):
    """The same bits, for many candidates, for one and for none, behind a text, and for another sheet."""
    model = load_model(device="cpu")
    load = LoadModel("respondent-tiny", None, "cpu", "float32", False, model.revision)
    pool, complaints = pool_of(2, load)
    here = LocalEngine(model)
    rng = np.random.default_rng(0)
    shape = (37, 5, model.embedding_width)
    asked = rng.normal(0, model.embedding_std(), shape)
    many = [Adapter(prompt=SoftPrompt(vectors)) for vectors in asked]
    texts = [Adapter("Answer as a cautious person would."), Adapter()]
    other = replace(survey, questions=survey.questions[:7], texts=(("How?", " So."),))
    for some, sheet_ in ((many, survey), (many[:1], other), ([], other), (texts, other)):
        one, two = pool.answer(some, sheet_), here.answer(some, sheet_)
        for name in ("probabilities", "mass", "divergence", "surprise"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert complaints == []


@pytest.mark.parametrize(
    ("gpus", "each", "workers"),
    [(1, 0.2, 5), (4, 0.1, 40), (0.5, 0.5, 1), (0.4, 0.5, 0), (1.5, 0.5, 3), (3, 2, 1), (2, 1, 2)],
)
def test_shares_of_gpus_are_counted_as_they_are(gpus, each, workers):
    """Five fifths are one, half of a free GPU is not none, and no share lies across two."""
    assert _shares(gpus, each) == workers


@pytest.mark.parametrize("first_seen", [1, 6])
def test_a_worker_killed_in_the_middle_of_a_call_is_replaced(pool_of, survey, tmp_path, first_seen):
    """SIGKILL, at its first call and with a second waiting behind: nothing is lost but time."""
    pool, complaints = pool_of(2, Simulated(tmp_path, seconds=0.2))
    killer = when(
        lambda: asked_so_far(tmp_path)[first_seen - 1 :],
        lambda seen: os.kill(seen[0][0], signal.SIGKILL),
    )
    rows = prompts(24)
    np.testing.assert_array_equal(pool.answer(rows, survey).probabilities, answer(rows, survey))
    killer.join()
    asked = [entry for _, entry in asked_so_far(tmp_path)]
    assert sorted(set(asked)) == list(range(24))
    assert len(asked) - 24 <= 4, "only what the lost worker was at was asked again"
    assert len(complaints) == 1 and "was lost: its process died" in complaints[0], complaints
    pool.answer(rows, survey)
    assert len({pid for pid, _ in asked_so_far(tmp_path)}) == 3


def test_a_worker_that_hangs_is_killed_at_its_deadline(pool_of, survey, tmp_path):
    """What it had is asked elsewhere, and the reason is given in seconds."""
    pool, complaints = pool_of(2, deadline=1.0)
    (tmp_path / "hang").touch()
    rows = prompts(10)
    np.testing.assert_array_equal(pool.answer(rows, survey).probabilities, answer(rows, survey))
    assert len(complaints) == 1 and "has not answered in 1 seconds" in complaints[0]


def test_an_exception_costs_a_worker_and_three_on_the_same_candidates_end_the_run(
    pool_of, survey, tmp_path
):
    """One is made good; the third one says what the first was, and that nothing is lost."""
    pool, complaints = pool_of(2)
    rows = prompts(6)
    (tmp_path / "raise").touch()
    np.testing.assert_array_equal(pool.answer(rows, survey).probabilities, answer(rows, survey))
    assert len(complaints) == 1 and "RuntimeError: CUDA error: an illegal" in complaints[0]
    (tmp_path / "always").touch()
    with pytest.raises(RunError, match=r"3 workers failed .* CUDA error.* Nothing is lost"):
        pool.answer(rows[:1], survey)
    assert len(complaints) == 4
    (tmp_path / "always").unlink()
    np.testing.assert_array_equal(pool.answer(rows, survey).probabilities, answer(rows, survey))


def test_what_a_worker_did_before_it_raised_is_not_asked_again(pool_of, survey, tmp_path):
    """A call of several chunks that fails in the third gives the answers of the first two."""
    pool, complaints = pool_of(1, Simulated(tmp_path, seconds=0.05))
    rows = prompts(64)
    pool.answer(rows, survey)  # the pace is known now, so calls hold several chunks
    before = len(asked_so_far(tmp_path))
    raiser = when(
        lambda: asked_so_far(tmp_path)[before + 8 :], lambda _: (tmp_path / "raise").touch()
    )
    np.testing.assert_array_equal(pool.answer(rows, survey).probabilities, answer(rows, survey))
    raiser.join()
    again = len(asked_so_far(tmp_path)) - before - 64
    assert again <= 4, "only the chunk that failed was asked again"
    assert len(complaints) == 1


def test_nan_is_an_answer_and_no_failure_of_a_worker(pool_of, survey):
    """A candidate that gives no finite number stays NaN, and nobody complains."""
    pool, complaints = pool_of(1)
    rows = prompts(4)
    rows[2].prompt.vectors[0, 0] = np.nan
    answers = pool.answer(rows, survey).probabilities
    assert np.isnan(answers[2]).all() and np.isfinite(answers[[0, 1, 3]]).all()
    assert complaints == []


def test_a_model_that_fails_to_load_on_one_node_is_loaded_on_the_other(
    pool_of, survey, tmp_path, cluster
):
    """The bad node is left alone; where every node is bad, the run ends with the first cause."""
    nodes = [node.node_id for node in (cluster.head_node, *cluster.worker_nodes)]
    (tmp_path / f"node-{nodes[1]}").touch()
    pool, complaints = pool_of(2)
    rows = prompts(6)
    np.testing.assert_array_equal(pool.answer(rows, survey).probabilities, answer(rows, survey))
    wait_for(lambda: pool.answer(rows, survey) is not None and complaints)
    assert "could not be started: ModelError: the files of the model are not here" in complaints[0]
    pool.close()
    (tmp_path / f"node-{nodes[0]}").touch()
    pool, _ = pool_of(2)
    with pytest.raises(RunError, match=r"No worker can be started.*the files .* are not here"):
        pool.answer(rows, survey)


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@pytest.mark.slow
def test_nodes_may_join_and_leave_in_the_middle_of_a_call(pool_of, survey, tmp_path, cluster):
    """With as many workers as there is room, a new node gets one; when it goes, nothing is lost."""
    pool, complaints = pool_of(None, Simulated(tmp_path, seconds=0.1))
    rows = prompts(32)
    wait_for(lambda: pool.answer(rows, survey) is not None and len(workers_seen(tmp_path)) == 2)
    node = cluster.add_node(num_cpus=1)
    wait_for(lambda: pool.answer(rows, survey) is not None and len(workers_seen(tmp_path)) == 3)
    before = len(asked_so_far(tmp_path))
    remover = when(
        lambda: len(asked_so_far(tmp_path)) > before + 4,
        lambda _: cluster.remove_node(node, allow_graceful=False),
    )
    np.testing.assert_array_equal(pool.answer(rows, survey).probabilities, answer(rows, survey))
    remover.join()
    np.testing.assert_array_equal(pool.answer(rows, survey).probabilities, answer(rows, survey))
    assert [c for c in complaints if "was lost" in c], complaints


@pytest.mark.slow
def test_workers_share_a_gpu_where_half_of_one_is_enough(cluster, survey, tmp_path):
    """As many workers as there are halves of GPUs, however many CPUs stand idle."""
    node = cluster.add_node(num_cpus=3, num_gpus=1)  # Ray takes our word for it
    with Pool(Workers(gpus=0.5)) as pool:
        pool.load(Simulated(tmp_path, seconds=0.1))
        rows = prompts(32)
        wait_for(lambda: pool.answer(rows, survey) is not None and pool.ready == 2)
        time.sleep(6)  # longer than between two looks for more room
        pool.answer(rows, survey)
        assert len(workers_seen(tmp_path)) == pool.ready == 2
    cluster.remove_node(node)


def workers_seen(folder):
    return {pid for pid, _ in asked_so_far(folder)}


def test_mistakes_are_told_in_a_sentence_and_at_once():
    """A wrong address, a malformed one, no worker, and GPUs that cannot be shared out."""
    for workers, kind, message in (
        (lambda: Workers(0), SpecificationError, "1 worker or more"),
        (lambda: Workers(1, gpus=1.5), SpecificationError, "a share of one, such as 0.5"),
    ):
        with pytest.raises(kind, match=message):
            workers()
    script = (
        "from blackbox_align.engines.ray.pool import Pool, Workers\n"
        "import sys, time\n"
        "start = time.monotonic()\n"
        "try:\n"
        "    Pool(Workers(1, sys.argv[1])).connect()\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    for address, message in (
        ("127.0.0.1:1", "RunError No Ray cluster answers at 127.0.0.1:1"),
        ("nonsense", "SpecificationError The address of a Ray cluster is 'auto' or HOST:PORT"),
    ):
        command = [sys.executable, "-c", script, address]
        told = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert told.stdout.startswith(message), told
