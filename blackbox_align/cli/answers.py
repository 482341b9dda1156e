"""How answers of a committee look: the decision, shares, texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .screen import print_hint, print_json, print_note, print_table, say

if TYPE_CHECKING:
    from ..committee import Decision


def print_answered(
    as_json: bool, question: str, decision: Decision, answered: Mapping[str, Any]
) -> None:
    """The decision and what was answered by it, for a person or as JSON."""
    if as_json:
        print_json({"question": question, "decision": decision.to_dict(), **answered})
    else:
        _print(decision, answered)


def _print(decision: Decision, answered: Mapping[str, Any]) -> None:
    if decision.abstains:
        say("No expert answers.")
    else:
        print_table(
            ("expert", "weight"),
            [(name, f"{weight:.3f}") for name, weight in decision.weights.items()],
            right=(1,),
        )
    say()
    for sentence in (*decision.because, *decision.change):
        say(f"* {sentence}")
    say()
    if "options" in answered:
        _print_closed(answered)
    if "combined" in answered:
        _print_combined(answered)
    if "composed" in answered:
        _print_composed(answered["composed"])
    for text in answered.get("texts", ()):
        say(f"{', '.join(text['experts'])} ({text['ended']}):", style="bold")
        print_hint(f"{text['text']}\n")
    if answered:
        print_note(answered["note"])


def _print_combined(answered: Mapping[str, Any]) -> None:
    rows = [
        (option, f"{100 * row['share']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]")
        for option, row in answered["combined"].items()
    ]
    say("\nReal and simulated answers together (prediction-powered inference):")
    print_table(("option", "share, % [95 %]"), rows, right=(1,))
    say(f"The simulation was worth {answered['worth']:.1f} real answers more.")


def _print_composed(composed: Mapping[str, Any]) -> None:
    topics = ", ".join(composed["topics"]) or "none found"
    say(f"Sensitivity {composed['sensitivity']} of 10; topics: {topics}.")
    for name, text in composed["answers"].items():
        say(f"{name}:", style="bold")
        print_hint(f"{text}\n")
    say("Composed:", style="bold")
    print_hint(composed["text"] or "Nothing: no expert was asked.")


def _print_closed(answered: Mapping[str, Any]) -> None:
    if "counts" in answered:
        counted = zip(answered["options"], map(str, answered["counts"]), strict=True)
        print_table(("option", "simulated answers"), list(counted), right=(1,))
        return
    columns = {**answered.get("parts", {}), "mixture": answered["mixture"]}
    print_shares(answered["options"], list(columns), list(columns.values()))


def print_shares(
    options: Sequence[str], heads: Sequence[str], shares: Sequence[Sequence[float]]
) -> None:
    """A row per option, and the shares of everybody who answers in a column each."""
    rows = [
        [option, *(f"{100 * one[n]:.1f}" for one in shares)] for n, option in enumerate(options)
    ]
    print_table(("simulated, %", *heads), rows, right=range(1, len(heads) + 1))
