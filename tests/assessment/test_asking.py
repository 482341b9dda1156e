"""Asking in batches and in several orders of the options."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.assessment import Asking, ask
from blackbox_align.engines import FunctionEngine
from blackbox_align.engines.base import Answers
from blackbox_align.engines.kept import open_kept
from blackbox_align.errors import ModelError, OutOfMemoryError, SpecificationError
from blackbox_align.surveys import Item, Scale, Survey
from blackbox_align.surveys.sheet import option_orders
from tests.assessment.reading import engine
from tests.small_models import save_small_model


def item(name: str, *options: str, text: str = "Which one?") -> Item:
    labels = tuple("ABCDEFG"[: len(options)])
    codes = tuple(float(n) for n in range(1, len(options) + 1))
    return Item(name, text, Scale("", labels, options, codes))


def survey_of(*items: Item) -> Survey:
    return Survey("hand", "Hand", 1, "Answer with one letter.", items)


def biased(asked):
    """Likes the option by its text and its place: what it says depends on the order."""
    liking = [
        (1 + sum(map(ord, option)) % 7) * (3.0 if place == 0 else 1 + 0.1 * place)
        for place, option in enumerate(asked.options.values())
    ]
    return np.array(liking) / sum(liking)


ENGINE = engine(biased)
OPTIONS = ("tea", "coffee", "water", "juice")


def test_orders_are_the_plain_one_all_rotations_or_all_permutations():
    """Every order is a permutation; beyond five options 'all' is every rotation, and says so."""
    assert option_orders(3, "1") == [(0, 1, 2)]
    assert option_orders(3, "cyclic") == [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
    assert sorted(option_orders(4, "all")) == sorted(permutations(range(4)))
    assert option_orders(6, "all") == option_orders(6, "cyclic")
    with pytest.raises(SpecificationError, match="'1', 'reversed', 'cyclic', 'all'; not 'some'"):
        option_orders(3, "some")
    survey = survey_of(item("a", *OPTIONS), item("b", *"uvwxyz"))
    assert "1 items with more than five" in Asking("all").describe(survey)


def answers(survey, orders="cyclic", **more):
    """(items, width) un-prompted."""
    return ask(more.pop("engine", ENGINE), survey, [Adapter()], Asking(orders, "own", **more))[0][0]


@pytest.mark.parametrize("order", list(permutations(range(4)))[1::5])
def test_the_average_over_all_orders_does_not_depend_on_the_order_of_the_file(order):
    """An item whose options stand in another order gets exactly the same answers, to the last bit."""
    plain = answers(survey_of(item("a", *OPTIONS)), "all")
    shuffled = [OPTIONS[n] for n in order]
    other = answers(survey_of(item("a", *shuffled)), "all")
    np.testing.assert_array_equal(other[0], plain[0][list(order)])


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_the_average_over_rotations_does_not_depend_on_where_the_list_begins(shift):
    """Rotating the options of an item rotates its answers, exactly."""
    plain = answers(survey_of(item("a", *OPTIONS)))
    rotated = survey_of(item("a", *OPTIONS[shift:], *OPTIONS[:shift]))
    other = answers(rotated)
    np.testing.assert_array_equal(other[0], np.roll(plain[0], -shift))


def test_a_respondent_who_looks_at_places_only_becomes_uniform():
    """What is pure liking for a place averages out."""
    first = engine(lambda asked: [1.0])
    survey = survey_of(item("a", *OPTIONS))
    np.testing.assert_allclose(answers(survey, engine=first)[0], 0.25)
    np.testing.assert_allclose(answers(survey, "1", engine=first)[0], [1, 0, 0, 0])
    np.testing.assert_allclose(answers(survey, "reversed", engine=first)[0], [0.5, 0, 0, 0.5])


def test_items_of_different_widths_keep_their_places_in_any_batch():
    """Rows belong to their items, with zeros behind the options, whatever is asked together."""
    sizes = (2, 5, 3, 2, 4, 3)
    items = [item(f"i{n}", *(f"o{n}{k}" for k in range(s))) for n, s in enumerate(sizes)]
    survey = survey_of(*items)
    whole = answers(survey, batch=1000)
    for size, row, asked in zip(sizes, whole, items, strict=True):
        np.testing.assert_allclose(row.sum(), 1)
        assert (row[size:] == 0).all()
        np.testing.assert_array_equal(row[:size], answers(survey_of(asked))[0])
    for batch in (1, 4, 7):
        np.testing.assert_array_equal(answers(survey, batch=batch), whole)


def test_no_more_than_a_batch_is_asked_at_once():
    """Memory is bounded by the batch: the engine never sees a longer sheet, under however many adapters."""
    seen = []

    class Counting(FunctionEngine):
        def answer(self, adapters, sheet, *, plainly=False):
            seen.append((len(adapters), len(sheet.questions)))
            return super().answer(adapters, sheet, plainly=plainly)

    survey = survey_of(*(item(f"i{n}", *OPTIONS) for n in range(50)))
    reported = []
    asking = Asking("cyclic", "own", 16, reported.append)
    ask(Counting(ENGINE.function), survey, [Adapter(), Adapter(text="x")], asking)
    assert {rows for rows, _ in seen} == {2} and max(n for _, n in seen) == 16
    assert sum(n for _, n in seen) == 200 and sum(reported) == 400


def test_a_batch_that_does_not_fit_into_memory_is_halved():
    """The answers are the same, and only a single question that does not fit is an error."""

    def small(most):
        class Small(FunctionEngine):
            def answer(self, adapters, sheet, *, plainly=False):
                if len(sheet.questions) > most:
                    raise OutOfMemoryError("It is full.")
                return super().answer(adapters, sheet, plainly=plainly)

        return Small(ENGINE.function)

    survey = survey_of(*(item(f"i{n}", *OPTIONS[: 2 + n % 3]) for n in range(9)))
    np.testing.assert_array_equal(answers(survey, engine=small(2)), answers(survey))
    with pytest.raises(OutOfMemoryError, match="It is full"):
        answers(survey, engine=small(0))


def test_only_memory_is_a_reason_to_ask_less():
    """Another trouble of the model, whatever its words, is not asked about again."""
    asked = []

    def fail(adapters, sheet):
        asked.append(len(sheet.questions))
        raise ModelError("Memory ran out, says a model of its own life.")

    with pytest.raises(ModelError, match="of its own life"):
        answers(survey_of(item("a", *OPTIONS)), engine=FunctionEngine(fail))
    assert asked == [4]


def test_an_answer_that_is_no_number_is_an_error():
    """NaN never becomes a score."""
    broken = engine(lambda asked: [float("nan")] * 4)
    with pytest.raises(ModelError, match="not finite"):
        answers(survey_of(item("a", *OPTIONS)), engine=broken)
    with pytest.raises(SpecificationError, match="1 question or more; not 0"):
        Asking(batch=0)


def test_the_mass_of_an_item_is_the_mean_over_its_orders():
    """However an item is asked, the share of the next token that is a label is averaged with it."""

    def respond(adapters, sheet):
        rows = np.tile(np.full(4, 0.25, np.float32), (1, len(sheet.questions), 1))
        first = [q.text.index("tea") < q.text.index("juice") for q in sheet.questions]
        return replace(Answers.of(rows), mass=np.where(first, 0.9, 0.1)[None])

    survey = survey_of(item("a", *OPTIONS))
    for orders, expected in (("1", 0.9), ("reversed", 0.5), ("cyclic", 0.3)):
        _, mass = ask(FunctionEngine(respond), survey, [Adapter()], Asking(orders, "own"))
        np.testing.assert_allclose(mass, [[expected]])


@pytest.mark.parametrize("architecture", ["llama", "llama-chat", "gpt2"])
def test_a_real_model_answers_alike_in_any_batch(architecture, tmp_path):
    """The batch changes a model's answers by float noise only, with a soft prompt and a text."""
    kept = open_kept(str(save_small_model(architecture, tmp_path)), device="cpu", cache=False)
    items = (item(f"i{n}", *OPTIONS[: 2 + n % 3], text=f"Which, {'x ' * n}?") for n in range(7))
    survey = survey_of(*items)
    width = kept.engine.info.width
    vectors = np.random.default_rng(0).normal(size=(3, width)).astype(np.float32)
    adapters = [Adapter("You live in Kenya.", SoftPrompt(vectors)), Adapter("You live in Kenya.")]
    whole, _ = ask(kept, survey, adapters, Asking(labels="own", batch=1000))
    for batch in (1, 3):
        part, _ = ask(kept, survey, adapters, Asking(labels="own", batch=batch))
        np.testing.assert_allclose(part, whole, atol=2e-6)
    assert np.abs(whole[0] - whole[1]).max() > 1e-3
