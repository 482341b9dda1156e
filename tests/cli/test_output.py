"""What is printed: harmless, whole, pasteable, and written to whatever there is."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from blackbox_align.cli.main import _say
from blackbox_align.cli.progress import _title
from blackbox_align.cli.screen import _screen_class, harmless
from blackbox_align.fitting import Run
from tests.terminal import bbalign_command

SURVEY = r"""
name: "tea[/]"
title: "T[red]ea \e[31mred"
items:
  - id: tea
    question: "Do you [/] drink \e]0;x\a tea[bold]?"
    options: [often, never]
    shares: {IND: [60, 40], USA: [50, 50]}
"""


@pytest.fixture
def survey(tmp_path):
    folder = tmp_path / "we[/]ird [red]"
    folder.mkdir(parents=True)
    (folder / "tea[b].yaml").write_text(SURVEY, encoding="utf-8")
    return folder / "tea[b].yaml"


def test_text_of_a_file_is_neither_markup_nor_a_command_to_the_terminal(terminal, survey):
    """Brackets stay as they are, and an escape sequence is spelled out."""
    for command, part in (("check", "T[red]ea"), ("show", "Do you [/] drink")):
        shown = terminal("surveys", command, survey, columns=200)
        assert shown.finish() == 0, shown.text
        assert part in shown.text and r"\x1b" in shown.text
        assert b"\x1b]0;" not in shown.raw and b"\x1b[31mred" not in shown.raw
    shown = terminal("score", survey, "--country", "IND", "--baselines", "--resamples", "9")
    assert shown.finish() == 0, shown.text
    assert "T[red]ea" in shown.text
    shown = terminal("fit", "--country", "[/]")
    assert shown.finish() == 2 and "'[/]'" in shown.text, (
        "the bar stands before the mistake is found"
    )


def test_harmless_text_keeps_letters_of_all_languages():
    """Only control characters and those that turn the direction of a line are spelled out."""
    assert harmless("naïve 日本\n\tعربي") == "naïve 日本\n\tعربي"
    assert harmless("a\x1b[31m\x9b\u202eb\r") == r"a\x1b[31m\x9b\u202eb\r"


def test_a_piped_table_is_whole(bbalign):
    """No line is cut or folded where there is no screen."""
    lines = bbalign("surveys", "show", "world-opinions").stdout.splitlines()
    assert len(lines) == 42 and "…" not in "".join(lines)
    for row in bbalign("optimizers").stdout.splitlines()[2:]:
        assert row.count("=") >= 1, "each has its options on its own line"


def test_a_closed_or_full_output_is_a_sentence_at_most(tmp_path):
    """`>&-`, `2>&-`, a full disk, and a reader that has gone."""
    command = f"{sys.executable} -m blackbox_align countries"

    def shell(line: str) -> subprocess.CompletedProcess:
        return subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=tmp_path)

    assert shell(f"{command} >&-").stderr == ""
    assert "SAU" in shell(f"{command} 2>&-").stdout
    full = shell(f"{command} >/dev/full")
    assert (full.returncode, full.stderr) == (
        1,
        "Error: The output could not be written: No space left on device.\n",
    )
    assert shell(f"{command} | head -1").stderr == ""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("std::bad_alloc"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_too_little_memory_is_told_whoever_notices(error, capsys):
    """Python, C++, torch or the system, each in its own words."""
    assert _say(error) == 1
    assert "There is not enough memory for this" in capsys.readouterr().err


def test_a_reader_that_goes_ends_nothing():
    """What is printed behind `| head -1` is for nobody, and that is all."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        screen = _screen_class()(file=stream)
        for line in ("a table", "another"):
            screen.print(line)


@pytest.mark.slow
def test_a_fit_behind_head_leaves_its_expert(tmp_path):
    """The reader of its table has gone before the expert is written."""
    line = "fit --country SAU --optimizer random --budget 4 --name one | head -1"
    command = f"{sys.executable} -m blackbox_align {line}"
    subprocess.run(["sh", "-c", command], capture_output=True, cwd=tmp_path)
    assert Run.load(tmp_path / "runs" / "one").status == "done"
    assert (tmp_path / "runs" / "one" / "expert" / "expert.json").is_file()


def test_a_home_that_cannot_be_read_is_no_traceback(bbalign_process):
    """A sentence, or an answer that is not kept."""
    score = ("score", "vsm2013", "--country", "JPN", "--resamples", "9")
    for settings, command in (
        ({"HOME": "/dev/null"}, ("cache",)),
        ({"HOME": "/proc/1/root/x"}, score),
        ({"XDG_CACHE_HOME": "/dev/null"}, ("cache",)),
    ):
        environment = {**os.environ, **settings}
        if "HOME" in settings:
            del environment["XDG_CACHE_HOME"]
        done = bbalign_process(*command, env=environment)
        assert "Traceback" not in done.stderr and "not foreseen" not in done.stderr
        assert done.returncode == 0, done.stderr


def test_debug_shows_where_an_error_comes_from(bbalign_process):
    """Without it there is one sentence; with it, anywhere in the line, the log and the traceback."""
    assert bbalign_process("countries", "Atlantis").stderr.count("\n") == 1
    for line in (("--debug", "countries", "Atlantis"), ("countries", "Atlantis", "--debug")):
        done = bbalign_process(*line)
        assert done.returncode == 2
        assert "blackbox_align: bbalign" in done.stderr and "Traceback" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("Error: Unknown country 'Atlantis'.")


@pytest.mark.parametrize("command", ["fit", "show", "score", "doctor", "cache", "runs", "countries",
                                     "models", "optimizers", "surveys"])  # fmt: skip
def test_help_has_two_examples_and_answers_to_h(bbalign, command):
    """-h is --help, and what stands below it starts with a command to copy."""
    shown = bbalign(command, "-h").stdout
    assert shown == bbalign(command, "--help").stdout
    assert shown.partition("For example:")[2].count("bbalign ") >= 2


def test_help_explains_what_a_newcomer_has_not_heard_of(bbalign):
    """Objective, constants and alpha are told without a word of residuals."""
    shown = " ".join(bbalign("fit", "--help").stdout.replace("│", " ").split())
    assert "mean distance of the survey's indices" in shown
    assert "known up to a shift" in shown
    assert "standard deviations of the model's own words" in shown
    assert "residual" not in shown


def test_a_shell_completes_commands_and_options(tmp_path):
    """What `bbalign --install-completion` sets up asks the command itself."""
    for begun, whole in (("bbalign fi", "fit"), ("bbalign fit --place", "--placement")):
        asked = {"_BBALIGN_COMPLETE": "complete_bash", "COMP_WORDS": begun}
        asked["COMP_CWORD"] = str(len(begun.split()) - 1)
        shown = subprocess.run(
            bbalign_command(),
            env={**os.environ, **asked},
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert whole in shown.stdout.split(), shown


def test_a_run_is_shown_by_its_name(bbalign, tmp_path):
    """The folder runs/ need not be typed, and a misspelled name is offered the right one."""
    quick = ("--optimizer", "random", "--budget", "4", "--name", "mine")
    assert bbalign("fit", "--country", "SAU", *quick).returncode == 0
    assert bbalign("show", "mine").stdout == bbalign("show", "runs/mine").stdout != ""
    wrong = bbalign("show", "mnie")
    assert wrong.returncode == 2 and "Did you mean 'mine'" in wrong.stderr


def test_many_countries_are_one_short_title():
    """The bar keeps its place at 80 columns."""
    assert _title(["SAU"]) == "SAU"
    assert _title(["Saudi Arabia", "United States", "China"]) == "Saudi Arabia and 2 more"
    assert len(_title(["x" * 90])) <= 24
