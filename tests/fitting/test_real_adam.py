"""The gradient reference on a real model: killed and continued, it ends on the bits of one left alone."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.fitting.test_interruptions import COMPARED, lines, wait_until

SMOLLM2 = Path(__file__).parents[2] / "experiments/real_models/models/smollm2-135m-instruct"


@pytest.mark.slow
@pytest.mark.skipif(not SMOLLM2.is_dir(), reason="no SmolLM2 here: `make real-models` makes it")
def test_a_real_search_by_gradients_killed_twice_ends_on_the_same_bits(
    start_bbalign, bbalign_process, tmp_path
):
    """In the default place, with the default weight for the language; SIGKILL after one step and three."""
    fit = (
        "fit", "--country", "SAU", "--name", "one", "--model", str(SMOLLM2), "--dtype", "float32",
        "--optimizer", "adam", "--budget", "4", "--target-loss", "0",
    )  # fmt: skip
    done = bbalign_process(*fit, "--runs", "alone")
    assert done.returncode == 0, done.stderr
    run, alone = tmp_path / "cut/one", tmp_path / "alone/one"
    for steps in (1, 3):
        process = start_bbalign(*fit, "--runs", "cut")
        wait_until(lambda least=steps: lines(run / "journal.jsonl") >= least, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    done = bbalign_process(*fit, "--runs", "cut")
    assert done.returncode == 0, done.stderr
    for name in COMPARED:
        assert (run / name).read_bytes() == (alone / name).read_bytes(), name
