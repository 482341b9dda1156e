from __future__ import annotations

import pytest

from blackbox_align.engines import opening
from blackbox_align.palette.fitting import ColourSearch, fit_palette
from blackbox_align.palette.maps import Colour, PaletteMap

TWO = PaletteMap(
    "two",
    "Two colours",
    (Colour("africa", "Africa", ("KEN", "NGA")), Colour("europe", "Europe", ("NLD", "DEU", "GBR"))),
)


@pytest.fixture(scope="session")
def engine():
    with opening.open() as opened:
        yield opened


@pytest.fixture(scope="session")
def fitted(tmp_path_factory):
    """A palette of two colours after a short search on the embedded model."""
    return fit_palette(
        tmp_path_factory.mktemp("palettes") / "two",
        TWO,
        ColourSearch(budget=30, tokens=2, seed=1, orders="1"),
    )
