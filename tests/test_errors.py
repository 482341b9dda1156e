"""The exception tree: what each error also is, what it says, and that it survives a pickle."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_align import errors
from blackbox_align.errors import (
    BlackboxAlignError,
    DataFileError,
    MissingDependencyError,
    UnknownNameError,
    nearest_names,
)

BUILTINS = {
    "UnknownNameError": LookupError,
    "DataFileError": ValueError,
    "SpecificationError": ValueError,
    "ChangedSpecificationError": errors.SpecificationError,
    "ModelError": RuntimeError,
    "OutOfMemoryError": RuntimeError,
    "OptimizerError": ValueError,
    "RunError": RuntimeError,
    "ExpertError": RuntimeError,
    "MissingDependencyError": ImportError,
}
ARGUMENTS = {
    "UnknownNameError": ("country", "Chda", ["Chad", "Mali"], "See the list."),
    "DataFileError": ("a.csv", 3, "PDI is 'x'."),
    "MissingDependencyError": ("ray", "A pool of workers"),
}


def make(name):
    return getattr(errors, name)(*ARGUMENTS.get(name, ("What was seen, and how to mend it.",)))


def raise_in_worker(name):
    raise make(name)


def test_the_tree_holds_every_error_there_is():
    """Every exception class of the module is in the tree of its docstring and under its root."""
    classes = {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert classes.keys() == {*BUILTINS, "BlackboxAlignError"}
    for name, value in classes.items():
        assert issubclass(value, BlackboxAlignError)
        assert name in errors.__doc__


@pytest.mark.parametrize("name", BUILTINS)
def test_each_error_is_also_the_builtin_that_it_specialises(name):
    """`except ValueError` and the like catch what they should."""
    assert isinstance(make(name), BUILTINS[name])
    assert isinstance(make(name), BlackboxAlignError)


@pytest.mark.parametrize("name", BUILTINS)
def test_an_error_survives_a_pickle_and_a_copy(name):
    """Message, kind and attributes come back whole, so that an error can cross processes."""
    error = make(name)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_an_error_comes_out_of_a_worker_process():
    """A real pool of processes hands the error on instead of hanging or hiding it."""
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(UnknownNameError, match=r"Unknown country 'Chda'. Did you mean 'Chad'"),
    ):
        pool.submit(raise_in_worker, "UnknownNameError").result(timeout=60)


def test_an_unknown_name_is_a_sentence_with_an_offer_and_a_hint():
    """The message names what was asked for, the nearest names and where to look."""
    assert (
        str(make("UnknownNameError"))
        == "Unknown country 'Chda'. Did you mean 'Chad'? See the list."
    )
    assert str(UnknownNameError("model", "x", [])) == "Unknown model 'x'."
    two = UnknownNameError("optimizer", "cma", ["cma-full", "cma-diagonal", "random"])
    assert "Did you mean 'cma-full' or 'cma-diagonal'?" in str(two)


def test_a_data_file_error_names_the_place():
    """File and line open the message; without a line there is the file alone."""
    assert str(DataFileError("a.csv", 3, "No.")) == "a.csv, line 3: No."
    assert str(DataFileError("a.csv", None, "No.")) == "a.csv: No."


def test_a_missing_dependency_holds_the_pip_line():
    """The message can be pasted, from wherever our package was installed."""
    assert str(make("MissingDependencyError")).endswith(": pip install ray")
    assert str(MissingDependencyError("cma", "CMA-ES")).endswith(": pip install cma")


NAMES = ["Sudan", "Spain", "Saudi Arabia", "South Sudan", "SAU", "Kingdom of Saudi Arabia", "Chad"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Saudi", ["Saudi Arabia", "Kingdom of Saudi Arabia"]),
        ("sudan", ["Sudan", "South Sudan"]),
        ("arab", ["Saudi Arabia", "Kingdom of Saudi Arabia"]),
        ("Sapin", ["Spain"]),
        ("SUADI ARABIA", ["Saudi Arabia"]),
        ("udan", ["Sudan"]),
    ],
)
def test_a_word_that_begins_like_the_query_comes_before_a_similar_one(query, expected):
    """Beginnings of words come first, shortest name first, then what is spelled alike."""
    assert nearest_names(query, NAMES)[: len(expected)] == expected


@pytest.mark.parametrize("query", ["", " ", "zzzzzz", "(", "[a-", "\\"])
def test_nothing_near_is_an_empty_list(query):
    """What is like no name gets no offer, and no character has a meaning of its own."""
    assert nearest_names(query, NAMES) == []


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=8), st.lists(st.text(max_size=8), max_size=6), st.integers(1, 4))
def test_offers_are_known_names_without_repetition(query, known, count):
    """At most `count` names are offered, each of them known, none twice."""
    nearest = nearest_names(query, known, count)
    assert len(nearest) <= count
    assert set(nearest) <= set(known)
    assert len(set(nearest)) == len(nearest)
