"""Questionnaires of Qualtrics, LimeSurvey and XLSForm: questions, codes and labels, and nobody's answers."""

from __future__ import annotations

import json

import pytest

from blackbox_align.errors import DataFileError, SpecificationError
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.checking import check
from blackbox_align.surveys.instruments import instrument_of, load_instrument
from blackbox_align.surveys.opinion_files import load_opinions
from blackbox_align.surveys.reading import read_form
from blackbox_align.surveys.respondents import read_respondents, with_form
from blackbox_align.surveys.tabulate import tabulate


def choice(*labels):
    return {str(n): {"Display": label} for n, label in enumerate(labels, start=1)}


def qsf(**changes):
    """A survey with a bin, an order of its own, recoded answers, a matrix, and questions of other kinds."""
    tea = {
        "QuestionText": "Do you <b>like</b> tea &amp; cake?<br>", "DataExportTag": "tea",
        "QuestionType": "MC", "Selector": "SAVR",
        "Choices": choice("No", "Yes", "Refused", "Cannot be rated"),
        "ChoiceOrder": ["2", "1", 3, 4], "RecodeValues": {"1": "0", "2": "1", "3": "8", "4": "9"},
        "AnalyzeChoices": {"4": "No"},
    }  # fmt: skip
    trust = {
        "QuestionText": "How far do you trust", "DataExportTag": "trust", "QuestionType": "Matrix",
        "Selector": "Likert", "SubSelector": "SingleAnswer", "Choices": choice("your family?", "strangers?"),
        "Answers": choice("Fully", "Partly", "Not"), "ChoiceDataExportTags": {"1": "trust_family", "2": ""},
    }  # fmt: skip
    old = {**tea, "DataExportTag": "old"}
    many = {**tea, "DataExportTag": "many", "Selector": "MAVR"}
    words = {"QuestionText": "Why?", "DataExportTag": "why", "QuestionType": "TE", "Selector": "SL"}
    piped = {**tea, "DataExportTag": "piped", "QuestionText": "And ${e://Field/name}?"}
    questions = {
        "QID1": tea,
        "QID2": trust,
        "QID3": old,
        "QID4": many,
        "QID5": words,
        "QID6": piped,
    }
    blocks = [
        {
            "Type": kind,
            "BlockElements": [{"Type": "Question", "QuestionID": f"QID{n}"} for n in numbers],
        }
        for kind, numbers in (("Trash", [3]), ("Default", [2, 1, 4, 5, 6]))
    ]
    elements = [
        {"Element": "SQ", "PrimaryAttribute": q, "Payload": p} for q, p in questions.items()
    ]
    content = {
        "SurveyEntry": {"SurveyName": "Tea at home"},
        "SurveyElements": [{"Element": "BL", "Payload": blocks}, *elements],
    }
    return {**content, **changes}


@pytest.fixture
def tea(tmp_path):
    path = tmp_path / "tea.QSF"
    path.write_text(json.dumps(qsf()), encoding="utf-8")
    return path


def asked(survey):
    return {i.id: dict(zip(i.scale.options, i.scale.codes, strict=True)) for i in survey.items}


def test_qualtrics_is_read_with_its_order_its_codes_and_what_is_no_answer(tea):
    """The order of the blocks, without the bin; codes as exported; declared and worded non-response out."""
    survey = load_survey(tea)
    assert survey.title == "Tea at home"
    assert asked(survey) == {
        "trust_family": {"Fully": 1, "Partly": 2, "Not": 3}, "trust_2": {"Fully": 1, "Partly": 2, "Not": 3},
        "tea": {"Yes": 1, "No": 0},
    }  # fmt: skip
    texts = {item.id: item.text for item in survey.items}
    assert texts["tea"] == "Do you like tea & cake?"
    assert texts["trust_2"] == "How far do you trust strangers?"
    told = " ".join(survey.left_out)
    assert "several answers, or an order of them: many." in told
    assert "no list of answers to choose from: why." in told and "piped" in told
    assert "Left out of tea, because they are no answers: Refused, Cannot be rated." in told
    assert "old" not in told


XML = """<?xml version="1.0" encoding="UTF-8"?>
<document><LimeSurveyDocType>Survey</LimeSurveyDocType><DBVersion>{version}</DBVersion>
<languages><language>sv</language><language>en</language></languages>
<groups><rows>{groups}</rows></groups>
<questions><rows>{questions}</rows></questions><subquestions><rows>{parts}</rows></subquestions>
<answers><rows>{answers}</rows></answers>{texts}
<surveys><rows><row><sid>7</sid><language><![CDATA[en]]></language></row></rows></surveys>
<surveys_languagesettings><rows>
<row><surveyls_language>sv</surveyls_language><surveyls_title>Te</surveyls_title></row>
<row><surveyls_language>en</surveyls_language><surveyls_title><![CDATA[Tea &amp; talk]]></surveyls_title>
</row>
</rows></surveys_languagesettings></document>"""


def row(**cells):
    return "<row>" + "".join(f"<{k}><![CDATA[{v}]]></{k}>" for k, v in cells.items()) + "</row>"


def lss(version):
    """The same questions in two languages, as version 3 writes them (texts inside) and as later ones do."""
    late = version > 400
    listed = [
        ("11", "0", "1", "L", "tea", "<p>How often is tea drunk?</p>", "2"),
        ("12", "0", "1", "F", "talk", "At tea we talk of", "1"),
        ("13", "0", "2", "M", "many", "Which teas?", "1"), ("14", "0", "2", "S", "why", "Why?", "2"),
        ("15", "0", "2", "Y", "milk", "With milk?", "3"), ("16", "0", "2", "X", "bye", "Goodbye", "4"),
        ("17", "0", "2", "L", "told", "You said {tea.shown}; sure?", "5"),
        ("21", "12", "1", "T", "W", "work", "1"), ("22", "12", "1", "T", "L", "love", "2"),
    ]  # fmt: skip
    answers = [("1", "11", "B", "seldom", "2"), ("2", "11", "A", "often", "1"),
               ("3", "11", "C", "No answer", "3"), ("4", "12", "1", "yes", "1"), ("5", "12", "0", "no", "2"),
               ("6", "17", "1", "sure", "1"), ("7", "17", "2", "unsure", "2")]  # fmt: skip
    questions, parts, texts, labels, coded = "", "", "", "", ""
    for language in ("sv", "en"):
        mark = "" if language == "en" else "SV "
        for qid, parent, gid, kind, title, text, order in listed:
            cells = {"qid": qid, "parent_qid": parent, "gid": gid, "type": kind, "title": title,
                     "question_order": order, "other": "NY"[title == "tea"], "scale_id": 0}  # fmt: skip
            texts += row(qid=qid, question=mark + text, language=language)
            if late and language == "sv":
                continue
            made = row(**cells) if late else row(**cells, question=mark + text, language=language)
            questions, parts = (
                (questions + made, parts) if parent == "0" else (questions, parts + made)
            )
        for aid, qid, code, label, order in answers:
            labels += row(aid=aid, answer=mark + label, language=language)
            cells = {"qid": qid, "code": code, "sortorder": order, "scale_id": 0}
            if not late:
                coded += row(**cells, answer=mark + label, language=language)
            elif language == "en":
                coded += row(aid=aid, **cells)
    tables = f"<question_l10ns><rows>{texts}</rows></question_l10ns>"
    tables += f"<answer_l10ns><rows>{labels}</rows></answer_l10ns>"
    groups = row(gid=2, group_order=2) + row(gid=1, group_order=1)
    return XML.format(version=version, groups=groups, questions=questions, parts=parts, answers=coded,
                      texts=tables if late else "")  # fmt: skip


TALK = {
    "talk_W": {"yes": 1, "no": 0},
    "talk_L": {"yes": 1, "no": 0},
    "tea": {"often": 1, "seldom": 2},
    "milk": {"Yes": 1, "No": 2},
}


@pytest.mark.parametrize("version", [366, 494])
def test_limesurvey_is_read_in_its_first_language_by_group_and_order(tmp_path, version):
    """Versions with the texts inside the questions and beside them give the same questionnaire."""
    path = tmp_path / "tea.lss"
    path.write_text(lss(version), encoding="utf-8")
    survey = load_survey(path)
    assert survey.title == "Tea & talk" and asked(survey) == TALK
    assert list(asked(survey)) == list(TALK)
    assert {i.id: i.text for i in survey.items}["talk_L"] == "At tea we talk of love"
    told = " ".join(survey.left_out)
    for part in ("Left out of tea, because they are no answers: No answer", "many", "why", ": told.",
                 "Left out of tea: an answer in people's own words"):  # fmt: skip
        assert part in told
    assert "bye" not in told


def test_a_limesurvey_table_gives_the_same_questions(tmp_path):
    """Subquestions and answers belong to the question above them; the second language is not read."""
    rows = [
        ("id", "related_id", "class", "type/scale", "name", "relevance", "text", "help", "language",
         "other"),
        ("", "", "S", "", "language", "", "en", "", "", ""),
        ("", "", "SL", "", "surveyls_title", "", "Tea & talk", "", "en", ""),
        *((n, "", *cells) for language in ("en", "sv") for n, cells in enumerate([
            ("G", "0", "First", "1", "", "", language, ""),
            ("Q", "F", "talk", "1", "At tea we talk of", "", language, "N"),
            ("SQ", "0", "W", "1", "work", "", language, ""), ("SQ", "0", "L", "1", "love", "", language, ""),
            ("A", "0", "1", "", "yes", "", language, ""), ("A", "0", "0", "", "no", "", language, ""),
            ("Q", "L", "tea", "1", "How often is tea drunk?", "", language, "Y"),
            ("A", "0", "A", "", "often", "", language, ""), ("A", "0", "B", "", "seldom", "", language, ""),
            ("Q", "Y", "milk", "1", "With milk?", "", language, "N"),
        ])),
    ]  # fmt: skip
    path = tmp_path / "tea.txt"
    path.write_text("\n".join("\t".join(map(str, row)) for row in rows), encoding="utf-8-sig")
    survey = load_survey(path)
    assert survey.title == "Tea & talk" and asked(survey) == TALK
    translated = path.read_text(encoding="utf-8-sig").replace("language\t\ten", "language\t\tsv", 1)
    path.write_text(translated, encoding="utf-8")
    assert "they are in English here: milk" in " ".join(load_survey(path).left_out)


def test_entities_are_never_expanded(tmp_path):
    """A document type, in which entities could be declared, is refused with its line."""
    path = tmp_path / "bomb.lss"
    opening = (
        '<?xml version="1.0"?>\n<!DOCTYPE d [<!ENTITY a "LimeSurvey"><!ENTITY f SYSTEM "tea">]>'
    )
    path.write_text(f"{opening}<document><LimeSurveyDocType>&a;&f;</LimeSurveyDocType></document>")
    with pytest.raises(DataFileError, match=r"line 2: a document type .* can declare entities"):
        load_instrument(path)


@pytest.mark.parametrize("cut", [40, 300, 900])
def test_damaged_structures_are_a_sentence(tmp_path, tea, cut):
    """What is torn off is named as no valid XML or JSON."""
    path = tmp_path / "torn.lss"
    path.write_text(lss(366)[:-cut], encoding="utf-8")
    with pytest.raises(DataFileError, match="not valid XML"):
        load_instrument(path)
    tea.write_text(tea.read_text()[:-cut])
    with pytest.raises(DataFileError, match="not valid JSON"):
        load_instrument(tea)


def workbook(path, **sheets):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for cells in rows:
            sheet.append(cells)
    book.save(path)
    return path


def test_an_xlsform_is_read_in_its_default_language(tmp_path):
    """select_one with its list; other kinds and choices that depend on answers are named."""
    survey = [
        ["type", "name", "label::Svenska (sv)", "label::English (en)", "choice_filter"],
        ["start", "start", None, None, None], ["note", "hello", "Hej", "Hello", None],
        ["begin group", "g", None, None, None],
        ["select_one often", "tea", "Hur ofta?", "How often is tea drunk?", None],
        ["select_one often or_other", "cake", "Kaka?", "And cake?", None],
        ["integer", "age", "x", "y", None],
        ["select_multiple often", "many", "Vilka?", "Which?", None],
        ["select_one often", "cup", "Kopp?", "Which cup?", "name=${tea}"],
        ["select_one often", "sure", "x", "You said ${tea}?", None], ["end group", None, None, None, None],
    ]  # fmt: skip
    choices = [["list name", "name", "label::Svenska (sv)", "label::English (en)"]]
    choices += [
        ["often", code, "sv", en] for code, en in ((1, "often"), (2, "seldom"), (98, "Don't know"))
    ]
    for n, row in enumerate(choices[1:]):
        row[2] = f"sv{n}"
    settings = [["form_title", "default_language"], ["Tea form", "English (en)"]]
    path = workbook(tmp_path / "tea.xlsx", survey=survey, choices=choices, settings=settings)
    read = load_survey(path)
    assert read.title == "Tea form"
    assert asked(read) == {"tea": {"often": 1, "seldom": 2}, "cake": {"often": 1, "seldom": 2}}
    told = " ".join(read.left_out)
    for part in ("choose from: age", "order of them: many", "(choice_filter): cup", ": sure.",
                 "no answers: Don't know", "Left out of cake: an answer in people's own"):  # fmt: skip
        assert part in told
    survey[4][0] = "select_one never"
    broken = workbook(tmp_path / "broken.xlsx", survey=survey, choices=choices)
    with pytest.raises(DataFileError, match=r"line 5: 'tea' chooses from the list 'never'"):
        load_survey(broken)


def test_a_form_is_shown_and_says_what_to_bring_where_answers_are_needed(tea):
    """The check has every question and the way; scored or fitted, it is told what to bring."""
    found = check(load_instrument(tea))
    assert found.kind == "a questionnaire" and found.counts["items"] == 3
    assert any("--survey FILE" in note for note in found.notes)
    with pytest.raises(
        SpecificationError, match=r"no indices and nobody's answers .* Bring the responses"
    ):
        instrument_of(load_instrument(tea))
    with pytest.raises(DataFileError, match=r"Qualtrics survey .* without anybody's answers"):
        load_opinions(tea)


def test_responses_get_their_questions_and_labels_from_the_form(tmp_path, tea):
    """Codes and labels of a CSV export become the form's options in its order; shares worked by hand."""
    rows = tmp_path / "responses.csv"
    rows.write_text("land,tea,trust_2\nKE,1,Not\nKE,0,Fully\nKE,8,Fully\nBR,Yes,2\nBR,9,3\n")
    people = with_form(read_respondents(rows), read_form(tea))
    table = tabulate(people, "land")
    shares = {(r[0], r[3], r[2]): (float(r[4]), r[7]) for r in table.rows}
    third = pytest.approx(1 / 3, abs=1e-6)
    assert shares["tea", "KE", "Yes"] == (third, "no") and shares["tea", "KE", "Refused"] == (
        third,
        "yes",
    )
    assert shares["tea", "BR", "Cannot be rated"] == (0.5, "yes")
    assert shares["trust_2", "KE", "Fully"] == (pytest.approx(2 / 3, abs=1e-6), "no")
    assert [r[2] for r in table.rows if r[0] == "trust_2" and r[3] == "BR"] == [
        "Fully",
        "Partly",
        "Not",
    ]
    assert {r[1] for r in table.rows if r[0] == "tea"} == {"Do you like tea & cake?"}
    rows.write_text("land,other\nKE,1\nKE,2\n")
    with pytest.raises(DataFileError, match=r"none of its columns .* is a question of tea\.QSF"):
        with_form(read_respondents(rows), read_form(tea))
