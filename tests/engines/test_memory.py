"""What a pass takes of the memory, seen in real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize(
    "placement", ["first", pytest.param("message", marks=pytest.mark.slow), "last"]
)
def test_a_pass_takes_no_more_memory_than_it_is_thought_to(placement):
    """The peak of a real process stays below the estimate, and is not far from it."""
    estimate, taken = map(float, run_python(PEAK_OF_A_PASS, placement).split())
    assert 0.25 * estimate < taken < estimate


PEAK_OF_A_PASS = """
import sys
from pathlib import Path
import numpy as np
from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.shadow import bytes_per_token
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import sheet

model, asked = load_model(), sheet(load_survey("vsm2013"))
engine, placement = LocalEngine(model), sys.argv[1]
count = engine.candidates_per_pass(5, placement, asked)
prompt = SoftPrompt(np.ones((5, model.embedding_width), np.float32), placement)
engine.answer([Adapter(prompt=prompt)] * 2, asked)
longest = engine._plan(asked, "").longest + 5
status = Path("/proc/self/status")  # getrusage would tell the peak of the process that began this one
before = int(status.read_text().split("VmRSS:")[1].split()[0])
engine.answer([Adapter(prompt=prompt)] * count, asked)
peak = int(status.read_text().split("VmHWM:")[1].split()[0])
estimate = 16_384 * bytes_per_token(model, longest if placement == "last" else 0)
print(estimate, 1024 * (peak - before))
"""


def run_python(script, *arguments):
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
