"""Makes ``blackbox_align/plots/world/world.json`` from the npm package world-atlas 2.0.2.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python experiments/world_map/make.py package

Natural Earth is in the public domain. Arcs that two countries share are simplified once, so that no gap
opens between them. Needs pycountry (extra `routing`).
"""

import json
import sys
from pathlib import Path

import numpy as np
import pycountry

from blackbox_align.populations.countries import countries

TOLERANCE = 0.25  # degrees: a quarter of a printed line on a map of 15 cm
OUT = Path(__file__).parents[2] / "blackbox_align/plots/world/world.json"
# Without an ISO number in the source.
NAMED = {"Kosovo": "XKX"}
LEFT_OUT = {"ATA"}


def decode(topology: dict) -> list[np.ndarray]:
    """Arcs (n, 2) in degrees: the source holds them as differences of integers."""
    scale, shift = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    return [np.cumsum(np.array(arc), axis=0) * scale + shift for arc in topology["arcs"]]


def simplify(line: np.ndarray) -> np.ndarray:
    """Douglas and Peucker (1973): the points without which a line is TOLERANCE off or less."""
    if len(line) < 3:
        return line
    start, end = line[0], line[-1]
    along, size = end - start, np.hypot(*(end - start))
    away = line - start
    if size == 0:
        off = np.hypot(away[:, 0], away[:, 1])
    else:
        off = np.abs(away[:, 0] * along[1] - away[:, 1] * along[0]) / size
    far = int(np.argmax(off))
    if off[far] <= TOLERANCE:
        return line[[0, -1]]
    return np.concatenate([simplify(line[: far + 1])[:-1], simplify(line[far:])])


def code_of(geometry: dict) -> str:
    name = geometry["properties"]["name"]
    if name in NAMED:
        return NAMED[name]
    found = pycountry.countries.get(numeric=str(geometry.get("id", "")).zfill(3))
    return found.alpha_3 if found else ""


def rings_of(geometry: dict, arcs: list[np.ndarray]) -> list[np.ndarray]:
    """The outer rings of a shape; holes are other countries, which are drawn on top."""
    parts = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    rings = []
    for part in parts:
        pieces = [arcs[n] if n >= 0 else arcs[~n][::-1] for n in part[0]]
        rings.append(np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])]))
    return rings


def cut(ring: np.ndarray) -> list[np.ndarray]:
    """A ring that crosses the date line as one on either side of it (Sutherland and Hodgman 1974)."""
    steps = np.diff(ring[:, 0])
    turns = np.concatenate([[0], np.cumsum((steps < -180).astype(int) - (steps > 180))])
    if not turns.any():
        return [ring]
    open_ring = ring + np.stack([360.0 * (turns - turns.min()), 0 * turns], axis=1)
    return [half for half in (_half(open_ring, 1.0), _half(open_ring, -1.0)) if len(half)]


def _half(ring: np.ndarray, side: float) -> np.ndarray:
    kept = []
    for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        inside = [side * (180 - point[0]) >= 0 for point in (a, b)]
        if inside[0]:
            kept.append(a)
        if inside[0] != inside[1]:
            kept.append(a + (b - a) * (180 - a[0]) / (b[0] - a[0]))
    half = np.array([*kept, kept[0]]) if kept else np.zeros((0, 2))
    return half if side > 0 or not len(half) else half - [360, 0]


def area(ring: np.ndarray) -> float:
    x, y = ring.T
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2


def main(folder: Path) -> None:
    coarse = json.loads((folder / "countries-110m.json").read_text())
    arcs = [simplify(arc) for arc in decode(coarse)]
    shapes: dict[str, list[list[int]]] = {}
    for geometry in coarse["objects"]["countries"]["geometries"]:
        code = code_of(geometry) or f"X-{geometry['properties']['name']}"
        halves = [half for ring in rings_of(geometry, arcs) for half in cut(ring)]
        rings = [np.round(ring * 10).astype(int) for ring in halves]
        rings = [ring for ring in rings if len(ring) > 3]
        if code not in LEFT_OUT and rings:
            shapes[code] = [ring.ravel().tolist() for ring in rings]
    fine = json.loads((folder / "countries-50m.json").read_text())
    arcs = decode(fine)
    points = {}
    for geometry in fine["objects"]["countries"]["geometries"]:
        if not geometry.get("type") or "arcs" not in geometry:
            continue
        code = code_of(geometry)
        if code in countries():
            ring = max(rings_of(geometry, arcs), key=area)
            points[code] = np.round((ring.min(0) + ring.max(0)) / 2, 1).tolist()
    known = {c.code for c in countries().values() if not c.is_region}
    print("no place:", sorted(known - set(points)), "dots:", len(known - set(shapes)))
    value = {
        "source": "Natural Earth, 1:110m and 1:50m, public domain; by world-atlas 2.0.2",
        "shapes": dict(sorted(shapes.items())),
        "points": dict(sorted(points.items())),
    }
    OUT.write_text(json.dumps(value, separators=(",", ":")) + "\n", encoding="utf-8")
    print(OUT.stat().st_size, "bytes,", len(shapes), "shapes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
