"""The position bias of a real model, against a plain script that knows nothing of our engine."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from blackbox_align.assessment import score
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import sheet

SMOLLM2 = Path(__file__).parents[2] / "experiments/real_models/models/smollm2-135m-instruct"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SMOLLM2.is_dir(), reason="no SmolLM2 here: `make real-models` makes it"),
]
VSM = load_survey("vsm2013")


def shares_by_a_plain_script():
    """{text of a question: shares of its labels}: one forward call of transformers for each."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(SMOLLM2)
    model = AutoModelForCausalLM.from_pretrained(SMOLLM2, dtype=torch.float32).eval()
    found = {}
    for question in sheet(VSM, "reversed").questions:
        said = [{"role": "user", "content": question.text}]
        text = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        [*labels] = (
            tokenizer(label, add_special_tokens=False).input_ids[0] for label in question.labels
        )
        with torch.inference_mode():
            logits = model(ids).logits[0, -1, labels]
        found[question.text] = torch.softmax(logits.double(), 0).numpy()
    return found


def correlation_by_a_plain_script():
    """Pearson's over the items, of the mean answers asked straight and reversed."""
    shares, straight, turned = shares_by_a_plain_script(), [], []
    for item in VSM.items:
        codes = np.array(item.scale.codes)
        texts = [text for text in shares if text.endswith(f"Question: {item.text}")]
        first = VSM.question(item)
        [other] = [text for text in texts if text != first]
        straight.append(shares[first] @ codes)
        turned.append(shares[other] @ codes[::-1])
    return np.corrcoef(straight, turned)[0, 1]


def test_the_printed_bias_of_a_real_model_is_that_of_a_plain_script(bbalign):
    """In a score and by the doctor, who says what it is: to 0.01, as it is printed."""
    expected = correlation_by_a_plain_script()
    result = score("vsm2013", country="SAU", model=SMOLLM2, conditions=["none"], dtype="float32")
    assert result.bias == pytest.approx(expected, abs=0.01)
    said = re.sub(r"\s+", " ", bbalign("doctor", "--model", str(SMOLLM2)).stdout)
    assert f"correlate at {expected:+.2f}" in said and "mostly the place of an option" in said
