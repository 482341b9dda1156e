import numpy as np
import pytest

from blackbox_align.errors import SpecificationError
from blackbox_align.results.comparison import Cell, Comparison


def cell(optimizer, country, seed, best, failure=""):
    return Cell(
        {"optimizer": optimizer, "country": country, "seed": seed}, np.array(best, float), failure
    )


def test_a_table_by_hand():
    """a needs 2 and 3 evaluations; b reaches the target once in 3 and 4: (3 + 4) / 1."""
    found = Comparison(
        (
            cell("a", "SAU", 0, [9, 2]),
            cell("a", "SAU", 1, [9, 8, 3]),
            cell("b", "SAU", 0, [9, 8, 1]),
            cell("b", "SAU", 1, [9, 8, 7, 6]),
        ),
        3.0,
        4,
    )
    table = found.table()
    assert list(table.index) == ["a", "b"]
    assert table.loc["a", "ert"] == 2.5
    assert table.loc["b", "ert"] == 7.0
    assert list(table["reached"]) == [2, 1]
    assert found.searches()["needed"].isna().sum() == 1
    methods, ranking = found.ranking()
    assert (methods, ranking.ranks) == (["a", "b"], (1.0, 2.0))


def test_a_failed_cell_is_shown_and_in_no_figure():
    """The others are compared on the problems that all methods finished."""
    found = Comparison(
        (
            cell("a", "SAU", 0, [2]),
            cell("a", "USA", 0, [2]),
            cell("b", "SAU", 0, [], "no such optimizer"),
            cell("b", "USA", 0, [9, 1]),
        ),
        3.0,
        4,
    )
    assert found.table().loc["b", "runs"] == 1
    assert found.ranking()[1].problems == 1
    assert list(found.searches()["failure"]) == ["", "", "no such optimizer", ""]


def test_varied_settings_make_methods():
    """Beside the optimizer, any other setting that varies is part of the method's name."""
    settings = {"optimizer": "de", "tokens": 1, "country": "SAU", "seed": 0}
    assert Cell(settings, np.empty(0)).method == "de, tokens 1"


def test_nothing_to_rank_is_said():
    """Without a single finished search there is a sentence."""
    with pytest.raises(SpecificationError, match="None of the searches"):
        Comparison((cell("a", "SAU", 0, [], "failed"),), 3.0, 4).ranking()
