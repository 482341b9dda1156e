"""The doctor: what it looks at, and that it notices a model that cannot be trusted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from blackbox_align.doctor import examine
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.errors import ModelError
from blackbox_align.surveys import load_survey
from tests.small_models import save_small_model


def test_the_embedded_model_is_found_healthy():
    """Every way of asking agrees, labels are single tokens, and speed is told for all placements."""
    findings = {f.name: f for f in examine(load_model(), load_survey("vsm2013"), rng())}
    assert all(finding.fine for finding in findings.values())
    for name in ("device", "batch", "noise floor", "one by one, message", "PEFT", "label mass"):
        assert name in findings
    assert "candidates a second" in findings["speed, prompt last"].value


def test_a_model_that_does_not_answer_with_labels_is_pointed_at(tmp_path, bbalign):
    """Random weights hardly ever answer with a label: that is shown, and the exit code is 1."""
    folder = save_small_model("llama", tmp_path / "llama")
    shown = bbalign("doctor", "--model", str(folder), "--json")
    findings = {f["name"]: f for f in json.loads(shown.stdout)}
    assert shown.returncode == 1
    assert [name for name, f in findings.items() if not f["fine"]] in (
        ["label mass"],
        ["label mass", "position bias"],
    )


def test_labels_that_are_no_single_tokens_stop_it():
    """A survey that the model cannot be asked gets the sentence that a fit would give."""
    survey = load_survey("vsm2013")
    scale = survey.items[0].scale
    words = type(scale)(scale.name, ("Xylophone", "Zeppelin"), scale.options[:2], scale.codes[:2])
    item = type(survey.items[0])("q", "Which?", words)
    odd = type(survey)("odd", "Odd", 1, "Answer.", (item,))
    with pytest.raises(ModelError, match="is not one token of its own"):
        list(examine(load_model(), odd, rng()))


def rng():
    return np.random.default_rng(0)
