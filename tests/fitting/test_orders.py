"""In which orders a fit asks: recorded, averaged everywhere, and no gain by position alone."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.engines import EngineInfo, FunctionEngine
from blackbox_align.engines.base import KINDS
from blackbox_align.engines.checkpoint import DEFAULT_MODEL, packaged_models
from blackbox_align.errors import ChangedSpecificationError, SpecificationError
from blackbox_align.fitting.specification import Specification
from blackbox_align.surveys import item_means, load_survey
from blackbox_align.surveys.sheet import average

VSM = load_survey("vsm2013")
FEW = {"budget": 160, "target_loss": 0.0, "tokens": 1, "optimizer": "cma-diagonal"}


def places(adapters, sheet):
    """Answers by the place of an option alone, which the prompt chooses, item by item otherwise."""
    rows = np.zeros((len(adapters), len(sheet.questions), sheet.width))
    for row, adapter in zip(rows, adapters, strict=True):
        moved = adapter.prompt.vectors.sum(axis=0) if adapter.prompt else np.zeros(4)
        for shares, question in zip(row, sheet.questions, strict=True):
            item = question.text.rpartition("Question: ")[2]
            weight = 0.3 + moved[len(item) % 4]
            shares[:] = np.exp(np.clip(weight, -3, 3) * np.arange(sheet.width) / 2)
            shares /= shares.sum()
    return rows


def unprompted(run):
    return run.result.value("none", "absolute_error_points", "SAU", "all")


@pytest.fixture
def position_alone(monkeypatch):
    """A model with a pure position bias in the place of the one that a fit would load."""
    info = EngineInfo("places", "0", width=4, vocabulary=16,
                      can=frozenset({"answer", "embed", *KINDS}))  # fmt: skip
    monkeypatch.setattr(
        "blackbox_align.fitting.job.open_engine", lambda *_, **__: FunctionEngine(places, info)
    )


def test_a_pure_position_bias_is_fitted_in_one_order_and_not_in_both(tmp_path, position_alone):
    """In one order the table shows a gain; asked in both directions there is none, and it is said."""
    one = bba.fit("SAU", runs=tmp_path / "one", orders="1", **FEW)
    assert one.loss < 0.9 * unprompted(one)
    both = bba.fit("SAU", runs=tmp_path / "both", **FEW)
    assert both.result.provenance.orders == "reversed"
    assert both.loss == pytest.approx(unprompted(both), abs=1e-3)
    for run in (one, both):
        assert any("mostly the place of an option" in note for note in run.result.notes)
        assert run.result.bias is None or run.result.bias < -0.9


def test_what_is_recorded_is_what_the_average_gives(tmp_path, position_alone):
    """The journal holds both directions before anything was averaged; losses and table follow from them."""
    run = bba.fit("SAU", runs=tmp_path, **FEW)
    entry = run.entries()[0]
    assert entry.answers.shape[1] == 2 * len(VSM.items)
    means = item_means(average(entry.answers, VSM, "reversed"), VSM)
    np.testing.assert_allclose(means, 3.0, atol=1e-5)
    assert run.record["facts"]["orders"] == "reversed"
    assert bba.read_expert(run.expert).card.result.provenance.orders == "reversed"


def test_the_orders_are_a_part_of_what_is_continued(tmp_path, position_alone):
    """The same ones by name go on; other ones are another run."""
    bba.fit("SAU", runs=tmp_path, name="r", **FEW)
    bba.fit("SAU", runs=tmp_path, name="r", orders="reversed", **FEW)
    with pytest.raises(ChangedSpecificationError, match="--orders: reversed then, cyclic now"):
        bba.fit("SAU", runs=tmp_path, name="r", orders="cyclic", **FEW)


def test_a_model_is_asked_in_the_one_order_that_its_card_names(tmp_path):
    """Where it was trained in one direction of its scales, that is said under its table."""
    model = shutil.copytree(packaged_models()[DEFAULT_MODEL], tmp_path / "model")
    (model / "README.md").write_text('---\norders: "1"\nplacement: first\n---\n# A card\n')
    run = bba.fit("SAU", model=model, runs=tmp_path, budget=6)
    assert run.record["facts"]["orders"] == run.result.provenance.orders == "1"
    assert any("shown in one order" in note for note in run.result.notes)
    assert run.entries()[0].answers.shape[1] == len(VSM.items)


def test_the_orders_are_named_where_they_are_not_the_default():
    """A run's name says them; what is no name of orders is refused."""
    assert Specification("SAU").name == Specification("SAU", orders="auto").name
    assert Specification("SAU", orders="cyclic").name.endswith("orders-cyclic")
    with pytest.raises(SpecificationError, match="'auto', '1', 'reversed', 'cyclic', 'all'"):
        Specification("SAU", orders="two")
