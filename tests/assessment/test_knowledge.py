"""CulturalBench: Easy, and the rule of Hard on a set worked by hand."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackbox_align.assessment import score
from blackbox_align.errors import DataFileError, UnknownNameError
from blackbox_align.surveys.instruments import Knowledge, question_scores
from blackbox_align.surveys.knowledge import load_knowledge
from tests.assessment.reading import engine
from tests.reference_data import reference

EASY = ["data_idx", "question_idx", "prompt_question", "prompt_option_a", "prompt_option_b",
        "prompt_option_c", "prompt_option_d", "answer", "country"]  # fmt: skip
HARD = ["data_idx", "question_idx", "prompt_question", "prompt_option", "answer", "country"]
# Question 1 has one true option, 2 has two, 3 has a blank ("null") option, 4 an option called None.
HARD_ROWS = [
    (0, 1, "Which drink?", "tea", "True", "Kenya"),
    (1, 1, "Which drink?", "salt", "False", "Kenya"),
    (2, 1, "Which drink?", "sand", "FALSE", "Kenya"),
    (3, 1, "Which drink?", "mud", "0", "Kenya"),
    (4, 2, "Which food?", "rice", "TRUE", "China"),
    (5, 2, "Which food?", "noodles", "1", "China"),
    (6, 2, "Which food?", "stone", "false", "China"),
    (7, 2, "Which food?", "glass", "false", "China"),
    (8, 3, "Which day?", "Monday", "true", "Kenya"),
    (9, 3, "Which day?", "", "false", "Kenya"),
    (10, 3, "Which day?", "Friday", "false", "Kenya"),
    (11, 3, "Which day?", "Sunday", "false", "Kenya"),
    (12, 4, "Which gift?", "None", "true", "China"),
    (13, 4, "Which gift?", "nan", "false", "China"),
    (14, 4, "Which gift?", "a clock", "false", "China"),
    (15, 4, "Which gift?", "a knife", "maybe", "China"),
]


@pytest.fixture
def write(tmp_path):
    def to_file(header, rows):
        with (tmp_path / "bench.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        return tmp_path / "bench.csv"

    return to_file


def says(true_answers, seen=None):
    """Holds those options for true, and everything else for false."""

    def answer(asked):
        if seen is not None:
            seen.setdefault(asked.preamble, set()).add(asked.text.partition("\n")[0])
        wanted = "true" if asked.text.rpartition("given: ")[2] in true_answers else "false"
        return [float(option == wanted) for option in asked.options.values()]

    return engine(answer)


def test_easy_baselines_are_those_of_the_file():
    """On CulturalBench-Easy always A is right in 53.6 %, chance in 25 % of 1,227 questions."""
    table = score(reference("culturalbench/CulturalBench-Easy.csv"), conditions=(), resamples=20)
    assert table.value("always A") == pytest.approx(658 / 1227)
    assert table.value("uniform") == 0.25
    assert {s.n for s in table.scores} == {1227}


def test_easy_counts_by_country():
    """The file's 1,227 questions are about 45 countries, as its README counts them."""
    test = load_knowledge(reference("culturalbench/CulturalBench-Easy.csv"))
    assert (test.report.read, test.report.kept, len(test.countries)) == (1227, 1227, 45)
    counts = {"CHN": 59, "IND": 46, "DEU": 32, "RUS": 30, "SAU": 17, "CAN": 7}
    assert {code: test.countries[code] for code in counts} == counts
    assert np.bincount(test.right()).tolist() == [658, 254, 189, 126]
    assert not {"BOL", "KEN", "ETH"} & test.countries.keys()


def test_hard_is_right_only_if_all_judgements_are(write):
    """One wrong judgement of four loses the question, however many options are true."""
    path = write(HARD, HARD_ROWS)
    perfect = score(path, engine=says({"tea", "rice", "noodles", "Monday", "None"}), resamples=20)
    assert perfect.value("none") == 1
    one_missed = score(path, engine=says({"tea", "rice", "Monday", "None"}), resamples=20)
    assert one_missed.value("none") == 0.75
    judged = one_missed.value("none", "judgement_accuracy")
    assert judged == pytest.approx((1 + 3 / 4 + 1 + 1) / 4)


def test_always_false_is_right_on_judgements_and_on_no_question(write):
    """Always false gets most judgements and no question; chance is 1/16 on four judgements."""
    table = score(write(HARD, HARD_ROWS), conditions=(), resamples=20)
    assert table.value("always false") == table.value("always true") == 0
    judged = table.value("always false", "judgement_accuracy")
    assert judged == pytest.approx((3 / 4 + 2 / 4 + 2 / 3 + 2 / 3) / 4)
    assert table.value("uniform") == pytest.approx((1 / 16 + 1 / 16 + 1 / 8 + 1 / 8) / 4)


def test_null_options_are_left_out_and_counted_and_none_is_an_option(write):
    """A blank option and an answer that is none are reported; "None" and "nan" are words."""
    test = load_knowledge(write(HARD, HARD_ROWS))
    assert test.report.dropped == {
        "the option is blank": ("line 11",),
        "the answer is neither true nor false": ("line 17",),
    }
    assert (test.report.read, test.report.kept, len(test.questions)) == (16, 14, 4)
    texts = [item.text for item in test.survey.items]
    assert "Which gift?\nAnswer given: None" in texts and "Which gift?\nAnswer given: nan" in texts


def test_easy_rows_that_cannot_be_used_are_counted(write):
    """A blank option, an answer outside A..D, an unknown country and a repeated number are told."""
    good = (0, 1, "Which?", "a", "b", "c", "d", "B", "Kenya")
    rows = [
        good,
        (1, 2, "Which?", "a", "", "c", "d", "B", "Kenya"),
        (2, 3, "Which?", "a", "b", "c", "d", "E", "Kenya"),
        (3, 4, "Which?", "a", "b", "c", "d", "A", "Atlantis"),
        (4, 1, "Which?", "a", "b", "c", "d", "A", "Kenya"),
        (5, 5, " ", "a", "b", "c", "d", "A", "Kenya"),
    ]
    test = load_knowledge(write(EASY, rows))
    assert len(test.report.dropped) == 5 and test.report.kept == 1
    assert test.right().tolist() == [1]
    with pytest.raises(DataFileError, match="nothing in it can be used"):
        load_knowledge(write(EASY, rows[1:4]))
    with pytest.raises(DataFileError, match="expected the columns of CulturalBench"):
        load_knowledge(write(["question", "prompt_question"], [(1, 2)]))


def test_countries_are_scored_apart_and_named_in_the_prompt(write):
    """Each country has a row of its own, and a text condition names the question's country."""
    seen = {}
    table = score(
        write(HARD, HARD_ROWS),
        country=["China", "Kenya"],
        conditions=["none", "text:You live in {country}."],
        engine=says({"tea"}, seen),
        resamples=20,
    )
    assert seen["You live in China."] == {"Which food?", "Which gift?"}
    assert seen["You live in Kenya."] == {"Which drink?", "Which day?"}
    assert table.value("none", population="KEN") == 0.5
    assert table.value("none", population="CHN") == 0
    assert table.value("none", population="all") == 0.25
    assert any("rule of three" in note for note in table.notes), "0 of 2 has no width"
    with pytest.raises(UnknownNameError, match="'Bolivia'"):
        score(write(HARD, HARD_ROWS), country="BOL", conditions=())


def test_the_order_of_the_options_is_undone_before_the_answer_is_marked(write):
    """A model that knows the answer is right in every order, one that says A by habit at chance."""
    rows = [(n, n, f"Which {n}?", "w", "x", "y", "z", "ABCD"[n % 4], "Kenya") for n in range(8)]
    test = load_knowledge(write(EASY, rows))
    gold = {item.text: item.scale.options[j.right]
            for item, j in zip(test.survey.items, test.judgements, strict=True)}  # fmt: skip

    knows = engine(lambda asked: [float(o == gold[asked.text]) for o in asked.options.values()])
    habit = engine(lambda asked: [1.0, 0, 0, 0])
    assert score(test, engine=knows, resamples=10).value("none") == 1
    assert score(test, engine=habit, resamples=10).value("none") == 0.25
    assert question_scores(test, np.full((8, 4), 0.25))[:, 0].tolist() == [0.25] * 8


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 13), st.integers(0, 8), st.text(max_size=4)), max_size=6),
)
def test_a_damaged_file_neither_crashes_nor_loses_a_row(write, easy, changes):
    """Whatever stands in the cells, every row is kept or counted, or the file is refused."""
    easy_row = [1, 1, "Which?", "w", "x", "y", "z", "A", "Kenya"]
    source = [easy_row] * 4 if easy else HARD_ROWS[:14]
    rows = [[str(cell) for cell in row] for row in source]
    for line, column, text in changes:
        row = rows[line % len(rows)]
        row[column % len(row)] = text.replace("\x00", "")
    try:
        report = load_knowledge(write(EASY if easy else HARD, rows)).report
    except DataFileError:
        return
    assert report.read == report.kept + sum(map(len, report.dropped.values()))


def test_a_question_that_lost_a_judgement_is_left_out(write):
    """What cannot be asked takes its whole question with it, which would be easier without it."""
    made = Knowledge(load_knowledge(write(HARD, HARD_ROWS)))
    fewer = made.without({made.items[2].id})
    assert len(made.test.questions) == 4 and len(fewer.test.questions) == 3
    assert len(fewer.items) == len(made.items) - 4
