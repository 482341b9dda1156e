"""The tokenizer of the tiny respondent: byte-level BPE over the surveys and the personas."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)

from blackbox_align.surveys import Survey

BOS, EOS = "<s>", "</s>"


def train_tokenizer(
    surveys: Sequence[Survey], whole: Sequence[str], texts: Iterable[str], vocabulary: int
) -> Tokenizer:
    """Byte-level BPE: every text has tokens, digits stand alone, `` 1`` is one token.

    What many questions of a survey repeat (see :func:`repeated_texts`) is one token each, and so
    are the texts of ``whole``: it more than halves the length of a question, and so the time of
    everything that is done with the model.
    """
    tokenizer = Tokenizer(models.BPE())
    pieces = r"\n| ?\p{N}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pieces), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[BOS, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    labels = [f" {label}" for label in "0123456789ABCDEFGHIJ"] * 1000
    tokenizer.train_from_iterator([*texts, *labels], trainer)
    single = set(whole).union(*(repeated_texts(survey) for survey in surveys))
    # The longest first: "agree" must not cut "strongly agree" short.
    ordered = sorted(single, key=lambda text: (-len(text), text))
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in ordered])
    bos = tokenizer.token_to_id(BOS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, bos)]
    )
    return tokenizer


def repeated_texts(survey: Survey) -> set[str]:
    """The instruction, the options of the scales, what frames a question, and common openings."""
    texts = {survey.instruction, "\nQuestion:", "\nAnswer:"}
    options = {f" = {option}" for item in survey.items for option in item.scale.options}
    texts |= options | {f"{option}," for option in options}
    openings: Counter[str] = Counter()
    for item in survey.items:
        words = item.text.split(" ")
        openings.update({" " + " ".join(words[:count]) for count in range(4, len(words))})
    shared = {text: count for text, count in openings.items() if count >= 3}
    for text, count in shared.items():
        if not any(other.startswith(text + " ") and shared[other] == count for other in shared):
            texts.add(text)
    return texts


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """The two files that transformers reads, in the form that its versions 4 and 5 both know."""
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": EOS,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 2048,
    }
    text = json.dumps(settings, indent=2) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
