"""Asking in batches and in several orders of the options."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from blackbox_align.assessment.asking import (
    ask,
    count_questions,
    describe_orders,
    option_orders,
)
from blackbox_align.assessment.model_evaluator import ModelEvaluator
from blackbox_align.engines import FunctionEvaluator
from blackbox_align.engines.checkpoint import find_model
from blackbox_align.errors import ModelError, SpecificationError
from blackbox_align.surveys import Item, Scale, Survey
from tests.small_models import save_small_model

NOTHING = np.zeros((0, 1), np.float32)


def item(name: str, *options: str, text: str = "Which one?") -> Item:
    labels = tuple("ABCDEFG"[: len(options)])
    codes = tuple(float(n) for n in range(1, len(options) + 1))
    return Item(name, text, Scale("", labels, options, codes))


def survey_of(*items: Item) -> Survey:
    return Survey("hand", "Hand", 1, "Answer with one letter.", items)


def biased(soft_prompts, survey):
    """Likes the option by its text and its place: what it says depends on the order."""
    answers = np.zeros((len(soft_prompts), len(survey.items), survey.width))
    for row, asked in zip(answers[0], survey.items, strict=True):
        for place, option in enumerate(asked.scale.options):
            row[place] = (1 + sum(map(ord, option)) % 7) * (3.0 if place == 0 else 1 + 0.1 * place)
        row /= row.sum()
    return answers


EVALUATOR = FunctionEvaluator(biased)
OPTIONS = ("tea", "coffee", "water", "juice")


def test_orders_are_the_plain_one_all_rotations_or_all_permutations():
    """Every order is a permutation; beyond five options 'all' is every rotation, and says so."""
    assert option_orders(3, "1") == [(0, 1, 2)]
    assert option_orders(3, "cyclic") == [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
    assert sorted(option_orders(4, "all")) == sorted(permutations(range(4)))
    assert option_orders(6, "all") == option_orders(6, "cyclic")
    with pytest.raises(SpecificationError, match="'1', 'cyclic', 'all'; not 'some'"):
        option_orders(3, "some")
    survey = survey_of(item("a", *OPTIONS), item("b", *"uvwxyz"))
    for orders, count in (("1", 2), ("cyclic", 10), ("all", 30)):
        assert count_questions(survey, orders) == count
    assert "1 items with more than five" in describe_orders(survey, "all")


@pytest.mark.parametrize("order", list(permutations(range(4)))[1::5])
def test_the_average_over_all_orders_does_not_depend_on_the_order_of_the_file(order):
    """An item whose options stand in another order gets exactly the same answers, to the last bit."""
    plain = ask(EVALUATOR, survey_of(item("a", *OPTIONS)), NOTHING, orders="all")
    shuffled = [OPTIONS[n] for n in order]
    other = ask(EVALUATOR, survey_of(item("a", *shuffled)), NOTHING, orders="all")
    np.testing.assert_array_equal(other[0], plain[0][list(order)])


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_the_average_over_rotations_does_not_depend_on_where_the_list_begins(shift):
    """Rotating the options of an item rotates its answers, exactly."""
    plain = ask(EVALUATOR, survey_of(item("a", *OPTIONS)), NOTHING, orders="cyclic")
    rotated = survey_of(item("a", *OPTIONS[shift:], *OPTIONS[:shift]))
    other = ask(EVALUATOR, rotated, NOTHING, orders="cyclic")
    np.testing.assert_array_equal(other[0], np.roll(plain[0], -shift))


def test_a_respondent_who_looks_at_places_only_becomes_uniform():
    """What is pure liking for a place averages out."""
    first = FunctionEvaluator(
        lambda prompts, survey: np.tile(np.eye(survey.width)[0], (1, len(survey.items), 1))
    )
    survey = survey_of(item("a", *OPTIONS))
    np.testing.assert_allclose(ask(first, survey, NOTHING, orders="cyclic")[0], 0.25)
    np.testing.assert_allclose(ask(first, survey, NOTHING, orders="1")[0], [1, 0, 0, 0])


def test_items_of_different_widths_keep_their_places_in_any_batch():
    """Rows belong to their items, with zeros behind the options, whatever is asked together."""
    sizes = (2, 5, 3, 2, 4, 3)
    items = [item(f"i{n}", *(f"o{n}{k}" for k in range(s))) for n, s in enumerate(sizes)]
    survey = survey_of(*items)
    whole = ask(EVALUATOR, survey, NOTHING, batch=1000)
    for size, row, asked in zip(sizes, whole, items, strict=True):
        np.testing.assert_allclose(row.sum(), 1)
        assert (row[size:] == 0).all()
        np.testing.assert_array_equal(row[:size], ask(EVALUATOR, survey_of(asked), NOTHING)[0])
    for batch in (1, 4, 7):
        np.testing.assert_array_equal(ask(EVALUATOR, survey, NOTHING, batch=batch), whole)


def test_no_more_than_a_batch_is_asked_at_once():
    """Memory is bounded by the batch: the evaluator never sees a longer survey."""
    seen = []

    def count(prompts, survey):
        seen.append(len(survey.items))
        return biased(prompts, survey)

    survey = survey_of(*(item(f"i{n}", *OPTIONS) for n in range(50)))
    reported = []
    ask(FunctionEvaluator(count), survey, NOTHING, batch=16, on_batch=reported.append)
    assert max(seen) == 16 and sum(seen) == 200 == sum(reported)


def test_a_batch_that_does_not_fit_into_memory_is_halved():
    """The answers are the same, and only a single question that does not fit is an error."""

    def small(most):
        def answer(prompts, survey):
            if len(survey.items) > most:
                raise ModelError("Memory ran out on cpu for a single candidate of 'm'.")
            return biased(prompts, survey)

        return FunctionEvaluator(answer)

    survey = survey_of(*(item(f"i{n}", *OPTIONS[: 2 + n % 3]) for n in range(9)))
    np.testing.assert_array_equal(ask(small(2), survey, NOTHING), ask(EVALUATOR, survey, NOTHING))
    with pytest.raises(ModelError, match="Memory ran out"):
        ask(small(0), survey, NOTHING)


def test_an_answer_that_is_no_number_is_an_error():
    """NaN never becomes a score."""
    broken = FunctionEvaluator(lambda p, s: np.full((1, len(s.items), s.width), np.nan))
    with pytest.raises(ModelError, match="not finite"):
        ask(broken, survey_of(item("a", *OPTIONS)), NOTHING)
    with pytest.raises(SpecificationError, match="1 question or more; not 0"):
        ask(EVALUATOR, survey_of(item("a", *OPTIONS)), NOTHING, batch=0)


@pytest.mark.parametrize("architecture", ["llama", "llama-chat", "gpt2"])
def test_a_real_model_answers_alike_in_any_batch(architecture, tmp_path):
    """The batch changes a model's answers by float noise only, with a soft prompt and a preamble."""
    evaluator = ModelEvaluator(
        find_model(str(save_small_model(architecture, tmp_path)), device="cpu")
    )
    items = (item(f"i{n}", *OPTIONS[: 2 + n % 3], text=f"Which, {'x ' * n}?") for n in range(7))
    survey = replace(survey_of(*items), preamble="You live in Kenya.")
    prompt = (
        np.random.default_rng(0)
        .normal(size=(3, evaluator.checkpoint.model.embedding_width))
        .astype(np.float32)
    )
    whole = ask(evaluator, survey, prompt, batch=1000)
    for batch in (1, 3):
        np.testing.assert_allclose(ask(evaluator, survey, prompt, batch=batch), whole, atol=2e-6)
    assert np.abs(whole - ask(evaluator, survey, prompt[:0])).max() > 1e-3
