from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# A shell that starts a job in the background lets it ignore Ctrl-C, and so all that it starts: a person's
# terminal does not, and tests press it.
for _number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(
            _number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL
        )

# What runs for several tests at once is no test and has no home of its own: it gets this one.
_HOME = Path(tempfile.mkdtemp(prefix="blackbox_align-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
_KERNELS = _HOME / "blackbox_align" / "kernels"
_KERNELS.mkdir(parents=True)
os.environ["XDG_CACHE_HOME"] = str(_HOME)

# The number of threads is left as people have it. But threads that spin while they wait for one another
# are ten times slower where several tests share the cores, so here they sleep; no bit depends on it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Tests that speak of equal bits, of parity or of going on are those that `make test-portable` runs under
# other numbers of threads and other instructions, and with them all tests of the engine in this process;
# one whose name does not say it carries the marker itself.
_PORTABLE = re.compile(
    r"_(bits?|parity|peft|kill(ed|s)?|continue[ds]?|continuation|resum\w*|replay\w*|offloaded|ctrl_c|goes_on"
    r"|go_on)(_|\b)"
)


def pytest_collection_modifyitems(items):
    for item in items:
        if (
            _PORTABLE.search(getattr(item, "originalname", item.name))
            or "/engines/local/" in item.path.as_posix()
        ):
            item.add_marker("portable")


@pytest.fixture(autouse=True)
def cache_home(tmp_path_factory, monkeypatch):
    """No test finds the answers of another one, or those of whoever runs the tests.

    Which kernel is the faster one is measured once for all tests: bits depend on it.
    """
    home = tmp_path_factory.mktemp("cache")
    (home / "blackbox_align").mkdir()
    (home / "blackbox_align" / "kernels").symlink_to(_KERNELS)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))


@pytest.fixture
def bbalign(tmp_path):
    """Run the command line in a folder of the test's own: what it prints, and what it ends with."""
    from tests.command import run_here

    return functools.partial(run_here, cwd=tmp_path)


@pytest.fixture
def bbalign_process(tmp_path):
    """The same in a process of its own: for what only that shows, and what outlives no process."""

    def run(*arguments: object, cwd: Path = tmp_path, **more) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "blackbox_align", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=600,  # of a machine that is busy with other things
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
