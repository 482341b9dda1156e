"""What tools for surveys write around the responses: rows of heads, ids, dates, weights, previews."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..files.missing import is_mark
from ..populations.columns import COUNTRY, TIMES, plain

_ABOUT = frozenset(
    {
        # Qualtrics
        "start_date", "startdate", "end_date", "enddate", "status", "ip_address", "ipaddress",
        "progress", "duration_in_seconds", "finished", "recorded_date", "recordeddate", "response_id",
        "responseid", "recipient_last_name", "recipientlastname", "recipient_first_name",
        "recipientfirstname", "recipient_email", "recipientemail", "external_reference",
        "externalreference", "external_data_reference", "location_latitude", "locationlatitude",
        "location_longitude", "locationlongitude", "distribution_channel", "distributionchannel",
        "user_language", "userlanguage", "q_recaptcha_score",
        # LimeSurvey
        "submitdate", "lastpage", "startlanguage", "seed", "datestamp", "ipaddr", "refurl", "token",
        "interviewtime",
        # SurveyMonkey, Google, KoboToolbox, ODK, REDCap
        "respondent_id", "collector_id", "date_created", "date_modified", "email_address", "first_name",
        "last_name", "custom_data_1", "timestamp", "zeitstempel", "marca_temporal", "horodateur",
        "email", "username", "start", "end", "today", "deviceid", "device_id", "uuid", "submission_time",
        "instance_id", "instanceid", "meta_instance_id", "formdef_version", "validation_status",
        "submitted_by", "tags", "record_id", "redcap_event_name", "redcap_survey_identifier",
        "redcap_repeat_instance",
        # survey programmes
        "version", "doi", "studyno", "study", "id", "idno", "respid", "resp_id", "respno", "resp_no",
        "caseid", "case_id", "serial", "uniqid", "unique_id", "unique_case_id", "d_interview", "s001",
        "s006", "s007", "qkey", "psu", "stratum", "strata", "ppsu", "intnum", "interviewer", "lnge",
        "language", "edition", "proddate", "c_cow_num", "c_cow_alpha", "essround", "n_region_iso",
        "unnamed_0", "index", "id_cocas", "caseno", "case_no", "case", "network_id", "d_intervew",
        "respondent", "respondentid", "participant_id", "participant", "subject_id", "pid", "key",
        "submission_date", "submissiondate", "uuid_1", "simid", "instance_name", "c_abrv1",
    }
)  # fmt: skip
_WEIGHT = re.compile(
    r".*(weight|wght|wgt|gewicht|ponder|pondera).*|(.*_)?wt(_.*|\d*)|.*wt|w\d{0,3}|s01[78]\w?|fexp|"
    r"peso|poids|waga|vikt|vekt"
)
_PLAINLY_WEIGHTS = re.compile(r".*weight.*|wt|wts|wgt|wght|pond|ponderador|fexp")
_WHEN = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}.*|(\d{1,3}\.){3}\d{1,3}"
)
_PREVIEW = {"1", "2", "8", "9", "12", "survey preview", "survey test", "spam"}
_CODED = re.compile(r"(?P<code>[A-Za-z]\w*(\[\w+\])*)\. (?P<text>\S.*)", re.DOTALL)


def without_heads(
    header: Sequence[str], body: Sequence[tuple[int, list[str]]]
) -> tuple[list[str], dict[str, str], list[tuple[int, list[str]]], list[str]]:
    """The names of the columns, their questions, the rows of people, and sentences on what else was there.

    Qualtrics writes the questions and its own ids in two rows below the names, and LimeSurvey the
    question behind the name (``G01Q02. Do you ...?``).
    """
    names, rows, notes = [cell.strip() for cell in header], list(body), []
    questions: dict[str, str] = {}
    ids = next((n for n, (_, row) in enumerate(rows[:3]) if _are_import_ids(row)), None)
    two = {"start date", "response id"} & {
        cell.strip().casefold() for cell in (rows[0][1] if rows else [])
    }
    if ids is not None or (two and {plain(name) for name in names} & {"startdate", "responseid"}):
        heads = rows[0][1]
        questions = {
            name: " ".join(text.split())
            for name, text in zip(names, heads, strict=True)
            if text.strip()
        }
        rows = rows[(ids or 0) + 1 :]
        notes.append(
            "Read as an export of Qualtrics: the questions stand below the names of the columns.",
        )
        rows, left = _without_previews(names, rows)
        if left:
            notes.append(f"Left out: {left:,} previews, tests and spam (Status).")
    elif {"id", "submitdate"} <= {plain(name.partition(".")[0]) for name in names}:
        coded = [_CODED.fullmatch(name) for name in names]
        questions = {found["code"]: found["text"].strip() for found in coded if found}
        names = [found["code"] if found else name for found, name in zip(coded, names, strict=True)]
    return names, questions, rows, notes


def _are_import_ids(row: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in row if cell.strip()]
    return bool(filled) and sum("ImportId" in cell[:14] for cell in filled) > 0.5 * len(filled)


def _without_previews(
    names: Sequence[str], rows: list[tuple[int, list[str]]]
) -> tuple[list[tuple[int, list[str]]], int]:
    places = [n for n, name in enumerate(names) if plain(name) == "status"]
    if not places:
        return rows, 0
    kept = [(line, row) for line, row in rows if row[places[0]].strip().casefold() not in _PREVIEW]
    return kept, len(rows) - len(kept)


def is_weight(name: str, cells: Sequence[str]) -> bool:
    """Whether a column looks like weights: by its name, and because not all of it are whole numbers."""
    if not _WEIGHT.fullmatch(plain(name)):
        return False
    told = [cell for cell in cells if not is_mark(cell)]
    if not told and cells:
        return False
    try:
        numbers = [float(cell) for cell in told]
    except ValueError:
        return False
    plainly = _PLAINLY_WEIGHTS.fullmatch(plain(name)) is not None
    return bool(numbers) and (plainly or not all(n.is_integer() for n in numbers))


def weights_among(names: Sequence[str]) -> list[str]:
    """The columns that are called weights, of which no cell is known."""
    return [name for name in names if _WEIGHT.fullmatch(plain(name))]


def is_named_about(name: str, cells: Sequence[str]) -> bool:
    """Whether a column is called what tools call ids, dates and the like, or holds dates or addresses."""
    bare = plain(name.partition(". ")[0])  # LimeSurvey's "submitdate. Date submitted"
    told = [cell for cell in cells if not is_mark(cell)]
    when = bool(told) and all(_WHEN.fullmatch(cell) for cell in told)
    return bare in _ABOUT or bare in TIMES or bare.endswith(("_complete", "_timestamp")) or when


def is_about_the_interview(name: str, cells: Sequence[str]) -> bool:
    """Whether a column says who was asked, when, where and how, and is no answer to a question."""
    told = [cell for cell in cells if not is_mark(cell)]
    distinct = len(told) > 9 and len(set(told)) == len(told)
    return (
        is_named_about(name, cells) or plain(name) in COUNTRY or is_weight(name, cells) or distinct
    )


def surveys_pooled(columns: Mapping[str, Sequence[str]]) -> tuple[str, list[str]] | None:
    """The column that says of which of several surveys a row is, with its values; None where there is one
    only.
    """
    found = {}
    for name, cells in columns.items():
        if plain(name) in TIMES and plain(name) not in ("date", "time", "edition"):
            values = sorted({cell for cell in cells if not is_mark(cell)})
            found[name] = values
    waves = [
        name for name in found if not plain(name).endswith(("year", "s020", "jahr", "ano", "annee"))
    ]
    name = next(iter(waves or found), "")
    return (name, found[name]) if name and 1 < len(found[name]) < 40 else None
