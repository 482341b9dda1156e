"""What is seen in a synthetic answer without a reader: counted and shown, and nothing dropped in silence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from ..populations.countries import find_country
from .maps import PaletteMap

REFUSAL = "refusal"
CUT, LONG = "cut at its longest", "too long"
OTHER_COLOUR = "another colour is named"
OTHER_SCRIPT = "another script than the question"
COPY, UNCHANGED = "nearly another colour's answer", "unchanged after the remarks"
CHECKS = (REFUSAL, CUT, LONG, OTHER_COLOUR, OTHER_SCRIPT, COPY, UNCHANGED)

COPIED = 0.5
"""Share of three-word runs in common, of those in either, from which two answers are near-copies."""
_TOO_LONG = 1.5  # times the words that were asked for
_REFUSALS = re.compile(
    r"^\W*(i['’]?m (very |really )?sorry|i am (very )?sorry|sorry,|i apologi[sz]e|unfortunately, i|"
    r"i (can(no|['’])t|cannot|won['’]t|will not|am (not able|unable)|['’]m (not able|unable))\b|"
    r"as an? (ai|artificial|large language|language)\b|it (is|would be) not (appropriate|possible) for me)",
    re.IGNORECASE,
)


def findings(
    question: str,
    colour: str,
    answers: Mapping[str, str],
    before: str,
    palette_map: PaletteMap,
    words: int,
    cut: bool = False,
) -> tuple[str, ...]:
    """Which of :data:`CHECKS` an answer gives cause for.

    Parameters
    ----------
    answers : the final answers of all colours, by code
    before : the answer of the colour before the remarks
    words : how many were asked for at most
    cut : whether the model stopped because it was not allowed more
    """
    text = answers[colour]
    others = [one for code, one in answers.items() if code != colour]
    seen = {
        REFUSAL: bool(_REFUSALS.match(text)),
        CUT: cut,
        LONG: len(text.split()) > _TOO_LONG * words,
        OTHER_COLOUR: bool(_names_of_others(palette_map, colour).search(text)),
        OTHER_SCRIPT: _script(text) != _script(question),
        COPY: any(likeness(text, other) >= COPIED for other in others),
        UNCHANGED: text.split() == before.split(),
    }
    return tuple(name for name in CHECKS if seen[name])


def likeness(one: str, other: str) -> float:
    """Runs of three words in both texts, over those in either: 1 for the same words, 0 for none."""
    runs = [_runs(re.findall(r"\w+", text.casefold())) for text in (one, other)]
    either = runs[0] | runs[1]
    return len(runs[0] & runs[1]) / len(either) if either else 1.0


def _runs(words: Sequence[str]) -> set[tuple[str, ...]]:
    if len(words) < 3:
        return {tuple(words)} if words else set()
    return {tuple(words[n : n + 3]) for n in range(len(words) - 2)}


def _names_of_others(palette_map: PaletteMap, colour: str) -> re.Pattern[str]:
    """The names of the other colours and of their countries, with what is made of them: Africa, African.

    Words of the colour's own name are left out: South America is no North America.
    """
    own = set(re.findall(r"\w+", palette_map.colour(colour).name.casefold()))
    names: list[str] = []
    for one in palette_map.colours:
        if one.code != colour:
            names += [one.name, *(find_country(code).name for code in one.countries)]
    kept = [name for name in dict.fromkeys(names) if name.casefold() not in own]
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, kept))})\w*", re.IGNORECASE)


def _script(text: str) -> str:
    """The script of most letters, as Unicode names it: LATIN, CYRILLIC, CJK ..."""
    seen: dict[str, int] = {}
    for letter in text[:2000]:
        if letter.isalpha():
            script = unicodedata.name(letter, "?").split()[0]
            seen[script] = seen.get(script, 0) + 1
    return max(seen, key=lambda name: seen[name]) if seen else ""
