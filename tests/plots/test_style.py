from itertools import pairwise

import numpy as np

from blackbox_align.plots.style import COLOURS, DASHES, LADDER, MARKS, SERIES


def luminance(colour):
    """Relative luminance of WCAG 2.2."""
    channels = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_marks_and_text_stand_out_from_the_page():
    """3:1 for what is drawn, 4.5:1 for what is read, light and dark (WCAG 2.2, 1.4.11 and 1.4.3)."""
    for side in (0, 1):
        page = COLOURS["paper"][side]
        assert all(contrast(COLOURS[f"s{n}"][side], page) >= 3 for n in range(1, 9))
        assert all(contrast(COLOURS[name][side], page) >= 4.5 for name in ("ink", "muted", "s1"))


def test_series_are_told_apart_without_colour():
    """No two share a mark or a dash."""
    assert len(set(MARKS)) == len(set(map(str, DASHES))) == len(SERIES) == 8


def test_the_ladder_climbs_in_grey():
    """Each step is darker than the one before on a light page, lighter on a dark one."""
    light = [luminance(COLOURS[f"l{n}"][0]) for n in range(1, 6)]
    dark = [luminance(COLOURS[f"l{n}"][1]) for n in range(1, 6)]
    assert all(a / b > 1.3 for a, b in pairwise(light))
    assert all(b / a > 1.3 for a, b in pairwise(dark))
    assert len({both[0] for both in COLOURS.values()}) == len(COLOURS)
    assert len(LADDER) == 5
