"""Preferences from a chat model: every colour's answer, remarks on it by the others, the answer revised.

The calls are those of :mod:`.steps`. Of a question that is whole, every colour's final answer is chosen once
and rejected for the others.

::

    folder/
      synthesis.json      what was asked of whom; no key
      calls.jsonl         a line for every call: what is finished is never asked again
      answers.jsonl       every final answer with its way and what the checks found
      preferences.jsonl   what `bbalign palette align --preferences` reads
      review.html         a page for a person to accept or reject

All but the journal follows from the journal alone, so that a run that was killed ends on the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ..engines.chat import Chat
from ..errors import ChangedSpecificationError, RunError, SpecificationError, UnknownNameError
from ..files.atomic import plain_errors, read_json, write_json, write_text
from ..results.plain import to_plain
from .calling import Caller, Caps, Ended, Patience
from .calls import Call, CallJournal
from .checks import CHECKS
from .estimate import Estimate, estimate
from .maps import PaletteMap
from .preferences import to_lines
from .questions import Questions
from .review import ACCEPT, REJECT, review_page
from .steps import SynthesisAnswer, SynthesisSettings, Synthesizer, preferences_of

RECORD, JOURNAL = "synthesis.json", "calls.jsonl"
ANSWERS, PREFERENCES, REVIEW = "answers.jsonl", "preferences.jsonl", "review.html"


@dataclass(frozen=True)
class Synthesis:
    """What a folder holds.

    ``calls`` are all that the questions need, ``finished`` those that are done; ``requests``, ``read`` and
    ``written`` what all of them cost; ``left_out`` answers in no preference, for a finding or a verdict.
    """

    folder: Path
    questions: int
    whole: int
    preferences: int
    calls: int
    finished: int
    requests: int
    read: int
    written: int
    counted: bool
    answers: tuple[SynthesisAnswer, ...] = field(repr=False)
    left_out: int = 0
    incomplete: tuple[tuple[str, str], ...] = ()

    @property
    def found(self) -> dict[str, int]:
        """How many answers each check found something in."""
        return {name: sum(name in one.found for one in self.answers) for name in CHECKS}


def synthesize(
    folder: Path | str,
    palette_map: PaletteMap,
    chat: Chat,
    questions: Questions,
    settings: SynthesisSettings | None = None,
    caps: Caps | None = None,
    patience: Patience | None = None,
    *,
    leave_out: Collection[str] = (),
    verdicts: Mapping[str, str] | None = None,
    on_call: Callable[[int, int], None] = lambda finished, calls: None,
) -> Synthesis:
    """Make what is missing of a synthesis, and write what follows from all calls that are finished.

    Parameters
    ----------
    folder : of this synthesis; a second call goes on in it, with more questions if there are
    caps : what all calls of the folder may amount to; by default nothing is asked
    leave_out : findings, some of :data:`.checks.CHECKS`, whose answers are in no preference
    verdicts : ``accept`` or ``reject`` by an answer's id, as the page for readers writes them
    on_call : told how many calls are finished, and how many there are

    Raises
    ------
    ChangedSpecificationError
        The folder was begun with another model, map or settings.
    RunError
        A cap or trouble ended it before all was made: what is finished is written and kept.
    KeyboardInterrupt
        So was it by Ctrl-C.
    """
    for name in leave_out:
        if name not in CHECKS:
            raise UnknownNameError("finding", name, CHECKS, f"There are {', '.join(CHECKS)}.")
    place = Path(folder)
    asked = Synthesizer(palette_map, questions.texts, chat, settings or SynthesisSettings())
    with _opened(place, asked, questions.source) as made:
        ended = Ended()
        if caps is not None:
            ended = _ask(made, _caller(made, caps, patience), on_call)
        found = _written(place, made, ended, leave_out, verdicts or {})
    if ended.interrupted:
        raise KeyboardInterrupt
    if ended.why:
        raise RunError(
            f"{ended.why[:1].upper()}{ended.why[1:]}. {found.finished:,} of {found.calls:,} calls are "
            f"finished, {found.whole:,} of {found.questions:,} questions are whole; all of it is kept in "
            f"{place}, and the same command goes on."
        )
    return found


def foresee(
    folder: Path | str,
    palette_map: PaletteMap,
    chat: Chat,
    questions: Questions,
    settings: SynthesisSettings | None = None,
    caps: Caps | None = None,
    patience: Patience | None = None,
    *,
    probe: int = 6,
) -> Estimate:
    """What a synthesis will cost, from a few questions that are asked to their end.

    Their calls are kept, and none is made where so many are finished already; ``probe`` 0 asks nothing. The
    files that follow from the journal stay as they are.

    Raises
    ------
    RunError
        A cap or trouble ended the probe.
    """
    asked = Synthesizer(palette_map, questions.texts, chat, settings or SynthesisSettings())
    with _opened(Path(folder), asked, questions.source) as made:
        wanted = probe * made.calls // len(questions.texts)
        if sum(1 for _ in made.finished()) < wanted:
            some = replace(made, questions=questions.drawn(probe).texts)
            ended = _caller(made, caps or Caps(), patience).run(some)
            if ended.interrupted:
                raise KeyboardInterrupt
            why = ended.why or (ended.given_up[0][1] if ended.given_up else "")
            if why:
                raise RunError(f"The probe came to no end: {why}. What is finished is kept.")
        return estimate(made, (patience or Patience()).together, (caps or Caps()).price)


def _caller(made: Synthesizer, caps: Caps, patience: Patience | None) -> Caller:
    most = made.settings.most_tokens
    return Caller(made.chat, made.journal, most, caps, patience or Patience())


def _ask(made: Synthesizer, caller: Caller, on_call: Callable[[int, int], None]) -> Ended:
    """Make the calls that are missing, and say how many are finished after each."""
    finished = sum(1 for _ in made.finished())

    def told(call: Call) -> None:
        nonlocal finished
        finished += 1
        on_call(finished, made.calls)

    on_call(finished, made.calls)
    return caller.run(made, told)


def _begin(folder: Path, made: Synthesizer, source: str) -> None:
    """Write what is asked, or refuse a folder that was begun with something else."""
    record = {
        "model": made.chat.name,
        "parameters": dict(made.chat.parameters),
        "settings": asdict(made.settings),
        "map": to_plain(made.palette_map),
    }
    path = folder / RECORD
    if path.exists():
        before = {name: read_json(path).get(name) for name in record}
        changed = [name for name, value in record.items() if value != before[name]]
        if changed:
            raise ChangedSpecificationError(
                f"{folder} was begun with another {' and '.join(changed)} "
                f"({', '.join(json.dumps(before[name])[:80] for name in changed)}); take another folder, or "
                "what it was begun with."
            )
    elif (folder / JOURNAL).exists():
        raise RunError(f"{folder} has lost its {RECORD}; take another folder.")
    write_json(path, {**record, "questions": source, "count": len(made.questions)})


@contextmanager
def _opened(folder: Path, made: Synthesizer, source: str) -> Iterator[Synthesizer]:
    """With the journal of a folder. One process at a time; one that holds something else is refused."""
    from filelock import FileLock, Timeout

    begun = (folder / RECORD).exists() or (folder / "lock").exists()
    if folder.is_dir() and not begun and any(folder.iterdir()):
        raise SpecificationError(
            f"{folder} is there and is no synthesis; name a folder that is new, or that of one."
        )
    with plain_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(
                f"{folder} is being worked on by another process; wait for it, or take another folder."
            ) from None
    try:
        _begin(folder, made, source)
        yield replace(made, journal=CallJournal(folder / JOURNAL))
    finally:
        lock.release()


def _written(
    folder: Path,
    made: Synthesizer,
    ended: Ended,
    leave_out: Collection[str],
    verdicts: Mapping[str, str],
) -> Synthesis:
    """Write the files that follow from the journal."""
    answers: list[SynthesisAnswer] = []
    incomplete: list[tuple[str, str]] = []
    why = {call.place[0]: cause for call, cause in ended.given_up}
    for number, question in enumerate(made.questions):
        whole = made.answers_of(number)
        if whole is None:
            incomplete.append((question, why.get(number, "not asked to its end")))
        else:
            answers += [replace(one, verdict=verdicts.get(one.id, "")) for one in whole]
    kept = [one for one in answers if one.verdict != REJECT and not set(one.found) & set(leave_out)]
    found, text = 0, ""
    for colour in made.palette_map.colours:
        some = preferences_of(kept, colour.code, colour.population.preamble())
        found, text = found + len(some), text + to_lines(colour.code, some)
    write_text(folder / PREFERENCES, text)
    write_text(
        folder / ANSWERS,
        "".join(json.dumps(to_plain(one), ensure_ascii=False) + "\n" for one in answers),
    )
    write_text(folder / REVIEW, review_page(answers, made.palette_map, made.chat.name))
    entries = list(made.finished())
    journal = made.journal
    return Synthesis(
        folder, len(made.questions), len(made.questions) - len(incomplete), found, made.calls,
        len(entries), journal.requests, journal.read, journal.written,
        all(entry["counted"] for entry in entries), tuple(answers), len(answers) - len(kept),
        tuple(incomplete),
    )  # fmt: skip


def read_verdicts(path: Path | str) -> dict[str, str]:
    """What the page for readers has written: ``accept`` or ``reject`` by the id of an answer."""
    value = read_json(Path(path))
    if not isinstance(value, dict) or not all(v in (ACCEPT, REJECT) for v in value.values()):
        raise SpecificationError(
            f"{path} holds no verdicts: expected an object with {ACCEPT!r} or {REJECT!r} by an answer's id."
        )
    return value
