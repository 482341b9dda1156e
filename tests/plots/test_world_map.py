import numpy as np

from blackbox_align.plots.maps import equal_earth, places, world
from blackbox_align.populations.countries import countries


def test_equal_earth_keeps_areas():
    """A cell of one degree covers the same part of the map as of the globe, at any latitude."""
    for latitude in (0.0, 30.0, 60.0, 80.0):
        x, y = equal_earth(np.array([0, 1, 1, 0.0]), np.array([0, 0, 1, 1.0]) + latitude)
        area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
        globe = np.radians(1) * (np.sin(np.radians(latitude + 1)) - np.sin(np.radians(latitude)))
        assert np.isclose(area, globe, rtol=2e-3)


def test_equal_earth_by_hand():
    """The corner of the map: 2.7066 at 180 degrees on the equator, 1.3173 at the pole."""
    x, y = equal_earth(np.array([180.0, 0.0]), np.array([0.0, 90.0]))
    assert np.allclose([x[0], y[1]], [2.70663, 1.31736], atol=1e-4)


def test_no_land_crosses_the_date_line():
    """A ring that did would be drawn as a band across the map."""
    for code, rings in world()["shapes"].items():
        for ring in rings:
            longitudes = np.array(ring[::2])
            assert np.abs(np.diff(longitudes)).max() < 1800, code


def test_the_map_knows_nearly_every_country():
    """As a land or a dot; what it lacks are fourteen dependent territories, none with figures of its own."""
    codes = [c.code for c in countries().values() if not c.is_region]
    missing = sorted(set(codes) - set(places(codes)))
    assert missing == ["BES", "BVT", "CCK", "CXR", "GIB", "GLP", "GUF", "MTQ", "MYT", "REU", "SJM", "TKL",
                       "TUV", "UMI"]  # fmt: skip
    assert {"SGP", "MLT", "HKG"} <= set(places(codes)) - set(world()["shapes"])
