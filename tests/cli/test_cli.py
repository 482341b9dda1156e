from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

from tests.command import main

QUICK = ("--optimizer", "random", "--budget", "16")


def test_fit_prints_a_table_and_json_and_a_second_time_does_not_search(bbalign, bbalign_process):
    """The newcomer's line ends with a table, what the figures are, and where the expert is."""
    first = bbalign_process("fit", "--country", "saudi arabia", *QUICK)
    assert first.returncode == 0, first.stderr
    assert first.stderr == "", "no progress bar where there is no terminal"
    for part in ("PDI", "un-", "country", "fitted", "mean absolute error", "Constants: anchor",
                 "an estimate", "knows nothing of the world", "Expert: runs/SAU-"):  # fmt: skip
        assert part in first.stdout
    second = bbalign("fit", "--country", "SAU", *QUICK, "--json")
    assert "was done already; nothing was evaluated" in second.stderr
    result = json.loads(second.stdout)
    assert result["provenance"]["populations"] == {"SAU": "Saudi Arabia"}
    assert result["search"]["evaluations"] == 16 and result["status"] == "done"
    assert len(result["provenance"]["instruments"][0]["indices"]) == 6


def test_runs_and_show_list_what_was_fitted(bbalign):
    """A run is found by the listing and shown with the table that the fit printed."""
    fit = bbalign("fit", "--country", "JPN", *QUICK)
    (row,) = json.loads(bbalign("runs", "--json").stdout)
    assert row["country"] == "JPN" and row["status"] == "done" and row["evaluations"] == 16
    assert bbalign("show", row["run"]).stdout == fit.stdout
    assert "JPN" in bbalign("runs").stdout
    other = bbalign("show", row["run"], "--country", "SAU")
    assert other.returncode == 2 and "holds JPN" in other.stderr
    assert "No runs in elsewhere yet" in bbalign("runs", "elsewhere").stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("fit", "--country", "Sudi Arabia"), 2, "Did you mean 'Saudi Arabia'"),
        (("fit", "--country", "SAU", "--model", "nowhere/at/all"), 2, "no model folder"),
        (("fit", "--country", "SAU", "--model", "respondent-tinny"), 2, "'respondent-tiny'"),
        (("fit", "--country", "SAU", "--optimizer", "cmma"), 2, "Did you mean 'cma'"),
        (("fit", "--country", "SAU", "--survey", "vsm2031"), 2, "Did you mean 'vsm2013'"),
        (
            ("fit", "--country", "SAU", "--survey", "mine.yaml"),
            2,
            "mine.yaml: there is no such file",
        ),
        (("fit", "--country", "SAU", "--targets", "hofstede"), 2, "Unknown target set 'hofstede'"),
        (("fit", "--country", "Zimbabwe"), 2, "Unknown target in tool-2023-05 for 'Zimbabwe'"),
        (("fit", "--country", "SAU", "--option", "F"), 2, "NAME=VALUE"),
        (("fit", "--country", "SAU", "--optimizer", "de", "--option", "f=1"), 2, "no option 'f'"),
        (("fit", "--country", "SAU", "--device", "tpu0"), 2, "'auto', 'cpu', 'cuda'"),
        (("show", "runs/none"), 2, "neither a run's folder nor a name in runs/"),
        (("countries", "Atlantis"), 2, "Unknown country 'Atlantis'"),
    ],
)
def test_a_mistake_gets_one_sentence_and_an_exit_code(
    arguments, code, sentence, monkeypatch, capsys, tmp_path
):
    """No traceback, the value seen, what would be right; 2 for what was asked, 1 for trouble."""
    monkeypatch.setattr(sys, "argv", ["bbalign", *arguments])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main()
    output, errors = capsys.readouterr()
    assert ended.value.code == code
    assert sentence in " ".join(errors.split())
    assert output == ""
    assert not list(tmp_path.glob("runs/*/journal.jsonl")), "nothing was evaluated"


def test_a_mistake_ends_the_process_without_a_traceback(bbalign_process):
    """What a terminal shows is the sentence alone."""
    done = bbalign_process("fit", "--country", "Sudi Arabia")
    assert done.returncode == 2 and done.stderr.startswith("Error: Unknown country 'Sudi Arabia'.")
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1


def test_a_process_ends_at_once_but_does_what_was_left_to_its_end(tmp_path):
    program = (
        "import atexit, pathlib, sys\n"
        "from blackbox_align.__main__ import main\n"
        "class Slow:\n"
        "    def __del__(self): pathlib.Path('taken to pieces').touch()\n"
        "sys.slow = Slow()\n"
        "sys.argv = ['bbalign', 'show', 'nothing']\n"
        "try: main()\n"
        "finally: atexit.register(pathlib.Path('tidied').touch)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True)
    assert ended.returncode == 2 and b"Error: " in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["tidied"]


def test_a_missing_option_is_a_usage_error(bbalign):
    """Without a country there is nothing to fit."""
    done = bbalign("fit")
    assert done.returncode == 2 and "--country" in done.stderr


def test_lists_are_printed_for_people_and_for_programs(bbalign):
    """Countries, surveys, models and optimizers can be listed, also as JSON."""
    sets = json.loads(bbalign("countries", "SAU", "--json").stdout)
    assert {s["targets"]: s["PDI"] for s in sets} == {
        "tool-2023-05": 72, "tool-2022-03": 95, "matrix-2015": None,
    }  # fmt: skip
    assert len(json.loads(bbalign("countries", "--json").stdout)) == 118
    assert len(json.loads(bbalign("surveys", "show", "vsm2013", "--json").stdout)) == 24
    assert json.loads(bbalign("models", "--json").stdout)[0]["model"] == "respondent-tiny"
    names = [row["name"] for row in json.loads(bbalign("optimizers", "--json").stdout)]
    assert {"de", "cma", "cma-diagonal", "random"} <= set(names)
    for command in ("countries", "surveys", "models", "optimizers"):
        assert bbalign(command).stdout


@pytest.mark.parametrize("command", [(), ("fit",), ("show",), ("runs",)])
def test_help_does_not_import_what_is_slow(command):
    """--help answers at once because torch, transformers and pandas stay on the shelf."""
    program = (
        "import sys; from blackbox_align.cli.main import app\n"
        f"try: app([*{command!r}, '--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'transformers', 'pandas', 'numpy', 'cma', 'nevergrad', 'ray', 'peft'}\n"
        "sys.exit(f'imported {slow & set(sys.modules)}' if slow & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--help" in done.stdout


def test_the_version_is_printed(bbalign):
    """A bug report begins with it."""
    from blackbox_align import __version__

    assert bbalign("--version").stdout.strip() == __version__


def test_the_command_line_has_the_defaults_of_the_library():
    """--help must not import the library, so the defaults stand twice: here they are compared."""
    from dataclasses import fields

    from blackbox_align.cli.fit import fit_command
    from blackbox_align.fitting import Specification, fit

    shown = {p.name: p.default for p in inspect.signature(fit_command).parameters.values()}
    for field in fields(Specification):
        if field.name not in ("country", "options"):
            default = shown[field.name] if field.default != () else shown[field.name] or ()
            assert default == field.default, field.name
    ends = inspect.signature(fit).parameters
    for name in ("budget", "target_loss", "patience", "seconds"):
        assert shown[name] == ends[name].default, name


def test_a_mistake_leaves_nothing_behind(bbalign, tmp_path):
    """A model that cannot be loaded makes no run, so that the corrected command is free to."""
    wrong = bbalign("fit", "--country", "SAU", "--model", "/nowhere/at/all", "--name", "mine")
    assert wrong.returncode == 2 and not (tmp_path / "runs" / "mine").exists()
    right = bbalign("fit", "--country", "SAU", "--name", "mine", *QUICK)
    assert right.returncode == 0, right.stderr
