"""How much a search may spend: what is given, what it buys, what is said and what is recorded."""

import json

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.errors import SpecificationError
from blackbox_align.fitting.budget import (
    LEAST,
    LEAST_STEPS,
    MOST,
    Budget,
    Outlay,
    Price,
    spoken_seconds,
)
from blackbox_align.optimizers import Capabilities, create

PRICE = Price(tokens=48, seconds=0.14)


@pytest.mark.parametrize(
    ("written", "evaluations"),
    [
        (400, 400),
        ("400", 400),
        ("1,200", 1200),
        ("2k", 2000),
        ("200k-tokens", 4166),
        ("1.5M tokens", 31250),
        ("90s", 642),
        ("5min", 2142),
        ("1h", 25714),
        ("10 tokens", 1),
    ],
)
def test_a_budget_is_evaluations_or_what_tokens_or_time_buy(written, evaluations):
    """A plain number counts evaluations; with a unit it is divided by the price of one."""
    assert Budget.parse(written).evaluations(PRICE) == evaluations


@pytest.mark.parametrize(
    "written", ["", "many", "-3", "1.5", "0", "3 days", "tokens", "1e99", 0, True]
)
def test_what_is_no_budget_is_refused_in_a_sentence(written):
    """The sentence says what was given."""
    with pytest.raises(SpecificationError, match=r"budget .*not"):
        Budget.parse(written)


@pytest.mark.parametrize(
    ("seconds", "search", "evaluations"),
    [
        (0.001, Capabilities(), MOST),
        (0.05, Capabilities(), 1200),
        (2.0, Capabilities(), LEAST),
        (2.0, Capabilities(uses_gradient=True), LEAST_STEPS),
        (2.0, Capabilities(uses_budget=True), MOST),
    ],
)
def test_by_default_it_is_what_a_minute_buys_within_bounds(seconds, search, evaluations):
    """A search that shapes itself by its budget gets a fixed one: no clock may steer it."""
    assert Budget.parse(None).evaluations(Price(48, seconds), search) == evaluations


def test_tokens_have_to_be_known():
    """An engine that does not count tokens cannot be given a budget in them."""
    with pytest.raises(SpecificationError, match="does not tell its tokens"):
        Budget.parse("1M-tokens").evaluations(Price(0, 0.1))


def test_what_is_said_before_a_search():
    """Evaluations, the price of one, the time of all, and what other places would cost."""
    outlay = Outlay(500, Price(960, 1.9), usual=True, placements=(("first", 1018), ("last", 240)))
    assert outlay.describe() == (
        "At most 500 evaluations of 960 tokens and 1.9 s each: 16 min (a minute buys 31). "
        "Tokens by --placement: 1,018 first, 240 last."
    )
    assert Outlay(60, Price(0, 0.002), made=24, steps=True).describe() == (
        "At most 36 more steps of 2 ms each: 72 ms."
    )


@pytest.mark.parametrize(
    ("seconds", "spoken"),
    [
        (0.00123, "1.2 ms"),
        (0.28, "280 ms"),
        (1.94, "1.9 s"),
        (9.4, "9.4 s"),
        (70, "70 s"),
        (950, "16 min"),
        (7200, "2.0 h"),
    ],
)
def test_a_time_is_said_in_the_unit_that_suits_it(seconds, spoken):
    """Two digits are enough."""
    assert spoken_seconds(seconds) == spoken


def test_a_fit_says_and_records_its_price_and_a_continued_one_keeps_its_budget(tmp_path):
    """A budget in tokens becomes evaluations by what the engine counts; a budget in seconds, given when the
    run goes on, by the price that was recorded, whatever the machine is by then."""
    told = []
    settings = {"target_loss": 0.0, "optimizer": "random", "runs": tmp_path, "name": "one"}
    run = bba.fit("SAU", budget="2000-tokens", on_outlay=told.append, **settings)
    price = run.record["facts"]["price"]
    assert price["tokens"] == run.record["facts"]["tokens"] > 0
    assert run.result.search.evaluations == told[0].evaluations == 2000 // price["tokens"]
    assert told[0].price == Price(**price) and not told[0].made
    assert dict(told[0].placements)["last"] < dict(told[0].placements)["first"]

    head = json.loads((tmp_path / "one" / "run.json").read_text())
    seconds = 12 * head["facts"]["price"]["seconds"]
    again = bba.fit("SAU", budget=f"{seconds:.6f}s", on_outlay=told.append, **settings)
    assert again.result.search.evaluations in (11, 12)
    assert told[1].made == 2000 // price["tokens"] and told[1].price == told[0].price
    assert again.record["facts"]["price"] == price


@pytest.mark.slow
def test_no_clock_chooses_the_budget_of_a_search_that_is_shaped_by_it(tmp_path):
    """Nevergrad's algorithms size themselves by the budget, so that another one gives other vectors."""
    with pytest.raises(SpecificationError, match="no clock may choose"):
        bba.fit("SAU", optimizer="ng:OnePlusOne", budget="60s", runs=tmp_path)


@pytest.mark.parametrize("optimizer", ["lshade", "ng:DE"])
def test_no_clock_gives_a_budget_that_shapes_the_search(optimizer, tmp_path):
    """The same seed would search otherwise on a busier machine; what does not shape itself may be timed."""
    with pytest.raises(SpecificationError, match="which no clock may choose"):
        bba.fit("SAU", runs=tmp_path, optimizer=optimizer, budget="90s")
    assert not create("shade", 4, np.random.default_rng(0)).capabilities.uses_budget
