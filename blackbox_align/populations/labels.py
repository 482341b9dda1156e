"""The labels of a column of countries, read as a whole: which scheme they are of, and whom they mean.

One label alone can be right in several schemes: ``AR`` is Argentina, and Arabic in a column of
languages; ``NA`` is Namibia among codes of two letters, and a missing value among names; ``CHI`` is
China in Hofstede's matrix; ``SD`` is Sudan, and a standard deviation below a mean. So a label is read
only where the whole column is of one scheme. What survey programmes put around a name (``36.
AU-Australia``, ``Chile[2]``) is no part of it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ..files.data import data_folder
from ..files.missing import is_mark
from .countries import (
    Country,
    countries,
    country_of_number,
    fold,
    known_country,
    meant_by_several,
    suggestions,
)

# Languages of ISO 639-1 whose code is another country's of ISO 3166, with the language's name.
_LANGUAGES = {
    "ar": "Arabic", "be": "Belarusian", "bn": "Bengali", "bs": "Bosnian", "ca": "Catalan",
    "cy": "Welsh", "et": "Estonian", "ga": "Irish", "gl": "Galician", "gu": "Gujarati",
    "ka": "Georgian", "kn": "Kannada", "ky": "Kyrgyz", "la": "Latin", "ml": "Malayalam",
    "mr": "Marathi", "ms": "Malay", "my": "Burmese", "ne": "Nepali", "pa": "Punjabi", "sl": "Slovenian",
    "sq": "Albanian", "sr": "Serbian", "sv": "Swedish", "ta": "Tamil", "tg": "Tajik", "tk": "Turkmen",
    "tl": "Tagalog", "uk": "Ukrainian", "am": "Amharic", "az": "Azerbaijani", "br": "Breton",
    "ba": "Bashkir", "cv": "Chuvash", "sd": "Sindhi", "si": "Sinhala", "so": "Somali", "to": "Tongan",
    "lb": "Luxembourgish", "mn": "Mongolian", "af": "Afrikaans", "as": "Assamese", "ht": "Haitian",
    "id": "Indonesian", "is": "Icelandic", "it": "Italian", "fr": "French", "de": "German",
    "es": "Spanish", "pt": "Portuguese", "nl": "Dutch", "pl": "Polish", "ru": "Russian",
    "ro": "Romanian", "tr": "Turkish", "th": "Thai", "hu": "Hungarian", "hr": "Croatian",
    "bg": "Bulgarian", "fi": "Finnish", "no": "Norwegian", "lt": "Lithuanian", "lv": "Latvian",
    "mk": "Macedonian", "mt": "Maltese", "sk": "Slovak", "km": "Khmer", "ug": "Uyghur", "ps": "Pashto",
}  # fmt: skip
# Those where language and country mean the same people.
_SAME = frozenset(
    {
        "az", "it", "fr", "de", "es", "pt", "nl", "pl", "ru", "ro", "tr", "th", "hu", "hr", "bg", "fi",
        "no", "lt", "lv", "mk", "mt", "sk", "is", "id", "so", "mn", "to", "ht",
    }
)  # fmt: skip
# Languages whose code is no country's: they give a column of languages away.
_ONLY_LANGUAGES = frozenset(
    {
        "en", "zh", "ja", "ko", "hi", "cs", "da", "el", "fa", "he", "ur", "te", "vi", "sw", "kk", "uz",
        "eu", "hy", "ha", "yo", "zu", "ig", "xh", "or", "ti", "jv", "su", "yi",
    }
)  # fmt: skip
# Codes of other schemes (Hofstede's matrix, the Olympic committee, Correlates of War) that are none
# of ISO's: they give a column away in which other codes would be taken for the wrong countries.
_FOREIGN = frozenset(
    {
        "ger", "net", "ned", "spa", "sui", "swi", "nig", "zim", "aul", "chi", "den", "gre", "por", "cro",
        "slo", "bul", "lat", "rsa", "phi", "ina", "vie", "ngr", "uru", "par", "chl", "mal", "ice", "sin",
        "sri", "gmy", "ukg", "frn", "spn", "ite", "roc", "drv",
    }
)  # fmt: skip

# Rows below or beside countries that sum them up; the second only where one of the first is there.
_SUMS = frozenset(
    {
        "total", "totals", "grand total", "sum", "all", "all countries", "overall", "world", "global",
        "average", "averages", "mean", "means", "median", "world average", "global average",
        "average of countries", "weighted average", "unweighted average", "international average",
        "overall mean", "grand mean", "oecd average", "oecd", "oecd total", "eu average", "eu27", "eu28",
        "eu15", "eu25", "eu 27", "eu 28", "eu 15", "eu 25", "ue27", "ue28", "ue 27", "ue 28", "std",
        "std dev", "st dev", "stdev", "stddev", "standard deviation", "minimum", "maximum", "gesamt",
        "insgesamt", "mittelwert", "promedio", "moyenne", "media", "n", "base", "count", "valid n",
        "number of countries",
    }
)  # fmt: skip
_SUMS_BESIDE = frozenset({"sd", "se", "min", "max", "var", "range"})
# Parts of the world as the World Bank, Our World in Data, the UN and Eurostat sum countries up: left out
# where countries stand beside them.
_AGGREGATES = frozenset(
    {
        "africa", "asia", "europe", "north america", "oceania", "latin america",
        "caribbean small states", "central europe and the baltics", "early demographic dividend",
        "late demographic dividend", "pre demographic dividend", "post demographic dividend",
        "east asia and pacific", "euro area", "european union", "europe and central asia",
        "fragile and conflict affected situations", "heavily indebted poor countries hipc",
        "high income", "low income", "middle income", "lower middle income", "upper middle income",
        "low and middle income", "high income countries", "low income countries",
        "middle income countries", "lower middle income countries", "upper middle income countries",
        "ibrd only", "ida only", "ida total", "ida blend", "ida and ibrd total",
        "latin america and caribbean", "latin america and the caribbean",
        "least developed countries un classification", "least developed countries",
        "middle east and north africa", "oecd members", "oecd countries", "other small states",
        "pacific island small states", "small states", "south asia", "sub saharan africa",
        "northern africa", "western europe", "eastern europe", "southern europe", "northern europe",
        "central asia", "eastern asia", "southern asia", "south eastern asia", "western asia",
        "africa eastern and southern", "africa western and central", "not classified",
        "high income oecd", "g7", "g20", "eu27 2020", "ea19", "ea20", "eu candidate countries",
    }
)  # fmt: skip
# Parts of a country that the programmes' codes name, and what they stand for here.
_PARTS = {
    "GB-GBN": "GBR", "DE-E": "X-GEE", "D-E": "X-GEE", "DE-W": "X-GEW", "D-W": "X-GEW", "GB-NIR": "X-NIR",
    "GB-SCT": "X-SCT", "GB-WLS": "X-WLS", "Arab World": "X-ARA",
}  # fmt: skip
# Of the United States, beside which Georgia is one of them.
_STATES = frozenset({
    "alabama", "alaska", "arizona", "arkansas", "california", "colorado", "connecticut", "delaware",
    "florida", "hawaii", "idaho", "illinois", "indiana", "iowa", "kansas", "kentucky", "louisiana", "maine",
    "maryland", "massachusetts", "michigan", "minnesota", "mississippi", "missouri", "montana", "nebraska",
    "nevada", "new hampshire", "new jersey", "new mexico", "new york", "north carolina", "ohio", "oklahoma",
    "oregon", "pennsylvania", "south carolina", "tennessee", "texas", "utah", "vermont", "virginia",
    "washington", "wisconsin", "wyoming",
})  # fmt: skip
_OF_THE_KINGDOM = frozenset({"X-NIR", "X-SCT", "X-WLS"})
# Where a label names a country in two ways: "South Korea (ROK)", "KOR: South Korea", "België / Belgique".
_BETWEEN_NAMES = (r"[()\[\]]", r"[/|:]|\s[-–—]\s", r",\s")
_UNION = re.compile(r"(eu|ue|ec|ce) ?\d\d( (eu|ue) ?\d\d)?( 2020)?")  # Eurobarometer's "UE27 EU27"
_PART_NOTE = re.compile(
    r" (excluding high income|ida and ibrd countries|wb|un|fao|oecd|27|28|\d+ countries)$"
)
_NUMBERED = re.compile(r"\(?\d{1,4}\s*[.):]?\s+(?=[^\W\d])|\d{1,4}[.):](?=[^\W\d])")
_MARKED = re.compile(r"(\s*\[[^\[\]]{1,12}\]|\s*[*†‡§#]|[¹²³⁰⁴-⁹ᵃ-ᵉ])+$")


@dataclass(frozen=True)
class Labels:
    """What a column's labels mean: ``found`` by label, and why the others are no country.

    ``sums`` are the labels of rows that sum up other rows (a total, a mean). ``doubt`` is a question to
    be answered before any of them is read, or nothing.
    """

    found: Mapping[str, Country]
    unknown: Mapping[str, str]
    doubt: str = ""
    notes: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()


def read_labels(labels: Iterable[str]) -> Labels:
    """The countries of a column's labels (see :class:`Labels`)."""
    distinct = list(dict.fromkeys(label.strip() for label in labels))
    sums = _sums(distinct)
    distinct = [label for label in distinct if label not in sums]
    found: dict[str, Country] = {}
    unknown: dict[str, str] = {}
    notes: list[str] = []
    numbers = _numbers(distinct, notes)
    for label in distinct:
        country = numbers.get(label) or _country(label)
        if country is not None:
            found[label] = country
        else:
            unknown[label] = " or ".join(_near(label))
    if _OF_THE_KINGDOM & {country.code for country in found.values()}:  # England is but a part, too
        for label in [label for label in found if fold(label) == "england"]:
            unknown[label] = f"a part of {found.pop(label).name}"
    if "Georgia" in found and len(_STATES & set(map(fold, distinct))) > 1:
        del found["Georgia"]
        unknown["Georgia"] = "a part of United States"
    doubt = _languages(distinct) or _foreign_codes(distinct, found)
    _missing_or_namibia(distinct, found, unknown, notes)
    for label, country in found.items():
        others = [other for other, c in found.items() if c is country and other != label]
        if others and label < min(others):
            same = ", ".join(repr(other) for other in (label, *others))
            notes.append(f"{same} are all read as {country.name}.")
    return Labels(found, unknown, doubt, tuple(notes), tuple(sums))


def _sums(labels: list[str]) -> list[str]:
    folded = {label: fold(label).strip("() :") for label in labels}
    sums = _SUMS | row_names("total") | row_names("together") | row_names("mean")
    plain = [n for n in labels if folded[n] in sums or _UNION.fullmatch(folded[n])]
    parts = [label for label in labels if _PART_NOTE.sub("", folded[label]) in _AGGREGATES]
    parts += [
        label for label in labels if label not in parts and folded[label] in row_names("part")
    ]
    if len(parts) > 1:  # beside Africa and Asia, America is no country
        parts += [label for label in labels if folded[label] == "america"]
    if any(label not in parts and _country(label) for label in labels if parts):
        plain += parts
    return plain + [label for label in labels if plain and folded[label] in _SUMS_BESIDE]


@lru_cache
def row_names(kind: str) -> frozenset[str]:
    """What rows are called that are no country's, in many languages, folded.

    Those of a ``total`` (``together`` where the word may be an answer), a ``mean``, a number of ``people``,
    or a ``part`` of the world.
    """
    with (data_folder() / "row_names.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == kind]
    return frozenset(fold(name) for row in rows for name in row["names"].split("; "))


def _numbers(labels: list[str], notes: list[str]) -> Mapping[str, Country]:
    """The countries of a column that holds numbers of ISO 3166 and nothing else."""
    told = [label for label in labels if not is_mark(label)]
    found = {label: country_of_number(label) for label in told}
    read = {label: country for label, country in found.items() if country is not None}
    if len(read) < len(told) or not any(len(label.lstrip("0")) == 3 for label in told):
        return {}
    listed = ", ".join(f"{label} is {country.name}" for label, country in list(read.items())[:3])
    notes.append(f"Read as numbers of ISO 3166: {listed}{', ...' if len(read) > 3 else ''}.")
    return read


def _country(label: str) -> Country | None:
    """The country of one label, without what programmes write around a name; None where there is none."""
    bare = _MARKED.sub("", _NUMBERED.sub("", label, count=1))
    code, dash, rest = bare.partition("-")
    found = known_country(label)
    if found is None and bare in _PARTS:
        return countries()[_PARTS[bare]]
    if found is None and len(code) == 2 and code.isupper() and dash and rest:
        return _coded(code, rest)
    return found or known_country(bare) or _twice_named(bare)


def _twice_named(label: str) -> Country | None:
    """The country of a label that names one in two ways; None where it does not, or they contradict."""
    for between in _BETWEEN_NAMES:
        pieces = [piece.strip() for piece in re.split(between, label) if piece.strip()]
        named = [(piece, known_country(piece)) for piece in pieces]
        found = {country for _, country in named if country}
        if len(pieces) > 1 and len(found) == 1:
            (country,) = found
            unclear = [piece for piece, known in named if not known]  # Korea (ROK), Congo (DRC)
            if all(country.name in meant_by_several(piece) for piece in unclear):
                return country
    return None


def _coded(code: str, rest: str) -> Country | None:
    """The country of ``AU-Australia``; none for a part of one (``DE-W``), or where both contradict."""
    found = [country for country in map(known_country, (code, rest)) if country]
    part = rest.isupper() and len(rest) <= 3
    return found[0] if not part and len({c.code for c in found}) == 1 else None


def _near(label: str) -> list[str]:
    """What may be meant by a label that is no country."""
    code, _, rest = label.partition("-")
    country = _country(code) if len(code) == 2 and code.isupper() and rest else None
    if country:
        return [f"a part of {country.name}"] if rest.isupper() else [country.name, rest]
    return suggestions(_MARKED.sub("", label))


def _languages(labels: list[str]) -> str:
    """A question where codes of two letters may be those of languages."""
    short = [label for label in labels if len(label) == 2 and label.isalpha() and label != "NA"]
    if not short or len(short) < len([label for label in labels if not is_mark(label)]):
        return ""
    given_away = [s for s in short if s.casefold() in _ONLY_LANGUAGES]
    if len(given_away) == 1 and given_away[0].isupper():  # EL is Greece in the statistics of the EU
        given_away = []
    lower = all(s.islower() for s in short) and all(s in _LANGUAGES for s in short)
    differing = [s for s in short if s.casefold() in _LANGUAGES and s.casefold() not in _SAME]
    if not given_away and not (lower and differing):
        return ""
    meant = {s: country.name if (country := known_country(s)) else "no country" for s in differing}
    examples = ", ".join(
        f"{s} is {_LANGUAGES[s.casefold()]}, or {name}" for s, name in list(meant.items())[:3]
    ) or ", ".join(given_away[:3])
    return (
        f"the codes {', '.join(short[:6])} look like languages and not like countries ({examples}); "
        "write countries by name or by code of three letters."
    )


def _foreign_codes(labels: list[str], found: Mapping[str, Country]) -> str:
    """A question where codes of three letters are not those of ISO 3166."""
    codes = [label for label in labels if len(label) == 3 and label.isalpha()]
    strange = [c for c in codes if c not in found and c.casefold() in _FOREIGN]
    known = [c for c in codes if c in found]
    if not strange or len(strange) + len(known) < 2:
        return ""
    return (
        f"{', '.join(strange[:5])} are no country codes of ISO 3166 but another scheme's (Hofstede's "
        f"matrix and the Olympic committee have their own), in which {', '.join(known[:3]) or 'others'} "
        "may be other countries than ISO's; write names, or ISO codes."
    )


def _missing_or_namibia(
    labels: list[str], found: dict[str, Country], unknown: dict[str, str], notes: list[str]
) -> None:
    """NA is Namibia among codes of two capital letters, and a missing value anywhere else."""
    if "NA" not in labels:
        return
    others = [label for label in labels if label != "NA" and not is_mark(label)]
    codes = [label for label in others if len(label) == 2 and label.isupper()]
    if others and len(codes) == len(others):
        notes.append("'NA' is read as Namibia, because the other labels are codes of two letters.")
        return
    found.pop("NA", None)
    unknown["NA"] = "it is a missing value among names; write Namibia or NAM if that is meant"


def unknown_sentence(unknown: Mapping[str, str], lines: Mapping[str, int]) -> str:
    """All unknown labels of a column in one sentence, each with its line and what may be meant."""
    if len(unknown) == 1:
        ((label, near),) = unknown.items()
        if label == "NA":
            return f"'NA' is no country here: {near}."
        hint = f" Did you mean {' or '.join(map(repr, near.split(' or ')))}?" if near else ""
        return f"Unknown country {label!r}.{hint} `bbalign countries` lists them all."
    parts = [
        f"{label!r} (line {lines[label]}{', perhaps ' + near if near else ''})"
        for label, near in unknown.items()
    ]
    return (
        f"{len(unknown)} labels are no country that is known: {'; '.join(parts)}. "
        "`bbalign countries` lists them all."
    )
