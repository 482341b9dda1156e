"""Instruments: three kinds of questionnaires under one protocol."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blackbox_align.errors import SpecificationError
from blackbox_align.populations import find_population, load_targets
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.instruments import Indices, instrument_of, load_instrument

KENYA, USA = find_population("KEN"), find_population("USA")


@pytest.fixture(params=["indices", "opinions", "knowledge"])
def instrument(request, tmp_path):
    """One of each kind, with what it knows of the United States."""
    if request.param == "indices":
        return instrument_of(load_survey("vsm2013"), targets=load_targets())
    if request.param == "opinions":
        return instrument_of(load_instrument("world-opinions"))
    path = tmp_path / "easy.csv"
    rows = [
        f"{n},{n},Which {n}?,w,x,y,z,{'ABCD'[n % 4]},{'USA' if n < 5 else 'Kenya'}"
        for n in range(8)
    ]
    columns = ",".join(f"prompt_option_{letter}" for letter in "abcd")
    path.write_text(
        f"data_idx,question_idx,prompt_question,{columns},answer,country\n" + "\n".join(rows)
    )
    return instrument_of(load_instrument(path))


def test_every_kind_keeps_to_the_protocol(instrument):
    """Shapes, rows and metrics are as the protocol says, under answers and under every baseline."""
    items, width = len(instrument.items), instrument.survey.width
    answers = np.full((items, width), 1 / width)
    asked = instrument.asked_of(USA)
    assert (np.diff(asked) > 0).all() and asked.max() < items
    shares = instrument.shares(USA)
    assert shares.shape == (items, width)
    known = ~np.isnan(shares).any(1)
    np.testing.assert_allclose(shares[known].sum(1), 1)
    assert set(np.flatnonzero(known)) <= set(asked)
    names = {metric.name for metric in instrument.metrics}
    assert set(instrument.headline) <= names
    rows = len(instrument.rows(USA))
    for measured in (
        instrument.measure(answers, USA),
        *instrument.baselines(USA, answers).values(),
    ):
        assert set(measured) == names and {len(values) for values in measured.values()} == {rows}
    assert (
        len(instrument.figures(USA))
        == len(instrument.indices(answers))
        == len(instrument.index_names)
    )
    assert USA in instrument.populations and instrument.notes([USA])
    told = instrument.asked()
    assert (told.name, told.digest, told.items) == (instrument.name, instrument.digest, items)


def test_a_part_is_asked_of_some_populations_alone(instrument):
    """What is left is what belongs to them, and what is known of others stays known for baselines."""
    part = instrument.select([USA])
    assert [p.code for p in part.populations] == ["USA"]
    assert len(part.asked_of(USA)) == len(instrument.asked_of(USA))
    for name, measured in part.baselines(USA).items():
        for metric, values in instrument.baselines(USA)[name].items():
            np.testing.assert_allclose(measured[metric], values)
    with pytest.raises((SpecificationError, LookupError)):
        instrument.select([find_population("X-ARA")])


def test_constants_shift_every_index_alike_whoever_it_is_compared_with():
    """A value that is handed in: one shift per index, for all answers and populations."""
    survey, targets = load_survey("vsm2013"), load_targets()
    raw = Indices(survey, targets)
    shifted = replace(raw, constants=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0), policy="given:file")
    answers = np.random.default_rng(0).dirichlet(np.ones(5), size=24)
    np.testing.assert_allclose(shifted.indices(answers) - raw.indices(answers), [1, 2, 3, 4, 5, 6])
    expected = np.abs(shifted.indices(answers) - targets.target("USA", raw.index_names))
    np.testing.assert_allclose(shifted.measure(answers, USA)["absolute_error_points"], expected)
    assert shifted.asked().constants["IDV"] == 2.0 and "given:file" in shifted.notes([USA])[0]


def test_the_digest_tells_what_people_answered_and_not_where_the_file_lies(tmp_path):
    """A copy elsewhere is the same instrument; another share is another."""
    text = "item,question,option,country,share\nq,How?,a,Kenya,0.4\nq,How?,b,Kenya,0.6"
    for name, content in (
        ("one", text),
        ("two", text),
        ("three", text.replace("0.4", "0.41").replace("0.6", "0.59")),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "opinions.csv").write_text(content)
    one, two, three = (
        instrument_of(load_instrument(tmp_path / name / "opinions.csv")).digest
        for name in ("one", "two", "three")
    )
    assert one == two != three
