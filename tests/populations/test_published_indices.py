"""Target sets from the public files of other indices: counts, regions, and what is left out."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackbox_align.errors import DataFileError
from blackbox_align.populations import load_targets, read_indices
from tests.reference_data import reference


@pytest.mark.parametrize(
    ("path", "read", "kept", "indices"),
    [
        ("indices/inglehart_welzel_tradagg.csv", 408, 111, 1),
        ("indices/inglehart_welzel_survsagg.csv", 408, 111, 1),
        ("indices/schwartz_cultural_values.csv", 83, 79, 7),
        ("indices/globe_phase2_societal_culture.csv", 62, 60, 18),
    ],
)
def test_public_indices_import_with_every_row_counted(path, read, kept, indices):
    """Rows that were read are those that were kept and those that were left out, with reasons."""
    targets, report = read_indices(reference(path))
    assert (report.read, report.kept, len(targets), len(targets.indices)) == (
        read,
        kept,
        kept,
        indices,
    )
    assert report.read == report.kept + sum(map(len, report.dropped.values()))


def test_the_latest_year_of_a_country_counts():
    """Of several surveys of one country the last one is its figure."""
    targets, _ = read_indices(reference("indices/inglehart_welzel_tradagg.csv"))
    assert targets.indices == ("TRADAGG",)
    assert targets.figures["ALB"] == (-0.9652735044832593,)
    assert "SAU" not in targets.figures


def test_names_that_are_run_together_or_misspelt_are_understood():
    """One source writes newzealand, unitedstates and austrialia, and splits some countries."""
    targets, report = read_indices(reference("indices/schwartz_cultural_values.csv"))
    harmony = {code: figures[0] for code, figures in targets.figures.items()}
    assert (harmony["NZL"], harmony["USA"], harmony["AUS"], harmony["GBR"]) == (
        4.03,
        3.46,
        3.99,
        3.91,
    )
    assert harmony["CAN"] == 3.985 and harmony["X-CAF"] == 4.14 and harmony["DEU"] == 4.54
    left_out = "".join(report.dropped)
    assert all(label in left_out for label in ("canada (Eng)", "germany w", "israel arab"))


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("hofstede6d_2015-08-16.csv", 111),
        ("hofstede6d_2015-08-16_unrounded.csv", 111),
        ("hofstede_insights_2022-03.json", 118),
        ("hofstede_insights_2023-05.json", 118),
        ("variants/hofstede6d_copy2_missing_DOM.csv", 110),
        ("variants/hofstede6d_copy3_comma.csv", 111),
        ("variants/hofstede6d_copy4_iso3_no_regions.csv", 101),
    ],
)
def test_hofstedes_files_are_target_sets_as_they_are(name, rows):
    """Every public copy of the matrix and of the tool loads with the rows that are stated."""
    assert len(load_targets(reference(f"hofstede/{name}"))) == rows


def test_gaps_stay_gaps_and_mistakes_are_told(tmp_path):
    """NA is no figure; a cell that is no number, and another form, are errors with a line."""
    path = tmp_path / "schwartz.csv"
    path.write_text("country_short,country_long,harmony,mastery\nken,kenya,NA,3.5\nx,ghana,NA,NA\n")
    targets, report = read_indices(path)
    assert math.isnan(targets.figures["KEN"][0]) and targets.figures["KEN"][1] == 3.5
    assert report.dropped == {"it has no figure": ("line 3",)}
    path.write_text("country_short,country_long,harmony\nken,kenya,much\n")
    with pytest.raises(DataFileError, match="line 2: harmony is 'much', not a number"):
        read_indices(path)
    path.write_text("geo,name\nkenya,Kenya\n")
    with pytest.raises(DataFileError, match="expected the columns of Inglehart"):
        read_indices(path)


FORMS = [
    ["geo,year,value", "kenya,2010,0.5", "kenya,2020,-0.7", "russian_federation,1999,1e0"],
    ["country_short,country_long,harmony,mastery", "ken,kenya,3.1,3.5", "gha,Ghana,NA,4"],
    ["Country Name,Country Cluster,Power,Care", "Kenya,1,3.5,4.1", "Switzerland (FR),2,1,2"],
]


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(FORMS),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.text(max_size=5)), max_size=5),
)
def test_a_damaged_file_neither_crashes_nor_loses_a_row(tmp_path, rows, changes):
    """Whatever stands in the cells, every row is a target or counted, or the file is refused."""
    cells = [row.split(",") for row in rows]
    for line, column, text in changes:
        row = cells[line % len(cells)]
        row[column % len(row)] = text
    path = tmp_path / "file.csv"
    path.write_bytes("\n".join(map(",".join, cells)).encode("utf-8", "replace"))
    try:
        targets, report = read_indices(path)
    except DataFileError:
        return
    assert report.kept == len(targets)
    assert report.read == report.kept + sum(map(len, report.dropped.values()))
