"""A page on which a person reads synthetic answers and accepts or rejects them; nothing leaves the page.

It is one file without network. Verdicts are kept by the browser as they are given, and saved as a file that
``bbalign palette synthesize --verdicts`` reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..files.policy import policy_hash
from .maps import PaletteMap

if TYPE_CHECKING:
    from .steps import SynthesisAnswer

ACCEPT, REJECT = "accept", "reject"
SHOWN = 200
"""Answers on a page: what the checks found something in comes first, then others spread over all."""
_PARTS = Path(__file__).parent / "data" / "review"


def review_page(answers: Sequence[SynthesisAnswer], palette_map: PaletteMap, model: str) -> str:
    """The page as HTML; all texts are shown as text, whatever is in them."""
    shown = chosen(answers)
    names = {colour.code: colour.name for colour in palette_map.colours}
    script = (_PARTS / "page.js").read_text(encoding="utf-8")
    style = (_PARTS / "page.css").read_text(encoding="utf-8")
    cards = "\n".join(_card(one, names[one.colour]) for one in shown)
    found = sum(bool(one.found) for one in answers)
    lead = (
        f"{len(shown):,} of {len(answers):,} final answers by {model}. The checks found something in "
        f"{found:,}. No person gave these answers: a model wrote them, and what they say of people may be "
        "false. Accept what you would let stand as one view from there, reject the rest."
    )
    policy = f"default-src 'none'; style-src {policy_hash(style)}; script-src {policy_hash(script)}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Reading synthetic answers</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>Reading synthetic answers</h1>\n<p>{escape(lead)}</p>\n"
        '<p><button type="button" id="save">Save verdicts.json</button> '
        '<span id="count" role="status"></span></p>\n'
        f"{cards}\n</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def chosen(answers: Sequence[SynthesisAnswer]) -> list[SynthesisAnswer]:
    """Those that are shown, in the order of the questions."""
    if len(answers) <= SHOWN:
        return list(answers)
    told = [n for n, one in enumerate(answers) if one.found][: SHOWN // 2]
    rest = [n for n in range(len(answers)) if n not in set(told)]
    room = SHOWN - len(told)
    spread = [rest[n * len(rest) // room] for n in range(room)]
    return [answers[n] for n in sorted({*told, *spread})]


def _card(one: SynthesisAnswer, colour: str) -> str:
    found = f'<p class="found">Found: {escape(", ".join(one.found))}.</p>' if one.found else ""
    choices = "".join(
        f'<label><input type="radio" name="{one.id}" value="{value}"'
        f"{' checked' if one.verdict == value else ''}> {value}</label> "
        for value in (ACCEPT, REJECT)
    )
    return (
        f"<article>\n<h2>{escape(one.question)}</h2>\n<h3>{escape(colour)}</h3>\n{found}"
        f'<p class="text">{escape(one.text)}</p>\n'
        f'<details><summary>Before, and the remarks</summary><p class="text">{escape(one.before)}</p>'
        f'<p class="text">{escape(one.remarks)}</p></details>\n'
        f"<fieldset><legend>Verdict</legend>{choices}</fieldset>\n</article>"
    )
