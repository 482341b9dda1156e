"""What a page holds: the numbers of its CSV files, and all that has to be said beside them."""

from __future__ import annotations

import html
import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest

from blackbox_align.errors import RunError, SpecificationError, UnknownNameError
from blackbox_align.plots.maps import places
from blackbox_align.populations.countries import countries
from blackbox_align.report import (
    comparison_page,
    fit_page,
    fits_page,
    result_page,
    study_page,
    write_page,
)
from blackbox_align.report.page import read_csv
from blackbox_align.report.svg import inline_svg
from blackbox_align.results.fit_pictures import fit_pictures
from blackbox_align.results.names import title
from tests.report.conftest import many, renamed

SCRIPT = "<script>document.title = 'owned'</script>"


def test_a_page_of_one_fit_is_small_and_has_a_csv_beside_every_figure(fit, tmp_path):
    """At most 400 kB; as many CSV files as figures, each named below its figure."""
    page = write_page(fit_page(fit), tmp_path)
    text = page.read_text()
    assert len(text) < 400_000
    names = set(re.findall(r'href="(report/[^"]+\.csv)"', text))
    assert text.count("<svg") == len(names) > 3
    assert all((tmp_path / name).is_file() for name in names)


def test_the_numbers_of_a_page_are_read_from_its_csv(fit, tmp_path, monkeypatch):
    """A file that another hand writes is what is tabulated: no figure has a second source."""
    import blackbox_align.report.page as module

    def other(path, frame):
        module.write_text(
            path, frame.assign(**{c: 77.125 for c in frame if c == "fitted"}).to_csv(index=False)
        )

    monkeypatch.setattr(module, "write_csv", other)
    text = write_page(fit_page(fit), tmp_path).read_text()
    assert text.count('<td class="n">77.12</td>') == 6


def test_the_same_runs_are_the_same_bytes(fit, tmp_path):
    """Page, CSV, SVG and PDF: no date and no chance in any of them."""
    page = fit_page(fit)
    short = replace(page, parts=page.parts[1:3])
    for name in ("a", "b"):
        write_page(short, tmp_path / name, figures=("svg", "pdf"))
    files = [p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*")]
    assert {p.suffix for p in files} == {".html", ".csv", ".svg", ".pdf"}
    assert all(
        (tmp_path / "a" / p).read_bytes() == (tmp_path / "b" / p).read_bytes() for p in files
    )


def test_what_was_held_out_comes_first(opinion_run):
    """Before anything that the search worked on; its caption says so, with n, unit and interval."""
    first = fit_pictures(opinion_run.result, "USA")[0]
    assert first.name == "held-out"
    assert re.search(r"nats.*\d+ held-out questions.*95 % intervals.*No search saw", first.caption)
    assert set(first.frame["n"]) == {int(re.search(r"on (\d+) held", first.caption)[1])}


def test_new_conditions_of_a_result_are_drawn_without_being_known(fit):
    """A row that somebody adds to a result is a row of the figure."""
    figures = fit.result.figures
    error = next(f for f in figures if f.condition == "icl" and not f.minus)
    more = replace(
        fit.result, figures=(*figures, replace(error, condition="a text of the same budget"))
    )
    names = {p.name: p for p in fit_pictures(more, "SAU")}
    assert "a text of the same budget" in set(names["index-error"].frame["name"])


def test_every_caption_says_n_and_which_interval(fit, compared):
    """A reader who sees a figure and its caption alone can say what was compared."""
    pictures = [p for p in fit_page(fit).parts if hasattr(p, "caption")]
    pictures += [p for p in comparison_page(compared[1], [fit]).parts if hasattr(p, "caption")]
    assert len(pictures) > 8
    for picture in pictures:
        assert "interval" in picture.caption, picture.name
        assert re.search(r"\bn = |\d+ (searches|indices|countries|questions)", picture.caption)


def test_a_page_says_simulated_and_carries_the_checklist(fit, tmp_path):
    """Also how to repeat the run, on the command line and in Python."""
    text = write_page(fit_page(fit), tmp_path).read_text()
    assert "Simulated answers: what a language model" in text
    assert "The answers are simulated: no person was asked for them." in text
    assert "<dt>orders</dt><dd>both directions, averaged</dd>" in text
    for _, said in fit.result.checklist.rows():
        assert said in html.unescape(text)
    assert "bbalign fit --country SAU --budget 24 --target-loss 8.0" in text
    assert "blackbox_align.fit(country=&#39;SAU&#39;, budget=24, target_loss=8.0)" in text


def test_names_are_text_whatever_they_hold(fit, tmp_path):
    """A script as a country's and as a run's name is shown, in text and in figures, and never markup."""
    evil = renamed(fit, "SAU", SCRIPT, SCRIPT)
    for page in (fit_page(evil), fits_page([evil, renamed(fit, "USA", "=1+1", SCRIPT)])):
        text = write_page(page, tmp_path).read_text()
        assert "<script>document" not in text
        assert "&lt;script&gt;document" in text


def test_two_hundred_runs_on_a_megabyte_in_ten_seconds(fit, tmp_path):
    """With the map, and with a dot for a country that is too small for it."""
    start = time.process_time()
    text = write_page(fits_page(many(fit, 200)), tmp_path).read_text()
    assert len(text.encode()) <= 1_000_000
    assert time.process_time() - start < 10
    world = read_csv(tmp_path / "report" / "world-map.csv")
    assert len(world) == len(places([c.code for c in list(countries().values())[:100]]))
    assert set(world["step"]) == {1, 2, 3, 4, 5}
    assert "ABW" in set(world["code"])


def test_a_comparison_shows_all_its_pictures(compared, fit, tmp_path):
    """Table, distribution, curves, ranks, ratio, ends: each with its file."""
    write_page(comparison_page(compared[1], [fit], "c"), tmp_path)
    names = {p.stem for p in (tmp_path / "report").glob("*.csv")}
    assert {
        "methods",
        "ecdf",
        "anytime",
        "critical-difference",
        "relative",
        "losses",
        "pairs",
    } <= names
    share = read_csv(tmp_path / "report" / "ecdf.csv").groupby("method")["share"].max()
    assert share["gauss-newton"] > share["random"]


def test_a_score_is_a_page_as_well(fit, tmp_path):
    """Any result, without a search: a figure per metric that it leads with, and a row per condition."""
    result = replace(fit.result, search=None)
    page = write_page(result_page(result, "score.json"), tmp_path)
    assert page.read_text().count("<svg") >= 1
    scores = read_csv(tmp_path / "report" / "scores.csv")
    conditions = dict.fromkeys((one.population, title(one.condition)) for one in result.scores)
    assert list(scores[["population", "condition"]].itertuples(index=False, name=None)) == list(
        conditions
    )
    assert len(read_csv(tmp_path / "report" / "figures.csv")) == len(result.figures)


def test_the_study_of_a_committee_is_a_page(study, tmp_path):
    """Ways, differences, intervals, countries, the checklist."""
    page = study_page(study, "study.json")
    text = write_page(page, tmp_path).read_text()
    assert text.count("<svg") == 2 and "m &lt;x&gt;" in text and "Simulated answers of" in text
    assert "n = 12 distributions of 6 questions that no colour was fitted to" in text
    assert "2 countries carry no claim about others." in text
    ways = read_csv(tmp_path / "report" / "ways.csv")
    assert ways.set_index("name")["kind"].to_dict()["uniform"] == "baseline"
    assert ways["value"].is_monotonic_decreasing
    assert set(read_csv(tmp_path / "report" / "minus-gated-pool.csv")["name"]) == {
        "uniform",
        "own colour",
    }
    with pytest.raises(RunError, match="holds no 'questions'"):
        study_page({"ways": {}, "by_country": {}, "rows": 1}, "study.json")


def test_a_page_keeps_the_digits_of_its_figures_labels():
    """Coordinates are shortened; what people read at an axis is not: 0.001 is no 0."""
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    ax.set_yticks([0.00125, 0.5], ["0.00125", "0.5"])
    text = inline_svg(ax, "f1", "title", "description")
    assert ">0.00125</text>" in text and not re.search(r' [xyd]="[^"]*[.][0-9]{3}', text)


def test_run_plot_returns_axes(compared):
    """On Axes that are handed in, or on its own; a name that is none is told with those that are."""
    from matplotlib.figure import Figure

    from blackbox_align.fitting import Run

    run = Run.load(compared[0] / "random_USA_0")
    ax = Figure().subplots()
    assert run.plot("convergence", ax=ax) is ax
    assert ax.get_xlabel() == "evaluations of one candidate"
    assert len(run.plot().get_yticklabels()) == 6
    with pytest.raises(UnknownNameError, match="convergence"):
        run.plot("convergance")
    assert compared[1].plot("losses").get_xlabel() == "best loss in the end (index points)"


def test_run_answers_are_tidy(compared):
    """One row per condition, item and option; the options of an item sum to 1."""
    from blackbox_align.fitting import Run

    answers = Run.load(compared[0] / "gauss-newton_SAU_0").answers()
    sums = answers.groupby(["condition", "item"])["probability"].sum()
    assert set(answers["condition"]) == {"unprompted", "country_in_text", "fitted"}
    assert np.allclose(sums, 1)
    assert len(sums) == 72


def test_a_format_that_is_none_is_refused(fit, tmp_path):
    """Before anything is written."""
    with pytest.raises(SpecificationError, match="svg, pdf or png"):
        write_page(fit_page(fit), tmp_path, figures=("gif",))
    assert not list(tmp_path.iterdir())


def test_texts_of_a_csv_come_back_as_they_were(tmp_path):
    """Names that look like missing values, commas, quotes, line ends, nothing at all."""
    import pandas as pd

    from blackbox_align.report.page import write_csv

    names = ["NA", "null", "None", 'a "b", c', "two\nlines", "", "<b>", "nan"]
    frame = pd.DataFrame({"name": names, "value": [0.1, np.nan, np.inf, 1e-300, 1 / 3, 5, 6, 7]})
    write_csv(tmp_path / "x.csv", frame)
    back = read_csv(tmp_path / "x.csv")
    assert back["name"].tolist() == names
    assert np.array_equal(back["value"], frame["value"], equal_nan=True)


def test_the_command_reports_a_run_a_folder_and_a_score(
    compared, fit, monkeypatch, capsys, tmp_path
):
    """By folder or by file; the page lies where it belongs, and --out puts it elsewhere."""
    from blackbox_align.cli.report import report_command

    folder, _ = compared
    report_command([str(folder / "random_SAU_0")], None, None, "")
    assert (folder / "random_SAU_0" / "report.html").is_file()
    report_command([str(folder)], tmp_path, None, "")
    assert (tmp_path / "report" / "ecdf.csv").is_file()
    file = tmp_path / "score.json"
    file.write_text(json.dumps({**fit.result.to_dict(), "run": "x", "status": "done"}))
    report_command([str(file)], tmp_path / "score", None, "")
    assert "Report:" in capsys.readouterr().out
