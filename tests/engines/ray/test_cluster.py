"""What of a machine a process may use, and Ray in folders with long names."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from blackbox_align.engines.ray.cluster import quotas, usable_cpus


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="there is no affinity here")
def test_cpus_are_those_that_the_process_may_use():
    """Pinned to one CPU it is one, and SLURM's word counts where it is less."""
    pinned = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from blackbox_align.engines.ray.cluster import quotas, usable_cpus; print(usable_cpus())"
    )
    assert subprocess.check_output([sys.executable, "-c", pinned]) == b"1\n"


def test_the_word_of_slurm_counts(monkeypatch):
    """A task that was given one CPU of a node does not take them all."""
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert usable_cpus() == 1
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1000")
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("own", "files", "cpus"),
    [
        ("0::/\n", {"cpu.max": "250000 100000"}, [2]),  # a container
        ("0::/user/job\n", {"user/job/cpu.max": "max 100000", "user/cpu.max": "400000 100000"}, [4]),
        ("0::/\n", {"cpu.max": "max 100000"}, []),
        (
            "3:memory:/job\n2:cpu,cpuacct:/job\n",  # version 1
            {"cpu/job/cpu.cfs_quota_us": "300000", "cpu/job/cpu.cfs_period_us": "100000",
             "cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            [3],
        ),
    ],
)  # fmt: skip
def test_the_quota_of_a_control_group_counts(own, files, cpus, tmp_path):
    """That of the own group and of those around it, in both versions; whole CPUs alone."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "own").write_text(own)
    assert quotas(tmp_path, tmp_path / "own") == cpus
    assert quotas(tmp_path, tmp_path / "nowhere") == []


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
