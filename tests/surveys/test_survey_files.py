"""A user's own questionnaire: what loads, and the sentence that every mistake gets."""

from __future__ import annotations

import dataclasses

import pytest

from blackbox_align.errors import DataFileError, UnknownNameError
from blackbox_align.surveys import load_survey, survey_names

GOOD = """\
name: mine
title: My own questions
version: 2
source: written on a train
instruction: Answer with one number.
scales:
  often:
    1: never
    2: sometimes
    3: always
  size: {A: small, B: large}
items:
  - {id: q1, scale: often, text: "How often do you dance?"}
  - id: q2
    scale: size
    text: "How large is your town?"
indices:
  JOY:
    title: Joy
    weights: {q1: 10, q2: -2.5}
"""

SCALES = GOOD[GOOD.index("  often:") : GOOD.index("items:")]
ITEMS = GOOD[GOOD.index("  - {id") : GOOD.index("indices:")]


@pytest.fixture
def load(tmp_path):
    def from_text(text):
        path = tmp_path / "mine.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_survey(path)

    return from_text


def test_a_good_file_loads_whole(load):
    """Items, scales, codes and indices come out as they were written."""
    survey = load(GOOD)
    assert (survey.name, survey.title, survey.version) == ("mine", "My own questions", 2)
    assert [item.id for item in survey.items] == ["q1", "q2"]
    often, size = (item.scale for item in survey.items)
    assert (often.labels, often.options, often.codes) == (
        ("1", "2", "3"),
        ("never", "sometimes", "always"),
        (1, 2, 3),
    )
    assert (size.labels, size.codes) == (("A", "B"), (1, 2))
    assert survey.width == 3
    assert survey.codes.tolist() == [[1, 2, 3], [1, 2, 0]]
    assert survey.index_weights.tolist() == [[10, -2.5]]


def test_title_version_and_indices_may_be_left_out(load):
    """A list of questions alone is a survey: its title is its name and it has no indices."""
    lines = GOOD.splitlines()
    del lines[16:], lines[1:4]
    survey = load("\n".join(lines))
    assert (survey.title, survey.version, survey.indices) == ("mine", 1, ())


def test_numbers_are_the_codes_in_any_order_and_in_quotes(load):
    """Numeric labels are their own codes, quoted or not, also where the scale runs downwards."""
    for labels in ("{5: a, 4: b, 1: c}", "{'5': a, '4': b, '1': c}"):
        survey = load(GOOD.replace("{A: small, B: large}", labels))
        assert survey.items[1].scale.codes == (5, 4, 1)
    survey = load(GOOD.replace("{A: small, B: large}", "{-1: a, 0: b, 1: c}"))
    assert survey.items[1].scale.codes == (-1, 0, 1)


@pytest.fixture
def own_vsm():
    """The 24 items in another wording, with the packaged scoring key."""
    lines = ["name: official", "instruction: Tick one.", "scales:"]
    lines += ["  five: {1: a, 2: b, 3: c, 4: d, 5: e}", "items:"]
    lines += [f"  - {{id: m{n:02}, scale: five, text: Wording {n}.}}" for n in range(1, 25)]
    return [*lines, "indices: vsm2013"]


def test_the_packaged_key_can_be_taken_over(load, own_vsm):
    """`indices: vsm2013` scores a user's 24 items with the packaged weights."""
    survey = load("\n".join(own_vsm))
    assert survey.indices == load_survey("vsm2013").indices
    assert (survey.index_weights == load_survey("vsm2013").index_weights).all()


def test_an_item_that_the_packaged_key_needs_is_missed(load, own_vsm):
    """Without m07 the power distance of the packaged key cannot be scored, and the line says so."""
    del own_vsm[11]
    with pytest.raises(DataFileError, match="index PDI needs the item 'm07'") as caught:
        load("\n".join(own_vsm))
    assert caught.value.line == len(own_vsm)
    assert "add it under 'items'" in str(caught.value)


# What is changed in the good file, the line that has to be named, and words of the sentence.
MISTAKES = {
    "no name": ("name: mine\n", "", 1, "'name' is missing"),
    "no instruction": ("instruction: Answer with one number.\n", "", 1, "'instruction' is missing"),
    "instruction without text": ("Answer with one number.", "", 5, "'instruction' must be text"),
    "unknown key": ("source:", "sauce:", 4, "'sauce' is not known here; the keys are: .*source"),
    "unknown key of an item": ("    scale: size", "    scale: size\n    hint: x", 16, "'hint' is not"),
    "title is a number": ("My own questions", "5", 2, "'title' must be text .* found 5"),
    "version is text": ("version: 2", "version: two", 3, "'version' must be a whole number"),
    "version is yes": ("version: 2", "version: yes", 3, "'version' must be a whole number"),
    "duplicate key": ("source:", "title:", 4, "'title' stands here twice; remove one"),
    "duplicate label": ("    3: always", "    2: always", 10, "2 stands here twice"),
    "label 1 and label '1'": ("{A: small, B: large}", "{1: a, '1': b}", 11, "labels that are distinct"),
    "blank label": ("{A: small", "{'': small", 11, "not blank"),
    "numbers mixed with a word": ("    3: always", "    dk: no idea", 7, "mixes numbers .*1, 2, dk"),
    "yes as a label": ("{A: small", "{yes: small", 11, "'yes' cannot be a key; put it in quotes"),
    "no as an option": ("    1: never", "    1: no", 8, "not text; put it in quotes"),
    "number as an option": ("    1: never", "    1: 7", 8, "option 1 of scale 'often' is 7"),
    "one option only": ("{A: small, B: large}", "{A: small}", 11, "needs at least two"),
    "scale is a list": ("{A: small, B: large}", "[small, large]", 11, "needs at least two 'label"),
    "scales is a list": (SCALES, "  - often\n", 6, "'scales' must be 'key: value' pairs .* a list"),
    "items is text": (ITEMS, "  none yet\n", 12, "'items' must be a list .* found 'none yet'"),
    "no items": (ITEMS, "  []\n", 12, "a survey needs at least one item"),
    "item is text": ('- {id: q1, scale: often, text: "How often do you dance?"}', "- q1", 13, "found 'q1'"),
    "item without id": ("{id: q1, ", "{", 13, "'id' is missing here"),
    "item with a number for id": ("id: q1", "id: 1", 13, "'id' must be text .* found 1"),
    "item without text": ('    text: "How large is your town?"\n', "", 14, "'text' is missing here"),
    "item with nothing for text": ('"How large is your town?"', "", 16, "'text' must be text"),
    "item with blank text": ("How large is your town?", " ", 16, "'text' is blank here"),
    "item without scale": ("    scale: size\n", "", 14, "'scale' is missing here"),
    "unknown scale": ("scale: size", "scale: sise", 15, "'sise', which is not defined; .*often, size"),
    "duplicate item": ("id: q2", "id: q1", 14, "item 'q1' stands here twice; rename one"),
    "index of a missing item": ("{q1: 10", "{q9: 10", 20, "index JOY needs the item 'q9'"),
    "weight is text": ("q1: 10", "q1: ten", 20, "the weight of 'q1' is 'ten', not a number"),
    "weight is yes": ("q1: 10", "q1: yes", 20, "the weight of 'q1' is True, not a number"),
    "weight is not finite": ("q1: 10", "q1: .nan", 20, "the weight of 'q1' is nan, not a number"),
    "index without weights": ("    weights: {q1: 10, q2: -2.5}\n", "", 18, "'weights' is missing"),
    "unknown key of an index": ("    title: Joy", "    titel: Joy", 19, "'titel' is not known here"),
    "indices is a list": ("  JOY:\n    title", "  - JOY:\n    title", 17, "'indices' must be"),
    "broken YAML": ("scale: often,", "scale: 'often,", 13, "not valid YAML: .*quoted scalar.* end of"),
    "open bracket": ("{q1: 10, q2: -2.5}", "{q1: 10, q2: -2.5", 20, "not valid YAML: .*flow mapping"),
    "tab": ("    2: sometimes", "\t2: sometimes", 9, "not valid YAML.*\\\\t"),
    "undefined alias": ("written on a train", "*train", 4, "not valid YAML.*undefined alias"),
    "two documents": ("indices:", "---\nindices:", 17, "not valid YAML.*another document"),
    "control character": ("dance", "da\x07nce", 13, "cannot stand in YAML; remove it"),
    "not quite a date": ("written on a train", "2020-13-01", 4, "'2020-13-01' cannot be read"),
    "code in a scalar": ("mine", "!!python/name:os.getcwd", 1, "the tag .* is not read here"),
    "code in a list": ("mine", "!!python/object/apply:os.abort []", 1, "the tag .* is not read"),
    "code in a mapping": ("size: {", "size: !!python/object:os.x {", 11, "the tag .* is not read"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_file_line_and_mend(mistake, load, tmp_path):
    """Every mistake is a DataFileError that names the file, the line of the mistake and the mend."""
    old, new, line, sentence = MISTAKES[mistake]
    assert GOOD.count(old) == 1
    with pytest.raises(DataFileError, match=f"(?s){sentence}") as caught:
        load(GOOD.replace(old, new))
    assert caught.value.line == line
    assert caught.value.path == tmp_path / "mine.yaml"
    assert str(caught.value).startswith(f"{tmp_path / 'mine.yaml'}, line {line}: ")
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("content", "line", "sentence"),
    [
        (b"", 1, "expected 'key: value' pairs here, found nothing"),
        (b"# only a comment\n", 1, "found nothing"),
        (b"hello\n", 1, "found 'hello'"),
        (b"- name: mine\n", 1, "found a list"),
        (GOOD.replace("dance", "d\N{LATIN SMALL LETTER A WITH DIAERESIS}nce").encode("latin-1"), 13,
         "not UTF-8 text .*; save the file as UTF-8"),
        (GOOD.encode("utf-16")[:-1], 20, "not UTF-8 text"),
        (b"name: &a [*a]\n", None, "refers to itself, or is nested too deeply"),
        (b"name: " + b"[" * 700, None, "refers to itself, or is nested too deeply"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_survey_at_all(content, line, sentence, load):
    """Empty files, other encodings and endless nesting are sentences as well."""
    with pytest.raises(DataFileError, match=sentence) as caught:
        load(content)
    assert caught.value.line == line


def test_a_byte_order_mark_and_windows_line_ends_are_read(load):
    """A file saved by a Windows editor loads like any other."""
    windows = GOOD.replace("\n", "\r\n").encode("utf-8-sig")
    assert load(windows).sha256 == load(GOOD).sha256


def test_a_tag_does_not_run_code(load, tmp_path):
    """A YAML tag that would run a command in an unsafe loader runs nothing."""
    trace = tmp_path / "ran"
    tag = f"name: !!python/object/apply:os.system ['touch {trace}']\n"
    with pytest.raises(DataFileError):
        load(tag + GOOD.split("\n", 1)[1])
    assert not trace.exists()


def test_a_missing_file_or_a_folder_gets_a_sentence(tmp_path):
    """What is no file is a DataFileError that says what it is instead."""
    with pytest.raises(DataFileError, match=r"none\.yaml: there is no such file"):
        load_survey(tmp_path / "none.yaml")
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    with pytest.raises(DataFileError, match="this is a folder; name the file in it"):
        load_survey(folder)
    with pytest.raises(DataFileError, match="it cannot be read: File name too long"):
        load_survey(tmp_path / ("x" * 300 + ".yaml"))


def test_an_unknown_survey_offers_the_nearest_name():
    """A slip in the name of a packaged survey is an UnknownNameError with that name."""
    with pytest.raises(UnknownNameError, match=r"Unknown survey 'vsm13'. Did you mean 'vsm2013'"):
        load_survey("vsm13")
    with pytest.raises(LookupError):
        load_survey("no such thing")
    assert "vsm2013" in survey_names()


def test_the_key_of_an_unknown_survey_is_refused(load):
    """`indices: NAME` must name a packaged survey; the nearest is offered at the right line."""
    head, _ = GOOD.split("indices:")
    with pytest.raises(DataFileError, match="Did you mean 'vsm2013'") as caught:
        load(head + "indices: vsm2031\n")
    assert caught.value.line == 17


CHANGES = {
    "instruction": ("one number", "a number"),
    "item text": ("dance?", "sing?"),
    "item id": ("q1", "q3"),
    "option": ("sometimes", "now and then"),
    "label": ("{A: small", "{C: small"),
    "order of options": ("{A: small, B: large}", "{B: large, A: small}"),
    "scale of an item": ("scale: size", "scale: often"),
    "weight": ("-2.5", "-2.6"),
    "index": ("JOY", "SORROW"),
    "version": ("version: 2", "version: 3"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_hash_changes_with_whatever_is_asked_or_scored(change, load):
    """Two surveys that differ in a question, an option, a code or a weight have different hashes."""
    old, new = CHANGES[change]
    assert load(GOOD.replace(old, new)).sha256 != load(GOOD).sha256


def test_the_hash_changes_with_the_preamble_and_the_order_of_items(load):
    """Asking after a text, or in another order, is asking another survey."""
    survey = load(GOOD)
    told = survey.with_preamble("You live in Chad.")
    turned = dataclasses.replace(survey, items=survey.items[::-1])
    assert len({survey.sha256, told.sha256, turned.sha256}) == 3
    assert told.with_preamble("").sha256 == survey.sha256


def test_the_hash_does_not_change_with_layout_or_comments(load):
    """The same survey written in another layout has the same hash."""
    rewritten = "# a comment\n" + GOOD.replace(
        "size: {A: small, B: large}", "size:\n    A: small\n    B: large"
    )
    assert load(rewritten).sha256 == load(GOOD).sha256


def test_a_code_that_stands_where_those_for_no_answer_do_is_asked_about(tmp_path):
    """98 behind 1 to 3 would enter means as 98; the file says whether it is an answer."""
    text = (
        "name: rain\ninstruction: Answer with one number.\nscales:\n"
        '  s: {1: dry, 2: wet, 3: soaked, 98: hm}\nitems:\n  - {id: r, scale: s, text: "Rain?"}\n'
        "indices:\n  WET: {title: Wet, weights: {r: 10}}\n"
    )
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(
        DataFileError, match="98 = hm stands where codes for no answer do"
    ) as caught:
        load_survey(path)
    assert caught.value.line == 4
    for told, codes in (("[hm]", (1, 2, 3)), ("keep", (1, 2, 3, 98))):
        path.write_text(f"missing: {told}\n{text}")
        assert load_survey(path).items[0].scale.codes == codes
