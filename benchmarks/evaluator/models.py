"""The models of the benchmark: the embedded one, and random weights in the shapes of real ones."""

from __future__ import annotations

import pydoc_data.topics
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from blackbox_align.engines.checkpoint import LanguageModel, load_model


@dataclass(frozen=True)
class Shape:
    """A Llama-architecture model: sizes as in its config.json."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_value_heads: int
    vocabulary: int


SHAPES: Mapping[str, Shape] = {
    "6x256": Shape(6, 256, 768, 8, 8, 32_000),
    "12x768": Shape(12, 768, 2304, 12, 12, 32_000),
    "0.6b": Shape(28, 1024, 3072, 16, 8, 151_936),
    "1b": Shape(16, 2048, 8192, 32, 8, 128_256),
    "llama-3-8b": Shape(32, 4096, 14_336, 32, 8, 128_256),
}


def benchmark_model(name: str, device: str, dtype: str) -> LanguageModel:
    """A model by name: one of :data:`SHAPES` with random weights, or anything ``--model`` takes."""
    if name not in SHAPES:
        return load_model(name, device=device, dtype=dtype)
    shape = SHAPES[name]
    where = torch.device(
        device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    )
    precision = torch.float32 if where.type == "cpu" else torch.bfloat16
    if dtype != "auto":
        precision = getattr(torch, dtype)
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        max_position_embeddings=8192,
        rope_theta=500_000.0,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        initializer_range=0.05,
    )
    with torch.random.fork_rng(), torch.device(where):
        torch.manual_seed(0)
        before = torch.get_default_dtype()
        torch.set_default_dtype(precision)
        try:
            model = LlamaForCausalLM(config)
        finally:
            torch.set_default_dtype(before)
    model.requires_grad_(False).eval()
    return LanguageModel(name, name, "random weights, seed 0", model, english_tokenizer())


def english_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE trained on the English of Python's own help: about four letters a token.

    Questions so get the lengths that they have for a real model, without a download.
    """
    bpe = ByteLevelBPETokenizer()
    texts = list(pydoc_data.topics.topics.values())
    bpe.train_from_iterator(
        texts, vocab_size=16_000, special_tokens=["<s>", "</s>"], show_progress=False
    )
    inner = bpe._tokenizer
    from tokenizers.processors import TemplateProcessing

    inner.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
