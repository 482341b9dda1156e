"""The study's open answers: how much of the gold ones do they say, by a model of inference that is named.

No such model ships, and none is fetched: without one the table says that it was not run, and why.
"""

from __future__ import annotations

from pathlib import Path

from blackbox_align.adapters.adapter import Adapter
from blackbox_align.assessment.entailment import Agreement, Entailment
from blackbox_align.committee import write_all
from blackbox_align.engines.base import Engine, Request, Sampling
from blackbox_align.palette.palette import Palette
from blackbox_align.palette.preferences import Preference, read_preferences

HEADING = "Open answers, agreement with the gold ones by a model of inference"
NOT_RUN = (
    f"{HEADING}: not run. It needs a model of natural language inference (--nli FOLDER) and gold answers "
    "(--preferences FILE), and none was named."
)
TOKENS = 150  # of an answer


def agreement_lines(
    nli: str, preferences: Path | None, palette: Palette, engine: Engine, most: int = 20
) -> list[str]:
    """The rows of open answers over their floors, or the sentence that they were not made.

    ``most`` gold answers of each colour are compared; an answer is greedy and is of the colour's own people.
    """
    if not nli or preferences is None:
        return [NOT_RUN]
    gold = [
        (number, one)
        for number, colour in enumerate(palette.map.codes)
        for one in read_preferences(preferences, colour)[:most]
        if one.rejected
    ]
    judge, said = Entailment(nli), [one.chosen for _, one in gold]
    rows = [
        judge.agreement(name, said, texts)
        for name, texts in _answers(palette, engine, gold).items()
    ]
    rows += judge.floors([one.query for _, one in gold], said, [one.rejected[0] for _, one in gold])
    return [
        f"{HEADING} ({nli}), x 100; n = {len(gold)} answers of {len(palette.map.codes)} colours.",
        *("", "| answer | gold entails it | it entails the gold | cut |", "|---|---|---|---|"),
        *map(_line, rows),
    ]


def _answers(
    palette: Palette, engine: Engine, gold: list[tuple[int, Preference]]
) -> dict[str, list[str]]:
    """Texts by row: the model as it is, told the colour, under the colour, and the blend told the colour."""
    told = [colour.population.preamble() for colour in palette.map.colours]
    own, blend = palette.adapters(), palette.blend()
    asked = {
        "Vanilla": [(Adapter(), "") for _ in gold],
        "Prompting": [(Adapter(), told[number]) for number, _ in gold],
        "own colour": [(own[number], "") for number, _ in gold],
        "the blend, told the colour": [(blend, told[number]) for number, _ in gold],
    }
    return {
        name: [
            text.text
            for text in write_all(
                engine,
                [
                    Request(
                        f"{before}\n{one.query}".strip(), Sampling(TOKENS, 0.0), ((adapter, 1.0),)
                    )
                    for (adapter, before), (_, one) in zip(pairs, gold, strict=True)
                ],
            )
        ]
        for name, pairs in asked.items()
    }


def _line(row: Agreement) -> str:
    return f"| {row.name} | {row.forward:.1f} | {row.backward:.1f} | {row.cut} |"
