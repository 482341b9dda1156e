"""Entailment by models that are written here: labels in any order, both directions, cuts and floors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    PreTrainedTokenizerFast,
)

from blackbox_align.assessment.entailment import Entailment
from blackbox_align.errors import ModelError, SpecificationError

WORDS = "people here greet elders first and eat late with family they do not".split()  # noqa: SIM905
GOLD = ["people here greet elders first", "people eat late", "they eat with family"]
OTHERS = ["they do not greet", "people eat first and late", "elders eat here"]
ORDERS = (
    ("entailment", "neutral", "contradiction"),
    ("CONTRADICTION", "ENTAILMENT", "NEUTRAL"),
    ("not_entailment", "neutral", "entailment"),
)
SIZE = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
    "max_position_embeddings": 64, "num_labels": 3,
}  # fmt: skip


def write(folder, kind, labels, seed=0):
    vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    inputs = ["input_ids", "attention_mask"] + (["token_type_ids"] if kind == "bert" else [])
    PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_input_names=inputs,
    ).save_pretrained(folder)  # fmt: skip
    more = {"vocab_size": len(vocabulary), "id2label": dict(enumerate(labels)), **SIZE}
    torch.manual_seed(seed)
    if kind == "bert":
        model = BertForSequenceClassification(BertConfig(**more))
    else:
        model = DebertaV2ForSequenceClassification(DebertaV2Config(type_vocab_size=0, **more))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    model.eval().save_pretrained(folder)
    return folder, model


@pytest.mark.parametrize("labels", ORDERS)
@pytest.mark.parametrize("kind", ["bert", "deberta"])
def test_entailment_is_found_by_its_name(kind, labels, tmp_path):
    """Against the model asked pair by pair, at the label that means it, in any order and spelling."""
    folder, model = write(tmp_path, kind, labels)
    judge = Entailment(folder)
    place = [label.casefold() for label in labels].index("entailment")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    pairs = list(zip(GOLD, OTHERS, strict=True))
    given, cut = judge.probabilities(pairs)
    for row, pair in zip(given, pairs, strict=True):
        with torch.inference_mode():
            alone = model(**tokenizer(*pair, return_tensors="pt")).logits.softmax(-1)[0, place]
        assert row == pytest.approx(float(alone), abs=1e-5)
    assert judge.place == place and cut == 0


def test_both_directions_and_the_floors(tmp_path):
    """They differ, each is a mean over pairs, and nothing is one of the floors."""
    judge = Entailment(write(tmp_path, "bert", ORDERS[0])[0])
    found = judge.agreement("mine", GOLD, OTHERS)
    forward, _ = judge.probabilities(list(zip(GOLD, OTHERS, strict=True)))
    assert found.forward == pytest.approx(100 * forward.mean()) and found.pairs == 3
    assert abs(found.forward - found.backward) > 1e-3
    floors = judge.floors(["people"] * 3, GOLD, OTHERS)
    assert floors[0].forward == pytest.approx(found.forward)
    shuffled, _ = judge.probabilities(list(zip(GOLD, [*GOLD[1:], GOLD[0]], strict=True)))
    assert floors[1].forward == pytest.approx(100 * shuffled.mean())
    assert [one.name for one in floors][-1] == "nothing" and np.isfinite(floors[3].forward)


def test_long_pairs_are_cut_and_counted(tmp_path):
    judge = Entailment(write(tmp_path, "bert", ORDERS[0])[0], most_tokens=16)
    _, cut = judge.probabilities([("people " * 40, "eat"), ("people", "eat")])
    assert cut == 1


@pytest.mark.parametrize("labels", [("LABEL_0", "LABEL_1", "LABEL_2"), ("yes", "perhaps", "no")])
def test_labels_without_names_are_refused(labels, tmp_path):
    """Which of them means entailment is never guessed."""
    with pytest.raises(ModelError, match="means entailment is not known"):
        Entailment(write(tmp_path, "bert", labels)[0])


def test_what_cannot_be_compared_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot be loaded"):
        Entailment(tmp_path / "nothing")
    judge = Entailment(write(tmp_path, "bert", ORDERS[0])[0])
    with pytest.raises(SpecificationError, match="3 gold answers and 2 others"):
        judge.agreement("mine", GOLD, OTHERS[:2])
