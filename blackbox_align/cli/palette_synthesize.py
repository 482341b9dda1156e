"""``bbalign palette synthesize``: preferences written by a chat model, here or at an address."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import SpecificationError
from .options import AsJson, Device, check_finite, check_most, named_values, panel
from .palette import MapName, palette_app
from .progress import going_on, live_sentence
from .screen import command, duration, print_hint, print_json, print_note, print_table, say

if TYPE_CHECKING:
    from ..engines.chat import Chat
    from ..palette.estimate import Estimate
    from ..palette.synthesis import Synthesis

_KEYS = ("BBALIGN_API_KEY", "OPENAI_API_KEY")
_caps, _calls, _left = map(panel, ("What it may cost", "How calls are made", "What is kept"))


@palette_app.command("synthesize")
def synthesize_command(
    folder: Annotated[Path, typer.Argument(help="The synthesis's folder.", show_default=False)],
    engine: Annotated[
        str,
        typer.Option(
            help="An OpenAI-compatible address, http://localhost:8000/v1; the key comes from "
            "BBALIGN_API_KEY, else OPENAI_API_KEY. Default: a model in this process."
        ),
    ] = "",
    model: Annotated[
        str, typer.Option(help="The model's name there; here, one of the hub or a folder.")
    ] = "",
    questions: Annotated[
        str, typer.Option(help="Ours, or a file of PRISM's form here or at hf://datasets/...")
    ] = "palette-questions",
    count: Annotated[int | None, typer.Option(help="So many of them. Default: all.")] = None,
    map_name: MapName = "continents",
    words: Annotated[int, typer.Option(help="Of an answer, at most.", min=1)] = 150,
    dry_run: Annotated[
        bool,
        _caps(
            "--dry-run",
            help="Say what all will cost, from --probe questions, whose calls are kept.",
        ),
    ] = False,
    probe: Annotated[int, _caps(help="Questions that a dry run asks to their end.")] = 6,
    most_requests: Annotated[int | None, _caps(help="Of the folder, vain ones too.")] = None,
    most_tokens: Annotated[int | None, _caps(help="Read and written.")] = None,
    most_cost: Annotated[float | None, _caps(help="In the currency of the prices.")] = None,
    price_read: Annotated[float | None, _caps(help="Of a million tokens read.")] = None,
    price_written: Annotated[float | None, _caps(help="Of a million tokens written.")] = None,
    together: Annotated[int, _calls(help="Calls at once.")] = 4,
    tries: Annotated[int, _calls(help="For a call.")] = 6,
    seconds: Annotated[float, _calls(help="For an answer.")] = 120.0,
    parameter: Annotated[
        list[str] | None,
        _calls(
            "--set",
            help="NAME=VALUE of a request's body, VALUE in JSON: temperature=0.7, max_tokens=null.",
        ),
    ] = None,
    device: Device = "auto",
    leave_out: Annotated[
        list[str] | None,
        _left(help="A finding whose answers are in no preference; repeat for more."),
    ] = None,
    verdicts: Annotated[Path | None, _left(help="What a reader's page has saved.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make preferences with a chat model: answers of every colour, remarks of the others, revisions.

    A finished call is never made again: the same command goes on after a kill, and with more questions.
    """
    from ..engines.chat import ChatHere
    from ..palette.calling import Caps, Patience, Price
    from ..palette.maps import load_map
    from ..palette.questions import read_questions
    from ..palette.steps import SynthesisSettings
    from ..palette.synthesis import foresee, read_verdicts, synthesize

    check_most(1_000_000, count=count, probe=probe)
    check_finite(seconds=seconds, most_cost=most_cost, price_read=price_read)
    price = None
    if price_read is not None or price_written is not None:
        price = Price(price_read or 0.0, price_written or 0.0)
    caps = Caps(most_requests, most_tokens, most_cost, price)
    patience, settings = Patience(together, tries), SynthesisSettings(words)
    asked = read_questions(questions).drawn(count)
    given = (folder, load_map(map_name), _chat(engine, model, device, parameter or (), seconds))
    if not dry_run and (most_requests, most_tokens, most_cost) == (None, None, None):
        raise SpecificationError(
            f"This is {len(asked.texts) * 3 * len(given[1].colours):,} calls or more; give a cap with "
            "--most-requests, --most-tokens or --most-cost. --dry-run says what it will cost."
        )
    read = read_verdicts(verdicts) if verdicts else {}
    with closing(given[2]):
        if dry_run:
            found = foresee(*given, asked, settings, caps, patience, probe=probe)
            _show_estimate(found, len(asked.texts), asked.left_out, as_json)
            return
        if isinstance(given[2], ChatHere) and not given[2].engine.info.writes:
            print_note(f"{given[2].engine.info.name} writes no prose: its texts only try the way.")
        with going_on(f"what is finished is kept in {folder}"), live_sentence("Asking") as tell:
            made = synthesize(
                *given, asked, settings, caps, patience, leave_out=leave_out or (), verdicts=read,
                on_call=lambda finished, calls: tell(f"{finished:,} of {calls:,} calls are finished"),
            )  # fmt: skip
    _show(made, map_name, as_json)


def _chat(
    engine: str, model: str, device: str, parameters: list[str] | tuple[str, ...], seconds: float
) -> Chat:
    from .. import engines
    from ..engines.chat import ChatAt, ChatHere

    values: dict[str, Any] = {}
    expected = "--set takes NAME=VALUE of a request's body"
    for name, value in named_values(parameters, expected):
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
        if name in ("model", "messages", "stream"):
            raise SpecificationError(f"{expected}; not '{name}={value}'.")
    if not engine:
        return ChatHere(engines.open(model or "respondent-tiny", device=device), values)
    if not model:
        raise SpecificationError(
            f"Name the model with --model; those at an address are listed at {engine.rstrip('/')}/models."
        )
    variable = next((name for name in _KEYS if os.environ.get(name)), _KEYS[-1])
    key = os.environ.get(variable, "").strip()
    return ChatAt(engine, model, key, variable, values, seconds)


def _show_estimate(
    found: Estimate, questions: int, left_out: tuple[tuple[str, int], ...], as_json: bool
) -> None:
    from ..results.plain import to_plain

    if as_json:
        print_json({**to_plain(found), "questions": questions, "left_out": dict(left_out)})
        return
    rows = [
        ("questions", f"{questions:,}"),
        ("calls", f"{found.calls:,}, of which {found.calls - found.left:,} are finished"),
        ("tokens read", f"{found.read:,.0f}"),
        ("tokens written", f"{found.written:,.0f}"),
        ("tokens", f"{found.tokens:,.0f}"),
        ("price", "" if found.cost is None else f"{found.cost:,.2f}"),
        ("time to go", "" if found.seconds is None else duration(found.seconds)),
    ]
    print_table(("what", "how much"), [row for row in rows if row[1]])
    _say_left_out(left_out)
    if found.measured:
        say(f"From {found.measured:,} finished calls; requests in vain come on top.")
    else:
        say("A guess: no call is finished. With --probe 6 a dry run asks six questions.")


def _say_left_out(left_out: tuple[tuple[str, int], ...]) -> None:
    if left_out:
        told = ", ".join(f"{number:,} {why}" for why, number in left_out)
        say(f"Left out of the questions: {told}.")


def _show(made: Synthesis, map_name: str, as_json: bool) -> None:
    from ..results.plain import to_plain

    if as_json:
        told = {
            name: value
            for name, value in vars(made).items()
            if name not in ("answers", "folder", "incomplete")
        }
        print_json({
            **told, "folder": str(made.folder), "found": made.found,
            "incomplete": [list(one) for one in to_plain(made.incomplete)],
        })  # fmt: skip
        return
    tokens = f"{made.read + made.written:,} tokens"
    print_table(
        ("what", "how much"),
        [
            ("questions that are whole", f"{made.whole:,} of {made.questions:,}"),
            ("calls finished", f"{made.finished:,} of {made.calls:,}"),
            ("requests", f"{made.requests:,}"),
            ("read and written", tokens if made.counted else f"about {tokens}: not all were told"),
            ("preferences", f"{made.preferences:,}"),
            ("answers left out", f"{made.left_out:,}"),
        ],
    )
    total = max(len(made.answers), 1)
    print_table(
        ("what the checks found", "answers", "share"),
        [(name, f"{n:,}", f"{100 * n / total:.0f} %") for name, n in made.found.items()],
        right=(1, 2),
    )
    for question, why in made.incomplete[:10]:
        say(f"Not whole: {question[:70]} ({why})")
    if len(made.incomplete) > 10:
        say(f"... and {len(made.incomplete) - 10:,} more.")
    print_hint(f"To read and judge: {made.folder / 'review.html'}")
    again = command(
        "palette", "align", "PALETTE", "--map", map_name, "--preferences",
        made.folder / "preferences.jsonl",
    )  # fmt: skip
    print_hint(f"To train on them: {again}")
