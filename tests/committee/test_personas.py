"""Persona texts: drawn or read, asked once, kept as experts that weights are found over."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox_align import engines
from blackbox_align.committee import (
    decide,
    drawn_personas,
    read_personas,
    weights_by_answers,
    write_personas,
)
from blackbox_align.errors import DataFileError, SpecificationError
from blackbox_align.experts import Library
from blackbox_align.surveys.instruments import instrument_of, load_instrument


@pytest.fixture(scope="module")
def instrument():
    return instrument_of(load_instrument("world-opinions"))


@pytest.fixture(scope="module")
def library(tmp_path_factory, instrument):
    folder = tmp_path_factory.mktemp("personas")
    engine = engines.open("respondent-tiny", device="cpu")
    write_personas(drawn_personas(6, np.random.default_rng(1)), engine, instrument, folder)
    engine.close()
    return Library(folder)


def test_no_two_drawn_personas_are_alike_and_a_seed_draws_the_same():
    some = drawn_personas(200, np.random.default_rng(3))
    assert len({persona.text for persona in some}) == 200
    assert some == drawn_personas(200, np.random.default_rng(3))
    for persona in some:
        age = int(persona.profile["age"])
        assert all(value in persona.text for value in persona.profile.values())
        assert (persona.profile["work"] == "live on a pension") <= (age >= 60)
    with pytest.raises(SpecificationError, match="personas; not"):
        drawn_personas(10**6, np.random.default_rng(0))


def test_a_file_has_a_text_a_line_or_columns(tmp_path):
    lines = tmp_path / "some.txt"
    lines.write_text("You are a fisher.\n\nYou are a judge.\n")
    assert [persona.text for persona in read_personas(lines)] == [
        "You are a fisher.",
        "You are a judge.",
    ]
    table = tmp_path / "some.csv"
    table.write_text('name,text,age\nfisher,"You fish, and are 30.",30\n')
    (read,) = read_personas(table)
    assert (read.name, read.profile) == ("fisher", {"age": "30"})
    table.write_text("name,words\nfisher,x\n")
    with pytest.raises(DataFileError, match="no column 'text'; found name, words"):
        read_personas(table)
    table.write_text("name,text\na,x\na,y\n")
    with pytest.raises(DataFileError, match="two personas are called 'a'"):
        read_personas(table)
    lines.write_text("\n")
    with pytest.raises(DataFileError, match="no persona in it"):
        read_personas(lines)


def test_a_persona_is_an_expert_of_a_text_with_its_own_answers(library, instrument):
    experts = library.experts()
    assert len(experts) == 6 and all(entry.trouble == "" for entry in library.check())
    for expert in experts:
        assert expert.adapter().text == expert.card.name and expert.adapter().prompt is None
        answers = expert.card.answers["world-opinions"]
        assert list(answers) == [item.id for item in instrument.items]
        assert all(abs(sum(shares) - 1) < 1e-6 for shares in answers.values())
        assert "Nothing was searched" in (expert.path / "README.md").read_text()


def test_weights_over_personas_find_the_one_whose_answers_are_known(library):
    experts = library.experts()
    items = list(experts[0].card.answers["world-opinions"])
    width = max(len(s) for e in experts for s in e.card.answers["world-opinions"].values())
    profiles = np.full((len(experts), len(items), width), np.nan)
    for row, expert in zip(profiles, experts, strict=True):
        for item, shares in zip(row, expert.card.answers["world-opinions"].values(), strict=True):
            item[: len(shares)] = shares
    answers = 1000 * np.nan_to_num(profiles[2])
    decision = weights_by_answers([expert.name for expert in experts], profiles, answers)
    assert next(iter(decision.weights)) == experts[2].name
    assert decision.weights[experts[2].name] > 0.9


def test_a_name_that_is_taken_is_refused_before_anything_is_asked(library, instrument):
    personas = drawn_personas(1, np.random.default_rng(0))
    with pytest.raises(SpecificationError, match="is there already"):
        write_personas(personas, None, instrument, library.path)


def test_a_profile_decides_among_personas(library):
    experts = library.experts()
    known = dict(experts[0].card.profile)
    decision = decide("Is it right?", experts, profile=known)
    assert list(decision.weights) == [experts[0].name] and decision.way == "profile"
    far = decide("Is it right?", experts, profile={"shoe": "44"})
    assert far.abstains and "No expert shares shoe=44" in far.because[0]
    with pytest.raises(SpecificationError, match="give one of them"):
        decide("Is it right?", experts, profile=known, population="SAU")
