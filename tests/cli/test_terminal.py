"""The commands as people have them: in a terminal, wide or narrow, with colours or without."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from tests.terminal import Terminal

QUICK = ("--optimizer", "random", "--budget", "16")
SLOW = ("--optimizer", "random", "--target-loss", "0", "--budget", "100000")
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None}
CONDITIONS = {
    "narrow": {"columns": 80},
    "wide": {"columns": 200},
    "no colour": {"NO_COLOR": "1"},
    "dumb": {"TERM": "dumb"},
    "C locale": {"LC_ALL": "C", "PYTHONIOENCODING": None},
    "ASCII": ASCII,
}
COMMANDS = [
    (("--help",), 0, "Commands"),
    (("--version",), 0, "."),
    (("fit", "-h"), 0, "--country"),
    (("countries",), 0, "Saudi Arabia"),
    (("countries", "SAU"), 0, "tool-2023-05"),
    (("models",), 0, "respondent-tiny"),
    (("optimizers",), 0, "gauss-newton"),
    (("surveys",), 0, "world-opinions"),
    (("surveys", "show", "vsm2013"), 0, "raises PDI"),
    (("surveys", "check", "nowhere.csv"), 2, "nowhere.csv"),
    (("cache",), 0, "answers in"),
    (("fit",), 2, "A fit needs a country"),
    (("fit", "--country", "Sudi Arabia"), 2, "Did you mean 'Saudi Arabia'"),
    (("score", "world-opinions", "--baselines", "--country", "IND", "--resamples", "20"), 0, "uniform"),
    (("score", "vsm2013", "--country", "JPN", "--resamples", "20"), 0, "Differences"),
    (("experts", "list"), 0, "experts add runs/RUN"),
    (("ask", "Is it so?", "--options", "yes,no"), 2, "no expert to ask"),
    (("compare", "--country", "SAU", "--seeds", "0..1", "--dry-run"), 0, "4 searches"),
    (("palette", "map", "continents"), 0, "Africa"),
    (("serve", "nowhere"), 2, "nowhere"),
]  # fmt: skip
COSTLY = [
    (("doctor",), 0, "device"),
    (("compare", "--country", "SAU", "--optimizer", "random", "--seeds", "0", "--budget", "12"), 0, "ERT"),
]  # fmt: skip
FEW = [COMMANDS[8], COMMANDS[12], COMMANDS[13]]  # a wide table, a sentence, figures
CASES = [
    *(("narrow", command) for command in COMMANDS + COSTLY),
    *((condition, command) for condition in CONDITIONS if condition != "narrow" for command in FEW),
    *(
        pytest.param(condition, command, marks=pytest.mark.slow)
        for condition in CONDITIONS
        for command in COMMANDS
        if condition != "narrow" and command not in FEW
    ),
]


def check_screen(shown: Terminal, environment: dict) -> None:
    """Nothing is cut off, nothing is a traceback, and colours are where they are wanted."""
    assert "Traceback" not in shown.text
    assert "…" not in shown.text, "something was cut off"
    if environment.get("NO_COLOR"):
        assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", shown.raw), "a colour"
    if environment.get("TERM") == "dumb":
        assert b"\x1b[" not in shown.raw, "a dumb terminal knows no sequences"
    if environment is ASCII:
        assert shown.raw.isascii()


@pytest.mark.parametrize(
    ("condition", "case"),
    CASES,
    ids=lambda value: value if isinstance(value, str) else " ".join(value[0])[:30],
)
def test_every_command_can_be_read_in_every_terminal(condition, case, terminal):
    """Each command ends with its code and shows what it is for, whatever the terminal is."""
    arguments, code, part = case
    shown = terminal(*arguments, **CONDITIONS[condition])
    assert shown.finish() == code, shown.text
    assert part in shown.unfolded
    check_screen(shown, CONDITIONS[condition])


@pytest.mark.parametrize(
    "condition",
    [
        "narrow",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("ASCII", "no colour", "dumb")),
    ],
)
def test_a_fit_is_seen_to_move_and_ends_with_its_table(condition, terminal):
    """While it runs there is a line with what was spent; after it the table alone is left."""
    shown = terminal("fit", "--country", "SAU", *QUICK, **CONDITIONS[condition])
    assert shown.finish() == 0, shown.text
    check_screen(shown, CONDITIONS[condition])
    assert any("loading the model" in screen for screen in shown.screens)
    assert "mean absolute error" in shown.text and "Expert: runs/SAU-" in shown.text
    if condition != "dumb":
        assert "loading" not in shown.text and "16/16" not in shown.text, "the bar is taken away"
    again = terminal("runs", **CONDITIONS[condition])
    assert again.finish() == 0
    assert "SAU-respondent-tiny-random-0" in again.text, "names are whole"
    check_screen(again, CONDITIONS[condition])
    seen = terminal("show", "runs/SAU-respondent-tiny-random-0", **CONDITIONS[condition])
    assert seen.finish() == 0
    assert "mean absolute error" in seen.text
    check_screen(seen, CONDITIONS[condition])


@pytest.mark.parametrize("columns", [80, pytest.param(200, marks=pytest.mark.slow)])
def test_the_bar_moves_and_ctrl_c_leaves_a_line_that_goes_on(columns, terminal, tmp_path):
    """The figures on the screen change; Ctrl-C ends with 130 and a command that can be pasted."""
    folder = tmp_path / "a folder's name"
    folder.mkdir()
    shown = terminal("fit", "--country", "Saudi Arabia", "--runs", folder, *SLOW, columns=columns)
    spent = re.compile(r"([\d,]+)/100,000 best ([\d.]+) \d+/s 0:00:\d\d")
    shown.wait_for(lambda screen: spent.search(screen) is not None)
    first = spent.search(shown.text)[1]
    shown.wait_for(lambda screen: (m := spent.search(screen)) is not None and m[1] != first)
    bars = {re.split(r"\d", line)[0] for screen in shown.screens for line in screen.splitlines()
            if "best" in line}  # fmt: skip
    assert all(len(line) <= columns for line in shown.lines)
    assert len({screen for screen in shown.screens if "best" in screen}) > 1 and bars
    shown.press("c")
    assert shown.finish() == 130, shown.text
    line = shown.pasted("To continue: ").removeprefix("To continue: ")
    short = subprocess.run(
        ["sh", "-c", f"{line} --budget 1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert short.returncode == 0, short.stderr
    assert "Continued after" in short.stderr
    assert shlex.split(line)[1:4] == ["fit", "--country", "Saudi Arabia"]


@pytest.mark.parametrize("moment", [0.02, 0.1, 0.3, 0.8])
def test_ctrl_c_in_the_first_moments_is_no_traceback(moment, terminal):
    """Also while Python still imports what it needs."""
    import time

    shown = terminal("fit", "--country", "SAU", *SLOW)
    time.sleep(moment)
    shown.press("c")
    code = shown.finish()
    if "init_import_site" in shown.text or code == -2:
        return  # Python itself was not there yet: no line of ours had run
    assert code == 130, shown.text
    assert "Traceback" not in shown.text
