"""Instruments: three kinds of questionnaires under one protocol."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blackbox_align.errors import BlackboxAlignError
from blackbox_align.populations import find_population, load_targets
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.instruments import Indices, instrument_of, load_instrument
from blackbox_align.testing.instruments import InstrumentContract

USA = find_population("USA")


class TestIndices(InstrumentContract):
    def create(self):
        return instrument_of(load_survey("vsm2013"), targets=load_targets())


class TestOpinions(InstrumentContract):
    def create(self):
        return instrument_of(load_instrument("world-opinions"))


class TestKnowledge(InstrumentContract):
    @pytest.fixture(autouse=True)
    def file(self, tmp_path):
        rows = [
            f"{n},{n},Which {n}?,w,x,y,z,{'ABCD'[n % 4]},{'USA' if n < 5 else 'Kenya'}"
            for n in range(8)
        ]
        columns = ",".join(f"prompt_option_{letter}" for letter in "abcd")
        self.path = tmp_path / "easy.csv"
        self.path.write_text(
            f"data_idx,question_idx,prompt_question,{columns},answer,country\n" + "\n".join(rows)
        )

    def create(self):
        return instrument_of(load_instrument(self.path))


@pytest.mark.parametrize("survey", ["vsm2013", "world-opinions"])
def test_who_is_not_in_it_is_refused(survey):
    """A region that nothing is known of, or that others stand for, is an error with a sentence."""
    held = load_instrument(survey)
    targets = load_targets() if survey == "vsm2013" else None
    with pytest.raises(BlackboxAlignError, match=r"Arab countries"):
        instrument_of(held, targets=targets, populations=["X-ARA"])


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
