"""A run that is done is shown for what was asked, and for nothing else that goes by the same name."""

from __future__ import annotations

import shutil

import pytest

import blackbox_align as bba
from blackbox_align.cli.several import variations
from blackbox_align.engines import open as open_engine
from blackbox_align.errors import ChangedSpecificationError, SpecificationError, UnknownNameError
from blackbox_align.files.data import data_folder
from blackbox_align.models import packaged_models

QUICK = {"budget": 12, "tokens": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return bba.fit("SAU", runs=tmp_path_factory.mktemp("runs"), name="same", **QUICK)


def again(done, **settings):
    """Whether anything was evaluated."""
    told = []
    bba.fit("SAU", runs=done.path.parent, name="same", on_progress=told.append, **QUICK, **settings)
    return bool(told)


def test_another_model_is_not_shown_the_old_table(done, tmp_path):
    """One that lies elsewhere is the same; one that would answer otherwise is another."""
    moved = tmp_path / "moved"
    shutil.copytree(packaged_models()["respondent-tiny"], moved)
    assert not again(done, model=moved)
    words = (moved / "tokenizer_config.json").read_text(encoding="utf-8")
    (moved / "tokenizer_config.json").write_text(words + "\n", encoding="utf-8")
    with pytest.raises(
        ChangedSpecificationError, match=r"--model: respondent-tiny then, \S+moved now"
    ):
        again(done, model=moved)


def test_nor_are_another_survey_and_other_targets(done, tmp_path):
    """What a file holds counts, wherever it lies."""
    text = (data_folder() / "vsm2013" / "survey.yaml").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    assert not again(done, survey=tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text(text.replace("?", "??", 1), encoding="utf-8")
    with pytest.raises(ChangedSpecificationError, match="--survey: vsm2013 then"):
        again(done, survey=tmp_path / "mine.yaml")
    with pytest.raises(
        ChangedSpecificationError, match="--targets: not given then, matrix-2015 now"
    ):
        again(done, targets="matrix-2015")


def test_an_index_that_is_none_is_told_at_once_with_those_that_are():
    """Before a bar is drawn, and with the names to choose from."""
    with pytest.raises(
        UnknownNameError, match=r"'XYZ'.* Its indices: PDI, IDV, MAS, UAI, LTO, IVR"
    ):
        variations(None, 0, "LTO,XYZ", "vsm2013")


def test_what_is_compiled_is_what_was_asked_for():
    """The choice reaches the engine, which refuses one that is none."""
    with pytest.raises(SpecificationError, match="not 'perhaps'"):
        open_engine(device="cpu", compile="perhaps")
