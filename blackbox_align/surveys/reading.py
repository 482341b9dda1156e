"""The one way from a name or a file to what it holds, told from the content and never from the name.

Only YAML, which can hold anything, is known by its ending.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

from ..errors import DataFileError, UnknownNameError
from ..files.formats import is_spreadsheet, reader_of_statistics
from ..files.hub import SCHEME, fetch_data_file
from ..files.strict_json import parse_json
from ..files.tables import CsvTable, is_binary_table, read_bytes, read_frame, read_rows, read_text
from ..files.workbooks import workbook
from ..files.yaml import is_yaml, read_yaml
from ..populations import TargetSet, load_targets, target_sets
from ..populations.targets import is_target_file, read_targets
from .ddi import is_ddi, read_ddi
from .dictionaries import is_question_list, read_dictionary, read_question_list
from .forms import Form
from .knowledge import KnowledgeTest, is_knowledge_test, load_knowledge
from .limesurvey import is_limesurvey_table, is_lss, read_limesurvey_table, read_lss
from .loading import packaged_survey, read_survey, survey_names
from .looks_like import are_respondents, statistics_look_like
from .opinion_files import load_opinions, opinion_names, read_content
from .opinion_yaml import is_opinion_yaml
from .opinions import OpinionSurvey
from .qstn import is_questionnaire, read_qstn
from .qualtrics import is_qsf, read_qsf
from .respondents import questions_of
from .survey import Survey
from .xlsform import is_xlsform, read_xlsform

Questionnaire = Survey | OpinionSurvey | KnowledgeTest
"""What a file that asks something can hold."""

_WHAT = {
    TargetSet: "these are figures of indices per country; give the file to a survey with these indices by "
    "--targets.",
    OpinionSurvey: "these are people's answers, shares by country or group; a fit takes them by --opinions, "
    "and `bbalign score` asks them.",
    KnowledgeTest: "this is a test with right answers; `bbalign score` asks it.",
    Survey: "this is a questionnaire without anybody's answers; a fit takes one with indices by --survey.",
}


def read(name_or_file: str | Path, *, missing: str = "drop") -> Questionnaire | TargetSet:
    """What ships under a name, or what a file holds, be it asked, answered or figures of indices.

    A file may lie on the Hugging Face hub: ``hf://datasets/OWNER/NAME/FILE``.

    Raises
    ------
    UnknownNameError, DataFileError
        There is none of that name, or the file has a mistake or cannot be fetched.
    """
    text, path = str(name_or_file), Path(name_or_file)
    if text.startswith(SCHEME):
        file, address = fetch_data_file(text)
        fetched = read(file, missing=missing)
        if isinstance(fetched, (Survey, TargetSet)):
            return replace(fetched, source=address)
        return replace(fetched, survey=replace(fetched.survey, source=address))
    if not path.suffix and "/" not in text and not path.is_file():
        return _shipped(text, missing)
    if is_yaml(path):
        opinions = is_opinion_yaml(read_yaml(path))
        return load_opinions(path, missing=missing) if opinions else read_survey(path)
    if reader_of_statistics(read_bytes(path)):
        raise DataFileError(path, None, statistics_look_like(path, questions_of(path)))
    form = read_form(path)
    if form is not None:
        return form.survey()
    if is_target_file(path) and not _are_respondents(path):
        return read_targets(path)
    if is_questionnaire(path):
        return read_qstn(path)
    return load_knowledge(path) if is_knowledge_test(path) else load_opinions(path, missing=missing)


def load_instrument(name_or_file: str | Path, *, missing: str = "drop") -> Questionnaire:
    """A questionnaire, people's answers or a test of knowledge, as :func:`read` reads it.

    :func:`.instruments.instrument_of` makes an :class:`.instruments.Instrument` of it.
    """
    held = read(name_or_file, missing=missing)
    if isinstance(held, TargetSet):
        raise _other(name_or_file, held)
    return held


def load_survey(name_or_file: str | Path) -> Survey:
    """A questionnaire by its name (``"vsm2013"``), or from a file, as :func:`read` reads it.

    :class:`DataFileError` for a file that holds something else, which the message names.
    """
    text = str(name_or_file)
    if not Path(text).suffix and "/" not in text and not Path(text).is_file():
        return packaged_survey(text)
    held = read(name_or_file)
    if not isinstance(held, Survey):
        raise _other(name_or_file, held)
    return held


def _are_respondents(path: Path) -> bool:
    content = read_content(path)
    return isinstance(content, CsvTable) and are_respondents(content)


def _other(name_or_file: str | Path, held: Questionnaire | TargetSet) -> DataFileError:
    return DataFileError(Path(name_or_file), None, _WHAT[type(held)])


def _shipped(name: str, missing: str) -> Questionnaire | TargetSet:
    if name in survey_names():
        return packaged_survey(name)
    if name in opinion_names():
        return load_opinions(name, missing=missing)
    sets = [targets.name for targets in target_sets()]
    if name in sets:
        return load_targets(name)
    names = [*survey_names(), *opinion_names(), *sets]
    raise UnknownNameError("survey", name, names, "See `bbalign surveys`, or name a file.")


def _code_book_in_a_sheet(path: Path) -> Form | None:
    text = io.StringIO()
    csv.writer(text).writerows(row for _, row in read_frame(path, "a table").rows)
    return read_dictionary(path, text.getvalue())


def read_form(path: Path) -> Form | None:
    """The form of a survey tool (Qualtrics, LimeSurvey, XLSForm, REDCap), a code book or a list of
    questions.

    None where a file is none of them.
    """
    content = read_bytes(path)
    if is_lss(content):
        return read_lss(path, content)
    if is_ddi(content):
        return read_ddi(path, content)
    if is_spreadsheet(content):
        sheets = workbook(path, content)
        return read_xlsform(path, sheets) if is_xlsform(sheets) else _code_book_in_a_sheet(path)
    if is_binary_table(content):
        return None
    text = read_text(path).lstrip()
    if text.startswith("{"):
        value = parse_json(path, text) if '"SurveyElements"' in text else None
        return read_qsf(path, value) if is_qsf(value) else None
    if text.startswith("["):
        value = parse_json(path, text)
        return read_question_list(path, value) if is_question_list(value) else None
    first = text.partition("\n")[0].casefold()
    if "\t" in first and "type/scale" in first:
        rows = read_rows(path, "a table of LimeSurvey")
        return read_limesurvey_table(path, rows) if is_limesurvey_table(rows) else None
    return read_dictionary(path, text)
