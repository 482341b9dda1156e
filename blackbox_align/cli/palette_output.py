"""How palettes, maps and their figures look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .answers import print_shares
from .screen import print_hint, print_json, print_note, print_table, say

if TYPE_CHECKING:
    from ..palette.gate import GateReport
    from ..palette.maps import PaletteMap
    from ..palette.palette import Palette
    from ..palette.scores import Scores
    from ..palette.separability import Separability
    from ..statistics.bootstrap import Estimate


def show_palette(palette: Palette, as_json: bool) -> None:
    """A palette's colours and its gate."""
    from ..results.plain import to_plain

    record = palette.record
    if as_json:
        print_json(to_plain(record))
        return
    say(f"{record.map.title}, on {record.model}", style="bold")
    print_table(
        ("colour", "name", "countries", "adapter"),
        [
            (colour.code, colour.name, " ".join(colour.countries), record.experts[colour.code][:12])
            for colour in record.map.colours
        ],
    )
    gate = record.gate
    say(
        f"Gate: rows from the {gate.source} of the colours' names"
        f"{', centred' if gate.centred else ''}, one for every {gate.scope}, temperature "
        f"{gate.temperature:g}."
    )
    if record.fitted_items:
        say(f"Fitted to {len(record.fitted_items)} questions; the others were held out.")


def print_map(palette_map: PaletteMap, far: Separability, survey: str) -> None:
    """A map with the distances within and between its colours."""
    say(f"{palette_map.title} ({palette_map.name})", style="bold")
    own, of = far.nearest_is_own
    print_table(
        ("colour", "name", "countries with answers", "within", "to other colours"),
        [
            (c.code, c.name, str(c.countries), figure(c.within, 3), figure(c.between, 3))
            for c in far.colours
        ],
        right=(2, 3, 4),
    )
    print_table(
        ("country", "colour", "nearest colour", "own colour is nearer by"),
        [(c.code, c.colour, c.nearest, figure(c.gain, 3, sign=True)) for c in far.countries],
        right=(3,),
    )
    say(
        f"JS distances (nats) between single countries' answers to {far.questions} questions of {survey}: "
        f"within colours {figure(far.within, 3)}, between them {figure(far.between, 3)}, nearer by "
        f"{figure(far.gain, 3, sign=True)}. For {own} of {of} countries the own colour is the nearest. "
        "Brackets: 95 % over questions. A colour of one country has nothing within."
    )
    if far.left_out:
        say(f"Without answers: {', '.join(far.left_out)}.")
    say()


def print_scores(scores: Scores, against: str, resamples: int = 1000) -> None:
    """Every way of answering with its points, and what ``against`` gains over it."""
    import numpy as np

    means = scores.estimate(resamples=resamples)
    gains = scores.estimate(against, resamples)
    known = {way: int((~np.isnan(scores.column(way))).sum()) for way in scores.ways}
    print_table(
        ("answers", "points", f"minus {against}", "n"),
        [
            (
                way,
                figure(means[way], 1),
                "" if way == against else figure(gains[way], 1, sign=True),
                f"{known[way]:,}",
            )
            for way in scores.ways
        ],
        right=(1, 2, 3),
    )


def print_gate(gate: GateReport) -> None:
    """What the gate does, layer by layer."""
    rows = [
        (str(n + 1), f"{e:.2f}", f"{100 * own:.0f}", f"{share:.2f}")
        for n, (e, own, share) in enumerate(
            zip(gate.entropy, gate.own, gate.own_share, strict=True)
        )
    ]
    e, own, share = gate.pooled
    rows.append(("mean of layers", f"{e:.2f}", f"{100 * own:.0f}", f"{share:.2f}"))
    print_table(
        (
            "gate, layer",
            "entropy / ln K",
            "own colour first, % of countries",
            "weight of the own colour",
        ),
        rows,
        right=(1, 2, 3),
    )


def figure(estimate: Estimate, places: int, sign: bool = False) -> str:
    """An estimate with its interval, or a dash."""
    from ..results.tables import interval

    return interval(estimate, sign, places) or "-"


def print_answer(palette: Palette, weights: Any, answered: dict[str, Any]) -> None:
    """Each colour's simulated answer and their pool, or a text."""
    names = {colour.code: colour.name for colour in palette.map.colours}
    if "options" in answered:
        heads = [f"{names[code]} ({100 * weight:.0f} %)" for code, weight in weights.items()]
        shares = [*answered["parts"].values(), answered["pool"]]
        print_shares(answered["options"], [*heads, "pool"], shares)
    else:
        print_table(
            ("colour", "share of the gate"),
            [(names[code], f"{weight:.3f}") for code, weight in weights.items()],
            right=(1,),
        )
        say()
        print_hint(answered["text"])
    say()
    for sentence in answered["decision"]["because"]:
        say(f"* {sentence}")
    print_note(answered["note"])
