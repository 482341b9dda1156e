"""The target sets that ship with the package, against what they were taken from."""

from __future__ import annotations

import math

import numpy as np
import pytest

from blackbox_align.errors import SpecificationError, UnknownNameError
from blackbox_align.populations import countries, load_targets, target_sets
from blackbox_align.populations.targets import read_targets
from tests.reference_data import reference

SIX = ("PDI", "IDV", "MAS", "UAI", "LTO", "IVR")
SOURCES = {
    "tool-2023-05": "hofstede/hofstede_insights_2023-05.json",
    "tool-2022-03": "hofstede/hofstede_insights_2022-03.json",
    "matrix-2015": "hofstede/hofstede6d_2015-08-16.csv",
}


def figures(targets, code):
    return [None if math.isnan(value) else value for value in targets.figures[code]]


def test_three_editions_ship_with_their_provenance():
    """Each packaged set says its title, source and note; the default is the first."""
    sets = target_sets()
    assert [targets.name for targets in sets] == list(SOURCES)
    assert load_targets().name == "tool-2023-05"
    for targets in sets:
        assert targets.indices == SIX
        assert targets.title and targets.source and targets.note
    assert len({targets.sha256 for targets in sets}) == 3


@pytest.mark.parametrize("name", SOURCES)
def test_packaged_figures_equal_the_source_figure_by_figure(name):
    """Every country, figure, gap and estimate flag of a packaged set is that of its source."""
    packaged, source = load_targets(name), read_targets(reference(SOURCES[name]))
    assert packaged.figures.keys() == source.figures.keys()
    for code in source.figures:
        assert figures(packaged, code) == figures(source, code), code
    assert packaged.estimates == source.estimates
    assert packaged.sha256 == source.sha256


@pytest.mark.parametrize(
    ("name", "rows", "complete", "estimates"),
    [("tool-2023-05", 118, 96, 48), ("tool-2022-03", 118, 93, 48), ("matrix-2015", 111, 65, 0)],
)
def test_rows_complete_rows_and_estimates(name, rows, complete, estimates):
    """The numbers of rows, of rows with all six figures and of estimates are those of the source."""
    targets = load_targets(name)
    assert (len(targets), len(targets.complete()), len(targets.estimates)) == (
        rows, complete, estimates
    )  # fmt: skip


def test_the_default_gives_saudi_arabia_all_six():
    """Saudi Arabia is complete in the default edition, and differs or has gaps in the others."""
    assert figures(load_targets(), "SAU") == [72, 48, 43, 64, 27, 14]
    assert "SAU" in load_targets().estimates
    assert figures(load_targets("tool-2022-03"), "SAU") == [95, 25, 60, 80, 36, 52]
    assert figures(load_targets("matrix-2015"), "SAU") == [None, None, None, None, 36, 52]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("USA", [40, 91, 62, 46, 26, 68]),
        ("CHN", [80, 20, 66, 30, 87, 24]),
        ("IND", [77, 48, 56, 40, 51, 26]),
        ("NLD", [38, 80, 14, 53, 67, 68]),
        ("DEU", [35, 67, 66, 65, 83, 40]),
        ("NZL", [22, 79, 58, 49, 33, 75]),
        ("PAK", [55, 14, 50, 70, 50, 0]),
    ],
)
def test_known_rows_are_the_same_in_the_matrix_and_the_default(code, expected):
    """Rows that the editions agree on have the published figures, a true 0 among them."""
    assert figures(load_targets("matrix-2015"), code) == expected
    assert figures(load_targets(), code) == expected


def test_the_matrix_keeps_its_ten_regions_as_regions():
    """East Germany and the like are rows of their own, never a country's figures."""
    targets = load_targets("matrix-2015")
    regions = {code for code in targets.codes if countries()[code].is_region}
    assert regions == {
        "X-AFE", "X-AFW", "X-ARA", "X-BEF", "X-BEN", "X-CAF", "X-GEE", "X-SAW", "X-SWF", "X-SWG"
    }  # fmt: skip
    assert figures(targets, "X-ARA") == [80, 38, 53, 68, 23, 34]
    assert "BEN" not in targets.figures and "CAF" not in targets.figures
    assert not any(countries()[code].is_region for code in load_targets().codes)


# The matrix's own codes that are not ISO, or are another country's ISO code.
MATRIX_CODES = {
    "CHI": "CHN", "CHL": "CHL", "GER": "DEU", "NET": "NLD", "SAF": "ZAF", "SPA": "ESP", "SWI": "CHE",
    "SWE": "SWE", "KOR": "KOR", "BUL": "BGR", "SLK": "SVK", "SLV": "SVN", "SAL": "SLV", "AUL": "AUS",
    "AUT": "AUT", "MAC": "MKD", "NIG": "NGA", "ZIM": "ZWE", "MNG": "MNE", "CRO": "HRV", "POR": "PRT",
    "IRE": "IRL", "LAT": "LVA", "DEN": "DNK", "ICE": "ISL", "TAI": "TWN", "BAN": "BGD", "ALG": "DZA",
    "BUF": "BFA", "BEN": "X-BEN", "CAF": "X-CAF", "IDO": "IDN", "IRA": "IRN", "PHI": "PHL",
    "MOR": "MAR", "MOL": "MDA", "GUA": "GTM", "URU": "URY", "PUE": "PRI", "HOK": "HKG",
}  # fmt: skip


@pytest.mark.parametrize("code", MATRIX_CODES)
def test_the_matrix_codes_become_iso_codes(code):
    """A row of the public matrix ends up under the ISO code of its country, with its own figures."""
    path = reference(SOURCES["matrix-2015"])
    row = next(line for line in path.read_text().splitlines() if line.startswith(f"{code};"))
    expected = [None if cell == "#NULL!" else float(cell) for cell in row.split(";")[2:]]
    assert figures(load_targets("matrix-2015"), MATRIX_CODES[code]) == expected


def test_a_target_comes_in_the_order_asked_for_with_its_gaps():
    """Figures follow the names asked for; an index that the set does not have is NaN."""
    targets = load_targets("matrix-2015")
    np.testing.assert_array_equal(targets.target("Saudi Arabia", ["IVR", "LTO"]), [52, 36])
    np.testing.assert_array_equal(
        targets.target("SAU", ["LTO", "PDI", "JOY"]), [36, np.nan, np.nan]
    )


def test_a_country_without_a_row_or_a_figure_is_refused():
    """No row is an UnknownNameError, a row without the indices asked for a SpecificationError."""
    with pytest.raises(UnknownNameError, match=r"tool-2023-05 .*'Zimbabwe'"):
        load_targets().target("ZWE", SIX)
    with pytest.raises(SpecificationError, match=r"no figure for Saudi Arabia .*PDI, IDV"):
        load_targets("matrix-2015").target("SAU", ["PDI", "IDV"])
    with pytest.raises(UnknownNameError, match="Did you mean 'matrix-2015'"):
        load_targets("matrix-2016")


def test_the_mean_is_over_countries_and_leaves_regions_and_gaps_out():
    """The mean of the matrix is the mean over its 101 countries of the figures that there are."""
    targets = load_targets("matrix-2015")
    rows = [row for code, row in targets.figures.items() if not code.startswith("X-")]
    assert len(rows) == 101
    for column, mean in enumerate(targets.mean(SIX)):
        known = [row[column] for row in rows if not math.isnan(row[column])]
        assert mean == pytest.approx(sum(known) / len(known))
    assert np.isnan(targets.mean(["JOY"])).all()
