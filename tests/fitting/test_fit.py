from __future__ import annotations

import shutil

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.errors import (
    ChangedSpecificationError,
    ModelError,
    OptimizerError,
    RunError,
    SpecificationError,
)
from blackbox_align.files.atomic import read_sealed_json, write_sealed_json
from blackbox_align.fitting.keeping import difference, matching
from blackbox_align.fitting.looking import repeat
from blackbox_align.fitting.searcher import offered_to
from blackbox_align.optimizers import Candidate
from blackbox_align.optimizers.gauss_newton import GaussNewton
from blackbox_align.optimizers.probe import Probe
from tests.small_models import save_small_model

QUICK = {"optimizer": "cma-diagonal", "budget": 60, "target_loss": 0.0}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A short fit on the embedded model."""
    return bba.fit("Saudi Arabia", runs=tmp_path_factory.mktemp("runs"), **QUICK)


def test_a_fit_leaves_a_run_with_table_history_expert_and_result(finished):
    """What a fit found can be read back as pandas tables, with the loss that the table shows."""
    table, history = finished.table(), finished.history()
    assert list(table.index) == ["PDI", "IDV", "MAS", "UAI", "LTO", "IVR"]
    assert list(table.columns) == ["target", "unprompted", "country_in_text", "fitted", "error"]
    np.testing.assert_allclose(table["fitted"] - table["target"], table["error"])
    assert finished.loss == pytest.approx(table["error"].abs().mean())
    assert len(history) == 60 and history["best"].is_monotonic_decreasing
    assert history["round"].iloc[-1] == len(finished.entries()) < 60  # a batch is one round
    assert finished.record["facts"]["tokens"] > 24 * 5
    assert finished.loss == pytest.approx(history["best"].iloc[-1], abs=1e-3)
    assert finished.loss < finished.result.value("none")
    assert finished.status == "done" and bba.Run.load(finished.path).loss == finished.loss
    assert bba.read_expert(finished.expert).country == "SAU"


def test_where_answers_are_exact_the_best_prompt_is_kept(tmp_path, monkeypatch):
    """What the search recommends instead counts only where answers are drawn, and luck plays a part."""
    start = lambda search: Candidate(0, np.zeros(search.dimension))  # noqa: E731
    monkeypatch.setattr(GaussNewton, "recommend", start)
    exact = bba.fit("CHN", runs=tmp_path / "exact", budget=24, target_loss=0.0)
    assert exact.loss == pytest.approx(exact.history()["best"].iloc[-1], abs=1e-3)
    drawn = bba.fit(
        "CHN", runs=tmp_path, budget=24, target_loss=0.0, readout="sampled", init="zeros"
    )
    assert not bba.read_expert(drawn.expert).soft_prompt().any()


def test_the_anchor_puts_the_unprompted_model_on_the_mean_of_the_targets(finished):
    """Under the default constants the un-prompted indices are the target set's means."""
    targets = bba.load_targets()
    names = list(finished.table().index)
    np.testing.assert_allclose(finished.table()["unprompted"], targets.mean(names), atol=1e-9)


def test_likeliest_answers_are_placed_by_likeliest_answers(tmp_path):
    """Where the readout is greedy, the un-prompted model is put on the means by that readout."""
    run = bba.fit("SAU", runs=tmp_path, readout="greedy", optimizer="random", budget=1)
    means = bba.load_targets().mean(list(run.table().index))
    np.testing.assert_allclose(run.table()["unprompted"], means, atol=1e-9)


def test_the_same_seed_gives_the_same_bits_and_another_seed_other_ones(finished, tmp_path):
    """A run is a function of its settings: journal, prompt and result are equal byte for byte."""
    again = bba.fit("SAU", runs=tmp_path, **QUICK)
    for file in ("journal.jsonl", "result.json", "expert/adapter_model.safetensors"):
        assert (again.path / file).read_bytes() == (finished.path / file).read_bytes()
    other = bba.fit("SAU", runs=tmp_path, seed=1, **QUICK)
    assert (other.path / "journal.jsonl").read_bytes() != (
        again.path / "journal.jsonl"
    ).read_bytes()


def test_a_finished_run_is_not_searched_again(finished):
    """The same call on a finished run evaluates nothing and changes no file."""
    before = {p: p.stat().st_mtime_ns for p in finished.path.rglob("*") if p.name != "lock"}
    calls = []
    again = bba.fit("SAU", runs=finished.path.parent, on_progress=calls.append, **QUICK)
    assert again.loss == finished.loss and calls == []
    assert {p: p.stat().st_mtime_ns for p in again.path.rglob("*") if p.name != "lock"} == before


def test_a_larger_budget_continues_where_the_run_stopped(tmp_path):
    """More budget adds to the journal; what was evaluated before is replayed, not asked again."""
    first = bba.fit("USA", runs=tmp_path, **{**QUICK, "budget": 38})
    lines = (first.path / "journal.jsonl").read_bytes()
    seen = []
    second = bba.fit("USA", runs=tmp_path, on_progress=seen.append, **QUICK)
    assert (second.path / "journal.jsonl").read_bytes().startswith(lines)
    assert len(second.history()) == 60
    assert seen[-1].replayed == 38 and seen[-1].evaluations == 60


def test_a_run_with_other_settings_is_refused_with_the_difference(finished):
    """A changed setting names what it was and what it is now, and the run stays as it is."""
    settings = {**QUICK, "name": finished.path.name, "tokens": 3}
    with pytest.raises(ChangedSpecificationError, match=r"\(--tokens: 5 then, 3 now\).*--name"):
        bba.fit("SAU", runs=finished.path.parent, **settings)
    assert bba.Run.load(finished.path).status == "done"


def test_a_changed_file_under_the_same_name_is_refused(tmp_path):
    """Targets that changed between two calls are noticed by their hash."""
    targets = tmp_path / "mine.csv"
    targets.write_text("country,PDI,IDV\nChile,63,23\nPeru,64,16\n")
    arguments = {
        "runs": tmp_path,
        "targets": str(targets),
        "optimizer": "random",
        "target_loss": 0.0,
    }
    bba.fit("Chile", budget=16, **arguments)
    targets.write_text("country,PDI,IDV\nChile,63,24\nPeru,64,16\n")
    with pytest.raises(
        ChangedSpecificationError, match=r"--targets: what .*mine\.csv holds has changed"
    ):
        bba.fit("Chile", budget=32, **arguments)


def test_missing_figures_are_left_out_and_named(tmp_path):
    """Kenya has no LTO and no IVR: they stand in the table without target and error."""
    run = bba.fit("KEN", runs=tmp_path, optimizer="random", budget=16)
    table = run.table()
    note = "No figure is published for Kenya LTO, IVR: left out of the error."
    assert note in run.result.notes
    assert table.loc[["LTO", "IVR"], ["target", "error"]].isna().all().all()
    assert run.loss == pytest.approx(table["error"].abs()[:4].mean())


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ({"budget": 16}, "the budget of 16 evaluations is spent"),
        ({"target_loss": 500.0}, "the error reached 500"),
        ({"patience": 1, "budget": 200}, "no improvement in"),
        ({"seconds": 1e-9}, "1e-09 seconds have passed"),
    ],
)
def test_every_end_of_a_search_is_named(stop, reason, tmp_path):
    """The result says which of the limits ended the search."""
    run = bba.fit("CHN", runs=tmp_path, **{"optimizer": "random", "target_loss": 0.0, **stop})
    assert reason in run.result.search.reason


@pytest.mark.parametrize("optimizer", ["random", "de", "cma", "cma-diagonal"])
@pytest.mark.parametrize("subspace", [0, 50])
def test_every_optimizer_searches_every_space(optimizer, subspace, tmp_path):
    """Each pair runs within its budget, to the evaluation, and keeps the best it saw."""
    run = bba.fit("IND", runs=tmp_path, optimizer=optimizer, subspace=subspace, budget=45)
    assert len(run.history()) == run.result.search.evaluations == 45
    assert run.loss == pytest.approx(run.history()["loss"].min(), abs=1e-3)


@pytest.mark.parametrize("init", ["vocabulary", "text:a person who lives by the rules"])
def test_a_search_may_start_from_words(init, tmp_path):
    """Starting from words moves the answers away from the un-prompted ones at once."""
    run = bba.fit("IND", runs=tmp_path, init=init, optimizer="random", alpha=1e-6, budget=2)
    table = run.table()
    assert (table["fitted"] - table["unprompted"]).abs().max() > 0.1


@pytest.mark.parametrize("constants", ["zero", "anchor:USA"])
def test_constants_shift_all_conditions_alike(constants, tmp_path, finished):
    """Another policy moves every column but the target by the same points per index."""
    run = bba.fit("SAU", runs=tmp_path, constants=constants, optimizer="random", budget=1)
    shift = run.table()["unprompted"] - finished.table()["unprompted"]
    np.testing.assert_allclose(
        run.table()["country_in_text"] - finished.table()["country_in_text"], shift, atol=1e-9
    )
    if constants == "anchor:USA":
        named = bba.fit("USA", runs=tmp_path, constants=constants, optimizer="random", budget=1)
        np.testing.assert_allclose(named.table()["country_in_text"], named.table()["target"])


def test_sampled_answers_are_drawn_from_the_seed(tmp_path):
    """Sampling respondents makes losses noisy, yet the same seed draws the same answers."""
    settings = {"readout": "sampled", "optimizer": "random", "budget": 32, "target_loss": 0.0}
    one = bba.fit("SAU", runs=tmp_path / "a", **settings)
    two = bba.fit("SAU", runs=tmp_path / "b", **settings)
    exact = bba.fit("SAU", runs=tmp_path / "c", **{**settings, "readout": "expected"})
    assert one.history().equals(two.history())
    assert (one.history()["loss"] - exact.history()["loss"]).abs().max() > 0.5


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"tokens": 0}, "1 token or more; not 0"),
        ({"budget": 0}, "budget must be 1 evaluation or more; not 0"),
        ({"init": "ones"}, "'zeros', 'vocabulary' or 'text:SOME TEXT'; not 'ones'"),
        ({"readout": "mode"}, "must be one of 'expected', 'greedy', 'sampled'; not 'mode'"),
        ({"constants": "mine"}, "must be one of 'anchor'"),
        ({"subspace": -1}, "0 \\(full\\) or more dimensions; not -1"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"patience": 0}, "patience must be 1 or more; not 0"),
        ({"seconds": 0.0}, "above 0 seconds; not 0"),
    ],
)
def test_settings_out_of_range_are_refused_in_a_sentence(settings, sentence, tmp_path):
    """The value seen and what was expected stand in the message."""
    with pytest.raises(SpecificationError, match=sentence):
        bba.fit("SAU", runs=tmp_path, **settings)


def test_a_model_that_answers_nan_is_refused(tmp_path):
    """Broken weights give one sentence that names the model, before any search."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = save_small_model("llama", tmp_path / "broken")
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[0, 0] = float("nan")
    model.save_pretrained(folder)
    with pytest.raises(ModelError, match="not finite"):
        bba.fit("SAU", runs=tmp_path, model=str(folder), optimizer="random", budget=16)


def test_a_run_whose_prompts_all_fail_stops_resumable(tmp_path):
    """Prompts that overflow are failures; after three such batches the run says so."""
    huge = {"alpha": 1e45, "optimizer": "random", "budget": 100}
    for _ in range(2):  # the second time it goes on from the journal, and comes to the same end
        with pytest.raises(RunError, match="The last 3 batches all failed"):
            bba.fit("SAU", runs=tmp_path, **huge)
    (run,) = bba.find_runs(tmp_path)
    assert run.status == "failed" and run.history()["loss"].isna().all()
    assert len(run.history()) == 96
    with pytest.raises(RunError, match="no result yet"):
        run.table()


def test_a_folder_with_something_else_in_it_is_not_taken(tmp_path):
    """A run never moves into a folder that is not its own."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not lose")
    with pytest.raises(RunError, match="not empty and not a run"):
        bba.fit("SAU", runs=tmp_path, name="mine", **QUICK)


def test_several_countries_share_one_search_and_each_gets_its_expert(tmp_path):
    """Every evaluation serves all countries; each ends with a table and an expert of its own."""
    codes = ["SAU", "USA", "IND", "JPN"]
    run = bba.fit(codes, runs=tmp_path, target_loss=3.0)
    summary = run.summary()
    assert list(summary.index) == codes and (summary["fitted"] <= 3.01).all()
    assert (
        all(run.result.search.reached.values())
        and "the error reached 3" in run.result.search.reason
    )
    alone = sum(
        bba.fit(code, runs=tmp_path, target_loss=3.0).result.search.evaluations for code in codes
    )
    assert run.result.search.evaluations < alone
    for code in codes:
        expert = bba.read_expert(run.expert_of(code))
        assert expert.country == code
        error = run.table(code)["error"].abs().mean()
        assert error == pytest.approx(summary.loc[code, "fitted"])
    with pytest.raises(RunError, match="holds SAU, USA, IND, JPN: name one"):
        run.table()


def test_a_group_is_the_countries_with_complete_figures():
    """`all` and continents stand for the countries whose six figures are all published."""
    from blackbox_align.fitting import Specification

    targets = bba.load_targets()
    everyone = Specification("all").countries(targets.complete())
    asia = Specification("asia").countries(targets.complete())
    assert len(everyone) == 96 and set(asia) < set(everyone)
    assert "SAU" in {c.code for c in asia} and "KEN" not in {c.code for c in everyone}
    assert Specification(["saudi arabia", "US"]).country == "SAU+USA"


def test_several_countries_need_the_search_that_shares(tmp_path):
    """Another optimizer is refused with the reason, before a model is loaded."""
    with pytest.raises(SpecificationError, match="'de' fits one country at a time"):
        bba.fit(["SAU", "USA"], runs=tmp_path, optimizer="de")


def test_a_search_starts_from_the_evaluations_of_an_earlier_one(tmp_path):
    """From the archive of another country's run the target is reached in fewer evaluations."""
    earlier = bba.fit("USA", runs=tmp_path)
    cold = bba.fit("GBR", runs=tmp_path, name="cold", target_loss=1.0)
    warm = bba.fit("GBR", runs=tmp_path, target_loss=1.0, warm_start=str(earlier.path))
    assert warm.loss <= 1.01
    assert warm.result.search.evaluations < cold.result.search.evaluations
    measured = Probe(**earlier.record["facts"]["probe"])
    assert warm.record["facts"]["options"]["spread"] == measured.spread, "it makes no probe itself"
    assert measured.near and warm.record["facts"]["examples"] == earlier.record["facts"]["examples"]
    assert offered_to({"starts": 12}, None) == {"starts": 12, "examples": 0}, "of a run of before"
    again = bba.fit(
        "GBR", runs=tmp_path, name="again", target_loss=1.0, warm_start=str(earlier.path)
    )
    assert (again.path / "journal.jsonl").read_bytes() == (warm.path / "journal.jsonl").read_bytes()
    smaller = bba.fit(
        "USA", runs=tmp_path, name="alpha", alpha=0.5, budget=1, warm_start=str(earlier.path)
    )
    assert smaller.loss == pytest.approx(earlier.loss, abs=1e-3), "the same prompt by other steps"
    with pytest.raises(SpecificationError, match=r"searched other prompts \(other --tokens\)"):
        bba.fit("GBR", runs=tmp_path, name="x", tokens=3, warm_start=str(earlier.path))
    with pytest.raises(OptimizerError, match="cma cannot start from earlier evaluations"):
        bba.fit("GBR", runs=tmp_path, name="y", optimizer="cma", warm_start=str(earlier.path))


def test_a_group_without_complete_figures_is_refused(tmp_path):
    """A continent of which the target set has no complete row gets a sentence, not an empty run."""
    targets = tmp_path / "mine.csv"
    targets.write_text("country,PDI,IDV,MAS,UAI,LTO,IVR\nChile,63,23,28,86,31,68\nPeru,64,16,,,,\n")
    with pytest.raises(SpecificationError, match="No country of 'Asia' has complete figures"):
        bba.fit("asia", runs=tmp_path, targets=str(targets))


def test_a_shared_search_is_not_continued_to_another_target(tmp_path):
    """Which countries are done shapes a shared search, so another target loss is another search."""
    bba.fit(["SAU", "IND"], runs=tmp_path, target_loss=3.0, budget=24)
    with pytest.raises(ChangedSpecificationError, match=r"--target-loss: 3 then, 1 now"):
        bba.fit(["SAU", "IND"], runs=tmp_path, target_loss=1.0, budget=48)


def test_another_country_s_curve_is_read_from_the_record(finished):
    """What was answered serves any country: its losses are those of a fit of it to these answers."""
    own, other = finished.history("SAU"), finished.history("Germany")
    np.testing.assert_allclose(own["loss"], finished.history()["loss"])
    assert len(other) == 60 and not np.allclose(other["loss"], own["loss"])


def test_targets_may_be_a_table(tmp_path):
    """A pandas table with a row per country is what a file with these rows would be."""
    import pandas as pd

    frame = pd.DataFrame({"PDI": [63, 64], "IDV": [23, 16]}, index=["Chile", "Peru"])
    settings = {"runs": tmp_path, "optimizer": "random", "budget": 16}
    run = bba.fit("Chile", targets=frame, **settings)
    (tmp_path / "mine.csv").write_text("country,PDI,IDV\nChile,63,23\nPeru,64,16\n")
    file = bba.fit("Chile", targets=tmp_path / "mine.csv", **settings)
    assert run.loss == file.loss and run.path != file.path
    assert (
        bba.fit("Chile", targets=frame.rename_axis("country").reset_index(), **settings).path
        == run.path
    )
    assert len(run.history("Peru")) == 16
    with pytest.raises(SpecificationError, match="a name, a file or a pandas table; not int"):
        bba.fit("Chile", targets=3, **settings)


def test_a_notebook_shows_the_table_of_a_run(finished, tmp_path):
    """Its table, or how it stands; names are text, never markup."""
    assert "<table" in finished._repr_html_() and "country_in_text" in finished._repr_html_()
    empty = bba.Run(tmp_path / "<b>")._repr_html_()
    assert "&lt;b&gt;" in empty and "has no result yet" in empty and "<b></b>" not in empty


def test_a_fit_tells_where_labels_are_not_what_a_model_would_say(tmp_path):
    """Random weights give five labels next to nothing of the next token; the embedded model all of it."""
    folder = save_small_model("llama", tmp_path / "llama")
    settings = {"runs": tmp_path / "runs", "optimizer": "random", "budget": 2}
    told = [
        any("labels of the options have less than" in note for note in run.result.notes)
        for run in (bba.fit("SAU", model=str(folder), **settings), bba.fit("SAU", **settings))
    ]
    assert told == [True, False]


def test_one_objective_has_no_front(finished):
    """What lies on no other's bad side is listed for several objectives only."""
    assert finished.result.search.fronts == {}


def test_the_commands_that_repeat_a_run_say_what_is_no_default(finished):
    """As a line for a shell and as a call of Python."""
    line, call = repeat(finished)
    assert (
        line == "bbalign fit --optimizer cma-diagonal --country SAU --budget 60 --target-loss 0.0"
    )
    assert call == (
        "blackbox_align.fit(optimizer='cma-diagonal', country='SAU', budget=60, target_loss=0.0)"
    )


def test_runs_are_found_by_numbers_however_they_are_written(finished):
    """5.0 is 5; a word is no number, and what another has is not this one's."""
    asked = lambda **where: len(matching([finished], where))  # noqa: E731
    assert asked(tokens="5.0") == asked(seed="0") == asked(optimizer="CMA-diagonal") == 1
    assert asked(tokens="4") == asked(seed="none") == asked(optimizer="de") == 0


def test_the_conditions_of_two_runs_are_held_against_each_other(finished, tmp_path):
    """How many evaluations each had by then is none of them."""
    other = tmp_path / "other"
    shutil.copytree(finished.path, other)
    record = read_sealed_json(other / "run.json")
    record["conditions"][-1] |= {"threads": 99, "evaluations": 17}
    write_sealed_json(other / "run.json", record)
    differing = {name: after for name, _, after in difference(finished, bba.Run.load(other)).facts}
    assert differing == {"threads": 99}
