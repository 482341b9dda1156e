from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Threads that wait for one another crawl on a busy machine, and small models gain little from them.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def cache_home(tmp_path, monkeypatch):
    """No test finds the answers of another one, or those of whoever runs the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))


@pytest.fixture
def bbalign(tmp_path):
    """Run the command line as a user does, in a process and a folder of its own."""

    def run(*arguments: object, **more) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "blackbox_align", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=more.pop("cwd", tmp_path),
            timeout=120,
            **more,
        )

    return run


@pytest.fixture
def start_bbalign(tmp_path):
    """Start the command line and hand over the process; it is killed when the test is over."""
    processes = []

    def start(*arguments: object) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "blackbox_align", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of a given size; skipped where one may not."""
    mounted = []

    def mount(size: str) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("there is no mount command here")
        if done.returncode:
            pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)
