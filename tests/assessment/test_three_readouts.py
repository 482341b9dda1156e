"""Three ways to read an answer, a second wording, and whether a model knows the instrument by heart."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from blackbox_align.assessment import score
from blackbox_align.assessment.readouts import option_in, shares_in
from blackbox_align.assessment.recite import recite
from blackbox_align.assessment.wording import SECOND, reworded
from blackbox_align.engines import FunctionEngine
from blackbox_align.errors import SpecificationError
from blackbox_align.populations import load_targets
from blackbox_align.surveys import load_survey
from tests.assessment.reading import engine

KENYA = (0.7, 0.2, 0.1)


@pytest.fixture
def survey_file(tmp_path):
    """Twelve questions that Kenyans answered alike."""
    rows = [
        f"q{n},How about {n}?,{option},Kenya,{share}"
        for n in range(12)
        for option, share in zip(("low", "mid", "high"), KENYA, strict=True)
    ]
    path = tmp_path / "survey.csv"
    path.write_text("item,question,option,country,share\n" + "\n".join(rows))
    return path


class Writing(FunctionEngine):
    """An engine whose texts are those of ``write``, a function of the prompt and the adapter's text."""

    def __init__(self, answering, write):
        super().__init__(answering.function, answering.info)
        object.__setattr__(self, "write", write)

    def submit(self, request):
        prompt = (
            request.prompt if isinstance(request.prompt, str) else request.prompt[-1]["content"]
        )
        adapter = request.voices[0][0]
        text = self.write(prompt, adapter.text, request.sampling.seed)
        return SimpleNamespace(result=lambda: SimpleNamespace(text=text))


def by_option(asked):
    """First tokens: even un-prompted, and Kenya's own where it is named."""
    shares = dict(zip(("low", "mid", "high"), KENYA, strict=True))
    return [shares[o] if "Kenya" in asked.preamble else 1 / 3 for o in asked.options.values()]


def label_of(prompt, option):
    """What ``option`` is called in a question."""
    line = prompt.splitlines()[1]
    return line[: line.index(f" = {option}")].split(", ")[-1]


def test_an_option_is_found_by_its_label_or_its_words():
    """A label as a word of its own first, else the one option that is named."""
    labels, options = ("A", "B", "C"), ("low", "mid", "high")
    assert option_in(" B. I think", labels, options) == 1
    assert option_in("Answer: C", labels, options) == 2
    assert option_in("it is high", labels, options) == 2
    assert option_in("low or high", labels, options) is None
    assert option_in("Brazil", labels, options) is None


def test_shares_in_words_need_every_option_and_are_scaled():
    """Labels or words, percents that come to about 100; else nothing was said."""
    labels, options = ("A", "B"), ("yes", "no")
    np.testing.assert_allclose(shares_in("A: 60%\nB: 20%", labels, options), [0.75, 0.25])
    np.testing.assert_allclose(shares_in("yes - about 30 %, no 70%", labels, options), [0.3, 0.7])
    assert shares_in("A: 60%", labels, options) is None
    assert shares_in("A: 900% B: 10%", labels, options) is None


def test_a_gain_in_one_readout_only_is_marked(survey_file):
    """By first tokens Kenya's name helps; written answers stay as they are; shares are never said."""
    write = Writing(
        engine(by_option),
        lambda prompt, text, seed: label_of(prompt, ("low", "mid", "high")[seed % 3]),
    )
    result = score(survey_file, conditions=["none", "text:You live in {country}."], engine=write,
                   readouts=True, resamples=100)  # fmt: skip
    (marked,) = [note for note in result.notes if note.startswith("MARKED: what 'text:You live")]
    assert "for Kenya is there by the first token only" in marked
    named = "text:You live in {country}."
    even = float(sum((1 / 3 - q) ** 2 for q in KENYA))
    assert result.value("none", "squared_error, first token", "KEN") == pytest.approx(even)
    assert result.value(named, "squared_error, first token", "KEN") == pytest.approx(0, abs=1e-9)
    assert result.value("none", "squared_error, written answer", "KEN") == pytest.approx(
        even, abs=0.03
    )
    (words,) = result.select(condition="none", metric="squared_error, shares in words")
    assert words.n == 0 and len(result.checklist.readout.split(", ")) == 3


def test_a_gain_in_all_readouts_is_not_marked(survey_file):
    """Written answers and shares in words follow the name as well."""

    def write(prompt, text, seed):
        shares = KENYA if "Kenya" in text else (1 / 3, 1 / 3, 1 / 3)
        if "percent" in prompt:
            return "\n".join(
                f"{label_of(prompt, o)}: {100 * s:.1f}%"
                for o, s in zip(("low", "mid", "high"), shares, strict=True)
            )
        place = np.searchsorted(np.cumsum(shares), (seed % 10 + 0.5) / 10)
        return f" {label_of(prompt, ('low', 'mid', 'high')[int(place)])}"

    result = score(survey_file, conditions=["none", "text:You live in {country}."],
                   engine=Writing(engine(by_option), write), readouts=True, resamples=100)  # fmt: skip
    assert "MARKED" not in "\n".join(result.notes)
    named = "text:You live in {country}."
    assert result.value(named, "squared_error, shares in words", "KEN") == pytest.approx(
        0, abs=1e-5
    )
    assert result.value(named, "squared_error, written answer", "KEN") < 0.05


def test_a_second_wording_stands_in_a_column_of_its_own(survey_file):
    """An engine that answers by the instruction alone: the first column is wrong, the second right."""

    def answer(asked):
        shares = dict(zip(("low", "mid", "high"), KENYA, strict=True))
        second = asked.instruction.startswith("First the possible replies")
        return [shares[o] if second else 1 / 3 for o in asked.options.values()]

    result = score(
        survey_file, conditions=["none"], engine=engine(answer), wordings=2, resamples=50
    )
    name = "one_minus_js_distance_nats"
    assert result.value("none", name + SECOND, "KEN") == pytest.approx(1)
    assert result.value("none", name, "KEN") < 0.9
    assert result.headline == (name, name + SECOND) and result.provenance.wordings == 2
    with pytest.raises(SpecificationError, match="1 or 2 wordings"):
        score(survey_file, conditions=["none"], engine=engine(answer), wordings=3)


def test_the_second_wording_keeps_what_to_answer_with():
    """The last sentence says what to reply with; items and scales stay."""
    survey = load_survey("vsm2013")
    other = reworded(survey)
    assert other.instruction != survey.instruction and other.items == survey.items
    assert other.instruction.endswith(survey.instruction.split(". ")[-1])


def test_a_model_that_knows_all_by_heart_is_told_from_one_that_knows_nothing():
    """One goes on as the survey, its key and the figures do; the other says nothing of use."""
    survey, targets = load_survey("vsm2013"), load_targets()

    def knows(prompt, text, seed):
        for item in survey.items:
            begun = prompt.partition("\nQuestion: ")[2]
            if begun and item.text.startswith(begun):
                return " " + item.text[len(begun) :]
        for index in survey.indices:
            if f". {index.title} =" in prompt:
                return list(index.weights)[-1]
            for code in targets.codes:
                from blackbox_align.populations import countries

                if f"({index.name}), {countries()[code].name}:" in prompt:
                    return f" {targets.target(code, [index.name])[0]:.0f}\n"
        return ""

    blank = engine(lambda asked: [1.0])
    scholar = recite(Writing(blank, knows), survey, targets)
    assert scholar.knows and scholar.items >= 4 and scholar.of_items == 8  # some begin alike
    assert scholar.rules == scholar.of_rules == 6 and scholar.figures == scholar.of_figures > 20
    assert "It knows the instrument" in scholar.describe()
    novice = recite(Writing(blank, lambda *asked: " well, it depends"), survey, targets)
    assert not novice.knows and (novice.items, novice.rules, novice.figures) == (0, 0, 0)
    assert not replace(novice, of_rules=0, of_figures=0).knows
