"""What people mistype: every option of every command with values that make no sense there."""

from __future__ import annotations

import random
import sys

import pytest

from tests.command import main
from tests.seeds import SHIFT

FIT = ("fit", "--country", "SAU", "--optimizer", "random", "--budget", "2")
SCORE = ("score", "world-opinions", "--country", "IND", "--baselines", "--resamples", "10")
COMPARE = ("compare", "--country", "SAU", "--optimizer", "random", "--budget", "2")
ASK = ("ask", "Is it so?", "--options", "yes,no")
ODD = ("", "[/]", "[red]x", "\x1b[31mred", "😀" * 3, "../../etc")
NUMBERS = ("nan", "inf", "-1", "1e999", "x", "")
WHOLE = ("nan", "1.5", "-3", "100000000000000000000", "x", "1e20")

WRONG = {
    # options of `fit`, and values that each must be refused
    (*FIT, "--country"): (*ODD, "SUA", "Korea", "EU", "SAU,Sudi Arabia", "SAU USB"),
    (*FIT, "--model"): (*ODD[1:], "nowhere/at all", "/dev/null"),
    (*FIT, "--device"): (*ODD, "cuda:99", "gpu"),
    (*FIT, "--dtype"): (*ODD, "float8"),
    (*FIT, "--objective"): (*ODD, "vsm13+", "nan*vsm13", "0*vsm13", "vsm13+vsm13", "-1*opinions"),
    (*FIT, "--objective", "opinions", "--opinions"): (*ODD, "/dev/null"),
    (*FIT, "--held-out"): (*NUMBERS, "1.0", "2"),
    (*FIT, "--survey"): (*ODD, "/dev/null", "missing.yaml"),
    (*FIT, "--targets"): (*ODD, "missing.csv", "/dev/null"),
    (*FIT, "--constants"): (*ODD, "anchor:", "anchor:Atlantis", "given:", "given:missing.yaml"),
    (*FIT, "--readout"): (*ODD, "sample"),
    (*FIT, "--readout", "sampled", "--respondents"): (*WHOLE, "0"),
    (*FIT, "--readout", "sampled", "--temperature"): (*NUMBERS, "0"),
    (*FIT, "--optimizer"): (*ODD, "cmma", "ng:", "ng:CMAA"),
    (*FIT, "--option"): (*ODD, "sigma", "sigma=nan", "sigma=-1", "sigma=inf", "sigma=[]", "F=1", "=1"),
    ("fit", "--country", "SAU", "--budget", "2", "--optimizer", "cma", "--option"): (
        "diagonal=maybe", "population=-1", "population=x", "population=1e20", "restarts=7",
    ),
    ("fit", "--country", "SAU", "--budget", "2", "--optimizer", "de", "--option"): (
        "F=nan", "F=x", "CR=7", "population=1", "population=2.5", "strategy=worst",
    ),
    ("fit", "--country", "SAU", "--budget", "2", "--option"): (
        "batch=0", "batch=x", "window=-1", "spread=nan", "radius=0", "radius=x", "explore=x",
    ),
    (*FIT, "--tokens"): (*WHOLE, "0", "100000000"),
    (*FIT, "--placement"): (*ODD, "middle"),
    (*FIT, "--subspace"): WHOLE,
    (*FIT, "--alpha"): (*NUMBERS, "0"),
    (*FIT, "--init"): (*ODD, "ones", "text:"),
    (*FIT, "--seed"): WHOLE,
    (*FIT, "--from"): ODD,
    ("fit", "--country", "SAU", "--budget"): (*WHOLE, "0"),
    (*FIT, "--target-loss"): NUMBERS,
    (*FIT, "--patience"): (*WHOLE, "0"),
    (*FIT, "--seconds"): (*NUMBERS, "0"),
    (*FIT, "--workers"): ("-1", "0", "x", "1.5", "[/]"),
    (*FIT, "--gpus-per-worker"): (*NUMBERS,),
    # the other commands
    ("score",): (*ODD, "missing.csv", "/dev/null", "hf://datasets/x"),
    (*SCORE, "--country"): (*ODD, "SUA", "Korea", "EU", "Atlantis"),
    (*SCORE[:4], "--condition"): (
        *ODD, "expert:", "expert:nowhere", "text:", "[{country}]",
    ),
    (*SCORE, "--orders"): (*ODD[1:], "2"),
    (*SCORE, "--labels"): (*ODD, "roman"),
    (*SCORE, "--samples"): (*ODD, "local"),
    (*SCORE, "--missing"): (*ODD, "ignore"),
    (*SCORE, "--metric"): (*ODD, "mse"),
    (*SCORE, "--resamples"): (*WHOLE, "0"),
    (*SCORE, "--seed"): WHOLE,
    ("show",): (*ODD, "/", "/dev/null"),
    ("countries",): (*ODD, "SUA", "Korea", "Atlantis"),
    ("countries", "--targets"): (*ODD, "missing.csv"),
    ("surveys", "show"): (*ODD, "vsm2031"),
    ("surveys", "check"): (*ODD, "/dev/null", "/"),
    ("doctor", "--survey"): (*ODD, "missing.yaml"),
    (*FIT, "--chat-template"): (*ODD, "missing.jinja", "/dev/null/x"),
    (*FIT, "--revision"): ("main",),  # of a model that ships with the package
    ("compare",): (*ODD[1:], "missing.yaml", "/dev/null"),
    ("compare", "--country"): (*ODD, "SUA", "Korea"),
    (*COMPARE, "--optimizer"): (*ODD, "cmma"),
    (*COMPARE, "--seeds"): (*ODD, "a..b", "3..1", "-1", "1e20"),
    (*COMPARE, "--vary"): (*ODD, "tokens", "tokens=x", "colour=red"),
    (*COMPARE, "--budget"): (*WHOLE, "0"),
    (*COMPARE, "--target-loss"): NUMBERS,
    (*COMPARE, "--jobs"): (*WHOLE, "0"),
    (*ASK, "--population"): (*ODD, "SAU", "SAU=x", "SAU=-1", "SAU=nan", "missing.csv"),
    (*ASK, "--like"): (*ODD, "missing.csv", "/dev/null"),
    (*ASK, "--as"): (*ODD, "chorus"),
    (*ASK, "--library"): ("nowhere", "/dev/null"),
    ("experts", "show"): (*ODD, "nobody"),
    ("experts", "add"): (*ODD, "nowhere"),
    ("experts", "remove"): (*ODD, "nobody"),
    ("serve",): (*ODD[1:], "nowhere", "/dev/null"),
    ("report",): (*ODD[1:], "nowhere"),
    ("surveys", "tabulate"): (*ODD, "missing.sav", "/dev/null"),
    ("runs", "--jsn"): ("",),
    (): ("fitt", "--colour", "[/]"),
}  # fmt: skip
CASES = [(*command, value) for command, values in WRONG.items() for value in values]


def test_there_are_enough_of_them():
    """The list is meant to grow."""
    assert len(CASES) >= 240


@pytest.mark.parametrize("arguments", CASES, ids=lambda a: ascii(" ".join(a[-2:]))[:50])
def test_a_wrong_argument_is_a_sentence_and_exit_code_2(arguments, monkeypatch, capsys, tmp_path):
    """No traceback, no result, no terminal sequence, and no mistake that was not foreseen."""
    monkeypatch.setattr(sys, "argv", ["bbalign", *arguments])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main()
    output, errors = capsys.readouterr()
    assert ended.value.code == 2, (output, errors)
    assert errors.startswith("Error: ") and errors.count("\n") <= 3, errors
    assert "\x1b" not in errors and "Traceback" not in errors
    assert "not foreseen" not in errors, errors
    assert not list(tmp_path.glob("runs/*/journal.jsonl")), "nothing was evaluated"


DRAWN = 240
CHARACTERS = (
    "0123456789.,:;+-*/=_[]{}()<>|&%$#@!?~^'\"\\ \t\neEnNaAxX\x00\x1b\u202e\u00e9\u4e2d\U0001f600"
)


def drawn(number: int) -> tuple[str, ...]:
    """A command and an option with what was meant for another, spoilt: mostly wrong, now and then not."""
    rng = random.Random(SHIFT + number)
    command = rng.choice(
        sorted(set(WRONG) - {("serve",)})
    )  # which, given what is right, does not end
    value = rng.choice(CASES)[-1]
    for _ in range(rng.randrange(4)):
        place = rng.randrange(len(value) + 1)
        value = value[:place] + rng.choice(CHARACTERS) + value[place + rng.randrange(2) :]
    if command and command[-1] in ("--budget", "--resamples", "--jobs", "--workers", "--seeds"):
        value = value[:1]  # what is large may be right there, and long
    return (*command, value)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(DRAWN))
def test_a_random_argument_never_ends_in_a_traceback(number, monkeypatch, capsys, tmp_path):
    """It is refused in a sentence, or it was right by chance."""
    monkeypatch.setattr(sys, "argv", ["bbalign", *drawn(number)])
    monkeypatch.chdir(tmp_path)
    status = 0
    try:
        main()
    except SystemExit as ended:
        status = ended.code
    _, errors = capsys.readouterr()
    assert status in (0, None, 2), (drawn(number), status, errors)
    assert "Traceback" not in errors and "not foreseen" not in errors, (drawn(number), errors)
    assert "\x1b" not in errors and "\x00" not in errors
