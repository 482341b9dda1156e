"""The contract of :class:`..surveys.instruments.Instrument` as a test class, for ours and for yours.

A whole test file of a questionnaire of one's own::

    from blackbox_align.testing.instruments import InstrumentContract

    class TestMine(InstrumentContract):
        def create(self):
            return MyInstrument(...)

Run it with pytest. The first of the instrument's populations is the one that is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter
from blackbox_align.assessment import Asking, Condition, Resampling, assess
from blackbox_align.engines.function import FunctionEngine
from blackbox_align.populations import Population
from blackbox_align.results import Result
from blackbox_align.surveys.instruments import Instrument
from blackbox_align.surveys.sheet import Sheet


class InstrumentContract:
    """What must hold for every instrument; a subclass makes one in :meth:`create`."""

    def create(self) -> Instrument:
        raise NotImplementedError

    @pytest.fixture
    def instrument(self) -> Instrument:
        return self.create()

    @pytest.fixture
    def people(self, instrument: Instrument) -> Population:
        return instrument.populations[0]

    @pytest.fixture
    def answers(self, instrument: Instrument) -> np.ndarray:
        """(items, options) of a model that has no idea: every option of an item alike."""
        sizes = np.array([len(item.scale) for item in instrument.items])
        offered = np.arange(instrument.survey.width) < sizes[:, None]
        return np.asarray(offered / sizes[:, None])

    def test_shares_are_distributions_of_items_that_are_asked(
        self, instrument: Instrument, people: Population
    ) -> None:
        """What is known of people sums to 1, and is known of nothing that they were not asked."""
        shares, asked = instrument.shares(people), instrument.asked_of(people)
        assert shares.shape == (len(instrument.items), instrument.survey.width)
        assert (np.diff(asked) > 0).all() and asked.max() < len(instrument.items)
        known = ~np.isnan(shares).any(axis=1)
        np.testing.assert_allclose(shares[known].sum(axis=1), 1)
        assert set(np.flatnonzero(known)) <= set(asked.tolist())

    def test_every_metric_has_a_value_a_row(
        self, instrument: Instrument, people: Population, answers: np.ndarray
    ) -> None:
        """Answers and baselines are measured row by row, under the names that the instrument gives."""
        names = {metric.name for metric in instrument.metrics}
        assert instrument.headline and set(instrument.headline) <= names
        rows = len(instrument.rows(people))
        baselines = instrument.baselines(people, answers)
        for measured in (instrument.measure(answers, people), *baselines.values()):
            assert set(measured) == names
            assert {len(values) for values in measured.values()} == {rows}

    def test_indices_have_names_and_published_figures(
        self, instrument: Instrument, people: Population, answers: np.ndarray
    ) -> None:
        """As many points as names, from answers and from people; none where there are no indices."""
        count = len(instrument.index_names)
        assert len(instrument.figures(people)) == len(instrument.indices(answers)) == count

    def test_a_part_knows_of_its_population_what_the_whole_does(
        self, instrument: Instrument, people: Population
    ) -> None:
        """What others answered stays known for the baselines."""
        part = instrument.select([people])
        assert [one.code for one in part.populations] == [people.code]
        assert len(part.asked_of(people)) == len(instrument.asked_of(people))
        whole = instrument.baselines(people)
        for name, measured in part.baselines(people).items():
            for metric, values in measured.items():
                np.testing.assert_allclose(values, whole[name][metric])

    def test_it_is_assessed_and_its_name_stands_in_the_result(
        self, instrument: Instrument, people: Population
    ) -> None:
        """An engine is asked, and what comes back is a result that can be kept and read again."""

        def alike(adapters: Sequence[Adapter], sheet: Sheet) -> np.ndarray:
            shares = np.zeros((len(sheet.questions), sheet.width), np.float32)
            for row, question in zip(shares, sheet.questions, strict=True):
                row[: len(question.labels)] = 1 / len(question.labels)
            return np.stack([shares] * len(adapters))

        result = assess(
            instrument, FunctionEngine(alike), [people], [Condition.plain()], Asking("1", "own"),
            resampling=Resampling(20),
        )  # fmt: skip
        asked = result.provenance.instruments[0]
        assert (asked.name, asked.title, asked.digest) == (
            instrument.name,
            instrument.title,
            instrument.digest,
        )
        assert {figure.instrument for figure in result.figures} == {instrument.name}
        assert result.notes
        text = json.dumps(result.to_dict(), allow_nan=False)
        assert Result.from_dict(json.loads(text)) == result
