"""``bbalign score``: the table for people, the JSON for programs, one sentence for a mistake."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from blackbox_align.cli.cache import cache_command
from blackbox_align.cli.score import score_command

ROWS = """item,question,option,country,share
tea,Do you drink tea?,often,Kenya,0.6
tea,Do you drink tea?,never,Kenya,0.4
tea,Do you drink tea?,often,Ghana,0.2
tea,Do you drink tea?,never,Ghana,0.8
rain,Do you like rain?,yes,Kenya,0.5
rain,Do you like rain?,no,Kenya,0.5
"""


@pytest.fixture
def run(tmp_path):
    app = typer.Typer(rich_markup_mode="rich")
    app.command("score")(score_command)
    (tmp_path / "mine.csv").write_text(ROWS)

    def invoke(*arguments):
        return CliRunner().invoke(
            app, [str(tmp_path / "mine.csv"), "--resamples", "20", *arguments]
        )

    return invoke


def test_the_table_has_baselines_conditions_differences_and_notes(run):
    """The default model under two conditions beside the baselines, with everything that is said."""
    done = run("--country", "KEN", "--condition", "none", "--condition", "icl")
    assert done.exit_code == 0, done.exception
    for part in ("(uniform)", "(mean of others)", "(un-prompted, tempered)", "icl",
                 "1 - JS distance (nats) ↑", "Differences in", "2 questions in 1 country;",
                 "rotations", "95 % interval", "knows nothing of the world"):  # fmt: skip
        assert part in done.stdout


def test_json_holds_every_metric_and_no_model_is_needed_for_baselines(run):
    """--baselines needs no model; --json has all metrics with value, interval and n."""
    done = run("--baselines", "--json")
    content = json.loads(done.stdout)
    figures = content["figures"]
    assert {f["condition"] for f in figures} == {
        "uniform", "people's likeliest answer", "mean of other countries", "mixture of other countries",
        "people's sampling noise",
    }  # fmt: skip
    assert {"simbench_score", "variance_ratio", "entropy_nats", "worth_in_people"} < {
        f["metric"] for f in figures
    }
    assert {"value", "low", "high", "n"} <= figures[0].keys()


def test_a_metric_can_be_chosen_and_a_slip_in_it_is_told(run):
    """--metric prints another column; an unknown one is refused with the names that there are."""
    assert "JS divergence (bits) ↓" in run("--baselines", "--metric", "js_divergence_bits").stdout
    wrong = run("--baselines", "--metric", "jsd")
    assert "The metric must be one of one_minus_js_distance_nats" in str(wrong.exception)


def test_the_answer_cache_is_shown_and_emptied(run):
    """`cache` says where answers are and how many, `--clear` forgets them, `--no-cache` keeps none."""
    app = typer.Typer()
    app.command("cache")(cache_command)

    def shown(*arguments):
        return json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)

    run("--no-cache")
    assert shown()["answers"] == 0
    run()
    after = shown()
    assert after["answers"] > 4 and 0 < after["bytes"] < after["limit"]
    assert "answers in 0.0 MB" in CliRunner().invoke(app, []).stdout
    assert shown("--clear")["answers"] == 0
