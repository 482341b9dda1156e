"""What of a machine a process may use, and Ray in folders with long names."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from blackbox_align.engines.ray.cluster import usable_cpus


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="there is no affinity here")
def test_cpus_are_those_that_the_process_may_use():
    """Pinned to one CPU it is one, and SLURM's word counts where it is less."""
    pinned = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from blackbox_align.engines.ray.cluster import usable_cpus; print(usable_cpus())"
    )
    assert subprocess.check_output([sys.executable, "-c", pinned]) == b"1\n"


def test_the_word_of_slurm_counts(monkeypatch):
    """A task that was given one CPU of a node does not take them all."""
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert usable_cpus() == 1
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1000")
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)


LONG = """
import sys
from blackbox_align.engines.ray.cluster import Workers, connected
with connected(Workers(1)) as ray:
    print(ray.get(ray.remote(lambda: 7).remote()))
"""


def test_a_long_folder_for_temporary_files_is_no_hindrance(tmp_path):
    """Ray's sockets go where their names fit."""
    folder = tmp_path / ("a" * 80)
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder)}
    environment.pop("RAY_TMPDIR", None)
    ran = subprocess.run(
        [sys.executable, "-c", LONG], env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.stdout == "7\n", ran.stderr
