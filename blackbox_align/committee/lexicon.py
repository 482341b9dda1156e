"""Words that name countries: their names, peoples, places and languages.

Names are those of the Unicode CLDR (babel), of ISO 3166 (pycountry) and of the package's own table;
demonyms and capitals are countryinfo's, languages and their speakers the CLDR's, subdivisions ISO
3166-2's. :mod:`.traps` corrects them. Towns are left out: a small one is more often a surname.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any, Literal

from ..errors import MissingDependencyError
from ..populations.countries import countries, known_country
from . import traps

Kind = Literal["name", "people", "place", "language", "region", "nothing", "homonym"]

_WORD = re.compile(r"[^\W_]+")
_SMALLEST_CAPITAL = 1_000_000  # people: the capitals of smaller countries are more often surnames
_SMALLEST_SHARE = 0.05  # of what a word says: countries below this are left out of it


@dataclass(frozen=True)
class Sense:
    """What a phrase means: country code to its share of the meaning, 1 in sum; empty for none."""

    kind: Kind
    shares: Mapping[str, float]


NOTHING = Sense("nothing", {})
"""What a phrase means that holds a country's word and does not speak of the country."""

HOMONYM = Sense("homonym", {})
"""What a word means that only sounds like a country: a bird, a person, a verb."""


@dataclass(frozen=True)
class Match:
    """A phrase of a text, as it stands there, and what it means."""

    phrase: str
    start: int
    end: int
    sense: Sense


@dataclass(frozen=True)
class Lexicon:
    """Phrases, folded by :func:`fold`, and their senses."""

    senses: Mapping[str, Sense]

    @cached_property
    def _longest(self) -> Mapping[str, int]:
        """The words of the longest phrase that begins with a word."""
        longest: dict[str, int] = {}
        for phrase in self.senses:
            first, *others = phrase.split(" ")
            longest[first] = max(longest.get(first, 0), len(others) + 1)
        return longest

    def matches(self, text: str) -> tuple[Match, ...]:
        """The phrases of a text that name countries or regions, or only seem to; from left to right.

        The longest phrase wins: "South American" is no American. A phrase that may mean several
        countries means those of them that another phrase of the text names: the Congo of Kinshasa.
        """
        words = [(_plain(word.group()), word.start(), word.end()) for word in _WORD.finditer(text)]
        has_case = not (text.islower() or text.isupper())
        found: list[Match] = []
        at = 0
        while at < len(words):
            longest = self._longest.get(words[at][0], 0)
            for length in range(min(longest, len(words) - at), 0, -1):
                phrase = " ".join(word for word, _, _ in words[at : at + length])
                start, end = words[at][1], words[at + length - 1][2]
                sense = self._sense(phrase, text[start:end], has_case)
                if sense:
                    found.append(Match(text[start:end], start, end, sense))
                    at += length
                    break
            else:
                at += 1
        return tuple(_settled(found))

    def _sense(self, phrase: str, spelling: str, has_case: bool) -> Sense | None:
        """What a phrase means as it is spelled; where the text has no capitals, it gets credit."""
        sense = self.senses.get(phrase)
        if sense is None or (phrase in traps.CODES and not (has_case and spelling.isupper())):
            return None
        is_capital = has_case and spelling[0].isupper()
        if phrase in traps.NEEDS_CAPITAL and not is_capital:
            return HOMONYM if has_case else None
        return sense if is_capital or sense.kind not in ("place", "language") else None


def fold(text: str) -> str:
    """Words in lower case without accents, joined by blanks: "Côte d'Ivoire" is "cote d ivoire"."""
    return " ".join(_WORD.findall(_plain(text)))


def people_key(name: str) -> str:
    """A country's code by any of its names; of any other people the name, folded."""
    country = known_country(name)
    return country.code if country else fold(name)


@lru_cache
def lexicon() -> Lexicon:
    """The lexicon of all countries; needs the extra ``routing``."""
    senses: dict[str, Sense] = {}
    # What is read later stands for what was read before: the surer source last.
    senses.update(_languages())
    senses.update(_places())
    senses.update(_demonyms())
    senses.update(_names())
    for codes, words in traps.PLACES.items():
        senses.update({fold(word): _even("place", codes) for word in words.split()})
    for codes, words in traps.PEOPLES.items():
        for word in words.split():
            senses.update(dict.fromkeys(_inflected(word), _even("people", codes)))
    for where, words in traps.REGIONS.items():
        codes = " ".join(c.code for c in countries().values() if c.continent == where) or where
        for word in words.split():
            senses.update(dict.fromkeys(_inflected(word), _even("region", codes)))
    senses.update(dict.fromkeys(traps.NO_COUNTRY, NOTHING))
    senses.update(dict.fromkeys(traps.HOMONYMS, HOMONYM))
    for codes, words in traps.MEANT.items():
        senses.update({fold(word): _even("name", codes) for word in words.split()})
    return Lexicon(senses)


def _plain(text: str) -> str:
    if not text.isascii():
        text = "".join(
            c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)
        )
    return text.casefold()


def _settled(found: list[Match]) -> Iterator[Match]:
    """The matches with those of several countries narrowed to the ones that others name."""
    sure = {code for match in found if len(match.sense.shares) == 1 for code in match.sense.shares}
    for match in found:
        named = {code: share for code, share in match.sense.shares.items() if code in sure}
        if match.sense.kind != "region" and len(match.sense.shares) > 1 and named:
            sense = Sense(match.sense.kind, _to_one(named))
            match = Match(match.phrase, match.start, match.end, sense)
        yield match


def _names() -> Iterator[tuple[str, Sense]]:
    spellings: list[tuple[str, str]] = []
    by_alpha2 = {c.alpha2: c.code for c in countries().values() if c.alpha2}
    for alpha2, name in _library("babel").Locale("en").territories.items():
        if alpha2 in by_alpha2:
            spellings.append((by_alpha2[alpha2], name))
    for entry in _library("pycountry").countries:
        for field in ("name", "common_name", "official_name"):
            if hasattr(entry, field):
                spellings.append((entry.alpha_3, getattr(entry, field)))
    for country in countries().values():
        if not country.is_region:
            spellings += [(country.code, name) for name in (country.name, *country.aliases)]
    for code, name in spellings:
        # What stands in brackets may be another country's name: "Hong Kong (China)". With a comma it
        # is a catalogue's spelling, not a text's: "Congo, The Democratic Republic of the".
        phrase = fold(name.partition("(")[0]).removeprefix("the ")
        if "," not in name and len(phrase) > 3:
            yield phrase, Sense("name", {code: 1.0})


def _demonyms() -> Iterator[tuple[str, Sense]]:
    for entry in _countryinfo():
        code = entry.get("ISO", {}).get("alpha3")
        if code in countries() and code not in traps.SHARED_DEMONYMS:
            for demonym in re.split(r",|/| and ", entry.get("demonym") or ""):
                if len(fold(demonym)) > 3:
                    for phrase in _inflected(fold(demonym)):
                        yield phrase, Sense("people", {code: 1.0})
    for code, words in (("PRK", "north korean"), ("KOR", "south korean")):
        for phrase in _inflected(words):
            yield phrase, Sense("people", {code: 1.0})


def _places() -> Iterator[tuple[str, Sense]]:
    """First-level subdivisions and capitals; of one name in several countries by their people."""
    people = _people()
    by_alpha2 = {c.alpha2: c.code for c in countries().values() if c.alpha2}
    found: dict[str, set[str]] = {}
    for place in _library("pycountry").subdivisions:
        code = by_alpha2.get(place.country_code)
        if code and place.parent_code is None:
            for name in re.split(r"[(\[/]", place.name):
                found.setdefault(fold(name), set()).add(code)
    for entry in _countryinfo():
        code, capital = entry.get("ISO", {}).get("alpha3"), entry.get("capital")
        if code in people and isinstance(capital, str) and people[code] > _SMALLEST_CAPITAL:
            found.setdefault(fold(capital), set()).add(code)
    for phrase, codes in found.items():
        if len(phrase) > 3 and phrase not in traps.PLAIN_WORDS:
            yield phrase, Sense("place", _to_one({code: people.get(code, 1.0) for code in codes}))


def _languages() -> Iterator[tuple[str, Sense]]:
    """What a language says of a country: its speakers there, times the share that they are there."""
    people = _people()
    by_alpha2 = {c.alpha2: c.code for c in countries().values() if c.alpha2}
    speakers: dict[str, dict[str, float]] = {}
    for alpha2, spoken in _library("babel.core").get_global("territory_languages").items():
        code = by_alpha2.get(alpha2, "")
        for language, figures in spoken.items() if code in people else ():
            share = figures["population_percent"] / 100
            # "ha_Arab" is Hausa in another script: its people are counted under "ha" as well.
            of_language = speakers.setdefault(language.split("_")[0], {})
            of_language[code] = max(of_language.get(code, 0.0), share**2 * people[code])
    for language, name in _library("babel").Locale("en").languages.items():
        phrase = fold(name)
        if language in speakers and len(phrase) > 3 and phrase not in traps.PLAIN_WORDS:
            shares = _to_one(speakers[language])
            if shares:
                for spelling in {phrase, f"{phrase}s"}:
                    yield spelling, Sense("language", shares)


def _inflected(phrase: str) -> list[str]:
    """A people's name and its plural: Brazilian and Brazilians, but Japanese alone."""
    phrase = fold(phrase.replace("_", " "))
    return [phrase] if phrase.endswith(("s", "sh", "ch", "se", "men")) else [phrase, f"{phrase}s"]


def _even(kind: Kind, codes: str) -> Sense:
    each = codes.split()
    return Sense(kind, {code: 1 / len(each) for code in each})


def _to_one(shares: Mapping[str, float]) -> dict[str, float]:
    total = sum(shares.values())
    kept = {c: s for c, s in shares.items() if total > 0 and s / total >= _SMALLEST_SHARE}
    total = sum(kept.values())
    return {code: share / total for code, share in kept.items()}


def _people() -> dict[str, float]:
    """Inhabitants by country code, as countryinfo has them."""
    return {
        entry["ISO"]["alpha3"]: float(entry["population"])
        for entry in _countryinfo()
        if entry.get("ISO", {}).get("alpha3") in countries() and entry.get("population")
    }


@lru_cache
def _countryinfo() -> tuple[Mapping[str, Any], ...]:
    return tuple(entry.info() for entry in _library("countryinfo").all_countries())


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise MissingDependencyError(package, "Finding countries in a text") from None
