"""A chat template that writes the date, while the clock of the process passes midnight, and on other days.

libfaketime stands between the process and the system's clock, so that nothing in the process is replaced.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.small_models import CHAT_TEMPLATE, save_small_model

pytestmark = pytest.mark.slow
DATED = "Today is {{ strftime_now('%d %b %Y') }}.\n" + CHAT_TEMPLATE
QUICK = ["--optimizer", "random", "--tokens", "1", "--orders", "1", "--placement", "message"]
# Hours before midnight, so that a slow start does not pass it by itself.
BEFORE, AFTER, NEXT = "2026-11-26 20:00:00", "2026-11-27 00:00:30", "2026-11-28 09:00:00"


def library():
    found = importlib.util.find_spec("libfaketime")
    if found is None or not found.submodule_search_locations:
        pytest.skip("libfaketime is not installed")
    folder = Path(found.submodule_search_locations[0]) / "vendor" / "libfaketime" / "src"
    (path,) = [*folder.glob("libfaketime.so.1"), None][:1]
    if path is None or sys.platform != "linux":
        pytest.skip("this machine has no libfaketime.so.1")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("midnight")
    save_small_model("llama-chat", folder / "model")
    (folder / "dated.jinja").write_text(DATED)
    return folder


@pytest.fixture
def start(folder):
    """Start the command at a time of ours; ``clock`` is the file that moves it."""
    preload, started = str(library()), []

    def run(moment, *arguments):
        clock = folder / f"clock-{len(started)}"
        clock.write_text(f"@{moment}\n")
        environment = {
            **os.environ, "LD_PRELOAD": preload, "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
            "TZ": "UTC",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "blackbox_align", *arguments],
            env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process, clock

    yield run
    for process in started:
        process.kill()


def ended(started):
    process, _ = started
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    return out


def asked(*more):
    return ["--model", "model", "--chat-template", "dated.jinja", *more]


def answers(start, moment, condition, *more):
    arguments = [
        "score",
        "vsm2013",
        "--country",
        "SAU",
        "--condition",
        condition,
        "--json",
        "--resamples",
        "10",
        *asked(*more),
    ]
    result = json.loads(ended(start(moment, *arguments)))
    return [entry["probabilities"] for entry in result["answers"]]


def test_a_run_over_midnight_ends_with_an_expert_and_goes_on_the_next_day(folder, start):
    """What is read is that of the run's first day, in the run, in its continuation and with its expert."""
    fit = ["fit", "--country", "SAU", "--name", "night", *QUICK, *asked()]
    process, clock = start(BEFORE, *fit, "--budget", "40")
    journal = folder / "runs" / "night" / "journal.jsonl"
    while not journal.exists() or not journal.stat().st_size:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    assert process.poll() is None
    clock.write_text(f"@{AFTER}\n")
    ended((process, clock))
    expert = folder / "runs" / "night" / "expert"
    assert (expert / "expert.json").exists()
    assert "Today is 26 Nov 2026." in (expert / "README.md").read_text()
    kept = answers(start, AFTER, f"expert:{expert}")
    assert answers(start, NEXT, f"expert:{expert}", "--no-cache") == kept

    batches = len(journal.read_text().splitlines())
    ended(start(NEXT, *fit, "--budget", "60"))
    assert len(journal.read_text().splitlines()) > batches
    recorded = (folder / "runs" / "night" / "run.json").read_text()
    assert "26 Nov 2026" in recorded and "28 Nov 2026" not in recorded
    assert "Today is 26 Nov 2026." in (expert / "README.md").read_text()


def test_cached_answers_equal_fresh_ones_on_any_day(start):
    """Another day is another question; the same day's kept answers are those that the model would give."""
    today = answers(start, BEFORE, "none")
    assert answers(start, BEFORE, "none") == today
    assert answers(start, BEFORE, "none", "--no-cache") == today
    tomorrow = answers(start, NEXT, "none")
    assert tomorrow != today
    assert answers(start, NEXT, "none", "--no-cache") == tomorrow
    assert answers(start, BEFORE, "none") == today
