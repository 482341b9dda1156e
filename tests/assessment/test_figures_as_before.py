"""Figures as they were printed before scores and fits came from one call: to the last digit."""

from __future__ import annotations

import pytest

from blackbox_align.assessment import score
from blackbox_align.results.names import CORRECTED, MIXTURE, MODE, NOISE
from blackbox_align.results.tables import interval

OPINIONS = {
    "KEN uniform": "0.767 [0.736, 0.799]",
    "KEN mean of other countries": "0.846 [0.826, 0.871]",
    "KEN un-prompted, fitted temperature": "0.836 [0.810, 0.864]",
    "KEN none": "0.833 [0.811, 0.861]",
    "KEN icl": "0.833 [0.810, 0.860]",
    "KEN text:Be brief.": "0.835 [0.813, 0.862]",
    "BRA uniform": "0.763 [0.737, 0.795]",
    "BRA mean of other countries": "0.876 [0.856, 0.900]",
    "BRA un-prompted, fitted temperature": "0.884 [0.860, 0.910]",
    "BRA none": "0.882 [0.860, 0.908]",
    "BRA icl": "0.879 [0.855, 0.902]",
    "BRA text:Be brief.": "0.884 [0.863, 0.906]",
    "USA uniform": "0.789 [0.766, 0.815]",
    "USA mean of other countries": "0.871 [0.849, 0.892]",
    "USA un-prompted, fitted temperature": "0.893 [0.872, 0.912]",
    "USA none": "0.895 [0.876, 0.915]",
    "USA icl": "0.931 [0.918, 0.942]",
    "USA text:Be brief.": "0.896 [0.877, 0.914]",
    "mean uniform": "0.773 [0.756, 0.796]",
    "mean mean of other countries": "0.864 [0.852, 0.878]",
    "mean un-prompted, fitted temperature": "0.871 [0.859, 0.884]",
    "mean none": "0.870 [0.858, 0.883]",
    "mean icl": "0.881 [0.867, 0.896]",
    "mean text:Be brief.": "0.871 [0.860, 0.884]",
    "mean none - uniform": "0.097 [0.072, 0.120]",
    "mean none - mean of other countries": "0.006 [0.004, 0.008]",
    "mean none - un-prompted, fitted temperature": "-0.001 [-0.004, 0.002]",
    "mean icl - uniform": "0.108 [0.082, 0.130]",
    "mean icl - mean of other countries": "0.016 [0.011, 0.022]",
    "mean icl - un-prompted, fitted temperature": "0.010 [0.004, 0.016]",
    "mean icl - none": "0.011 [0.006, 0.016]",
    "mean text:Be brief. - uniform": "0.099 [0.074, 0.121]",
    "mean text:Be brief. - mean of other countries": "0.007 [0.005, 0.009]",
    "mean text:Be brief. - un-prompted, fitted temperature": "0.001 [-0.003, 0.003]",
    "mean text:Be brief. - none": "0.001 [0.000, 0.003]",
    "mean text:Be brief. - icl": "-0.009 [-0.015, -0.005]",
}
VSM = {
    "SAU all threes": "48.0 [35.2, 60.1]",
    "SAU mean of other countries": "11.9 [5.2, 19.5]",
    "SAU none": "11.8 [5.2, 19.3]",
    "SAU icl": "11.8 [4.5, 19.8]",
    "USA all threes": "58.8 [39.6, 81.7]",
    "USA mean of other countries": "26.4 [19.3, 37.1]",
    "USA none": "26.1 [19.1, 36.8]",
    "USA icl": "5.8 [3.6, 8.0]",
    "CHN all threes": "54.5 [37.2, 73.0]",
    "CHN mean of other countries": "25.3 [17.5, 33.8]",
    "CHN none": "25.1 [17.4, 33.5]",
    "CHN icl": "8.1 [5.8, 11.5]",
    "IND all threes": "53.0 [41.3, 64.1]",
    "IND mean of other countries": "13.9 [8.9, 19.8]",
    "IND none": "13.7 [8.8, 19.6]",
    "IND icl": "7.7 [4.6, 10.7]",
    "mean all threes": "53.6 [45.2, 61.4]",
    "mean mean of other countries": "19.3 [16.1, 22.7]",
    "mean none": "19.2 [16.0, 22.4]",
    "mean icl": "8.4 [5.7, 11.4]",
    "mean none - all threes": "-34.4 [-44.2, -24.3]",
    "mean none - mean of other countries": "-0.2 [-0.2, -0.1]",
    "mean icl - all threes": "-45.2 [-52.6, -36.6]",
    "mean icl - mean of other countries": "-11.0 [-13.9, -8.7]",
    "mean icl - none": "-10.8 [-13.7, -8.5]",
}


@pytest.mark.parametrize(
    ("instrument", "country", "conditions", "metric", "places", "expected"),
    [
        (
            "world-opinions",
            ["KEN", "BRA", "USA"],
            ["none", "icl", "text:Be brief."],
            "one_minus_js_distance_nats",
            3,
            OPINIONS,
        ),
        ("vsm2013", ["SAU", "USA", "CHN", "IND"], ["none", "icl"], "absolute_error_points", 1, VSM),
    ],
)
def test_scores_are_what_they_were(instrument, country, conditions, metric, places, expected):
    """Values, intervals and differences of the embedded model, in both instruments, in their order."""
    result = score(
        instrument,
        country=country,
        conditions=conditions,
        device="cpu",
        dtype="float32",
        resamples=200,
    )
    new = {MODE, MIXTURE, CORRECTED, NOISE}  # rows that tables have had since
    found = {
        f"{f.population} {f.condition}" + (f" - {f.minus}" if f.minus else ""): interval(
            f, places=places
        )
        for f in [*result.scores, *result.differences]
        if f.metric == metric and (not f.minus or f.population == "mean")
        if not {f.condition, f.minus} & new
    }
    assert found == expected and list(found) == list(expected)
