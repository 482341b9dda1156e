"""Labels that are no answer: "don't know", refused, not asked, missing, in many languages.

A label counts only as a whole: "I do not know anyone" is an answer. What is left out of a file, and
what resembles it but was kept, are both named by ``bbalign surveys check``; a file can say which
(``missing`` in our own forms).

The phrases, in ``surveys/non-response/phrases.yaml``, are usual wordings of "don't know", "refused", "no
answer" and "not applicable", written down by hand with large programmes in mind (European Social Survey,
World Values Survey, Eurobarometer, Latinobarómetro, Afrobarometer and others). They are not taken from a
kept table, and were not checked against the national questionnaires. Wordings that some programmes use as an
opinion ("hard to say", "not sure", "it depends", "undecided") are not among them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from ..files.data import data_folder
from ..files.missing import is_missing_code, missing_codes
from ..files.yaml import read_yaml

_NOTE = re.compile(
    r"[(\[{]\s*(vol\.?|volunteered|do not read( out)?|don'?t read( out)?|dnr|spontaneous|spont\.?|nicht "
    r"vorlesen|no leer|ne pas lire|no leido|nao ler|unprompted|not read( out)?|hidden)\s*[)\]}]"
)
_OPENING = re.compile(r"^[-+−]?\d{1,7}\s*[.:=)–]\s*(?=\D)|^[-+−]?\d{1,7}\s+[-–]?\s*(?=[^\W\d])")
_WITH_REASON = re.compile(
    r"(other )?missing ?[;:(].*|inap ?[;:.(].*|not applicable ?[;:(].*|filtered.*"
)
_RANGE = re.compile(r"(don'?t )?-\d+(:-\d+)?")  # the code books' range for non-response
_SPLIT = re.compile(
    r"[/;,|+&・、，／·]| or | and | oder | ou | o | or | y | e | i | ja | ve | и | или |[()]|--?"
)
# Words of which one in a label is reason enough to say that it was kept as an answer.
_RESEMBLES = re.compile(
    r"\b(know|dk|refus\w*|missing|no answer|not answer\w*|not sure|unsure|uncertain|undecided|no opinion|"
    r"not applicable|hard to say|difficult to say|can'?t say|depends|prefer not|declin\w*|not asked|"
    r"sabe|contesta|sait pas|weiss nicht|angabe|nao sei|non so|weet niet|vet|trudno|затруд\w*|отказ\w*)\b"
)


def _bare(label: str) -> str:
    """A label without case, accents, codes in front, notes for interviewers and marks around it."""
    text = re.sub(r"[’‘´`ʼ′]", "'", label)  # first: NFKC takes the acute apart
    text = unicodedata.normalize("NFKC", text).casefold().replace("ß", "ss")
    text = text.replace("ı", "i").replace("ø", "o").replace("æ", "ae")
    text = text.replace("đ", "d").replace("ł", "l").replace("\u200c", " ")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = _NOTE.sub("", text)
    text = _OPENING.sub("", text.strip())
    return " ".join(text.strip(" .\"'*†‡_:;,!#–—").split())


@lru_cache
def _phrases() -> tuple[frozenset[str], frozenset[str]]:
    """The phrases of all languages, bare: those that are no answer, and those that are none beside them."""
    listed = read_yaml(data_folder() / "non-response" / "phrases.yaml").value
    read = {key: frozenset(map(_bare, text.split("; "))) for key, text in listed.items()}
    beside = read.pop("beside")
    return frozenset().union(*read.values()), beside


@lru_cache(8192)
def is_missing(option: str) -> bool:
    """Whether an option is no answer: "don't know", refused, no answer, not asked, missing.

    Answers that people volunteered ("Neither (VOL)") are opinions. So is "I do not know anyone".
    """
    bare, (phrases, beside) = _bare(option), _phrases()
    inner = bare.strip("()[]{}<> ")
    if bare in phrases or inner in phrases or _WITH_REASON.fullmatch(inner):
        return True
    if _RANGE.fullmatch(option.strip().casefold()):
        return True
    parts = [part.strip(" .\"'*[]{}<>:") for part in _SPLIT.split(bare)]
    told = [part for part in parts if part]
    return any(part in phrases for part in told) and phrases | beside >= set(told)


def non_responses(options: Sequence[str]) -> set[str]:
    """Those of an item's options that are no answers, in words or as codes.

    Codes (88, 99, -1) are told from the whole of the options: see :func:`.missing.missing_codes`. A
    negative number among words is one; in a scale from -2 to 2 it is an answer.
    """
    numbers = {option: int(option) for option in options if _is_code(option)}
    found = {option for option in options if option not in numbers and is_missing(option)}
    words = [option for option in options if option not in numbers and option not in found]
    codes = missing_codes(list(numbers.values()))
    if words:  # a ladder with words at its ends, or words with codes for those who did not answer
        codes |= {code for code in numbers.values() if code < 0 and -code not in numbers.values()}
        if not any(not is_missing_code(code) for code in numbers.values()):
            codes |= {code for code in numbers.values() if code < 0 or code > 60}
    return found | {option for option, code in numbers.items() if code in codes}


def _is_code(option: str) -> bool:
    return re.fullmatch(r"[-+−]?\d{1,7}", option.strip()) is not None and option.strip().isascii()


def _may_be_missing(code: int, last: int) -> bool:
    return is_missing_code(code) or 7 <= code <= last <= 9


@lru_cache
def _by_first_word() -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for phrase in _phrases()[0]:
        first, *more = phrase.split() or [""]
        if more:
            found.setdefault(first, []).append(more)
    return found


@lru_cache(8192)
def _holds_a_phrase(bare: str) -> bool:
    """Whether a label holds a phrase of several words, of which the last may have another ending, or is one
    that is no answer beside others.
    """
    words = bare.split()
    return bare in _phrases()[1] or any(
        len(more) < len(words) - n
        and words[n + 1 : n + len(more)] == more[:-1]
        and words[n + len(more)].startswith(more[-1])
        for n, word in enumerate(words)
        for more in _by_first_word().get(word, ())
    )


def look_alikes(options: Sequence[str]) -> set[str]:
    """Options that are taken for answers though they resemble what is none; for people to judge."""
    left_out = non_responses(options)
    codes = [int(option) for option in options if _is_code(option)]
    steps = codes == list(range(min(codes), max(codes) + 1)) if codes else True
    return {
        option
        for option in options
        if option not in left_out
        and (
            _RESEMBLES.search(_bare(option))
            or _holds_a_phrase(_bare(option))
            or (_is_code(option) and not steps and _may_be_missing(int(option), max(codes)))
        )
    }
