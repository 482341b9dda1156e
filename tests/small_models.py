"""Small random models of many architectures, built here because nothing can be downloaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from blackbox_align.surveys import load_survey

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n"
    "{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
_SPECIAL = ["<pad>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|end|>"]
_SIZE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def _build(config_class: type, model_class: type, **more: Any) -> Callable[[int], Any]:
    return lambda vocabulary: model_class(config_class(vocab_size=vocabulary, **{**_SIZE, **more}))


def _gpt2(vocabulary: int) -> Any:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocabulary, n_embd=32, n_layer=2, n_head=4, n_positions=512,
            bos_token_id=1, eos_token_id=2,
        )
    )  # fmt: skip


# A window shorter than the questions, so that sliding attention really slides.
_WINDOW = {"sliding_window": 60}

ARCHITECTURES: dict[str, Callable[[int], Any]] = {
    "llama": _build(LlamaConfig, LlamaForCausalLM),
    "llama-chat": _build(LlamaConfig, LlamaForCausalLM),
    "qwen2": _build(Qwen2Config, Qwen2ForCausalLM),
    "mistral": _build(MistralConfig, MistralForCausalLM, sliding_window=None),
    "mistral-window": _build(MistralConfig, MistralForCausalLM, **_WINDOW),
    "gpt2": _gpt2,
    "gemma2": _build(Gemma2Config, Gemma2ForCausalLM, head_dim=8),
    "gemma3": _build(Gemma3TextConfig, Gemma3ForCausalLM, head_dim=8, **_WINDOW),
    "phi3": _build(Phi3Config, Phi3ForCausalLM),
}


def build_tokenizer(chat: bool = False, bos: bool = True) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer in which ' 1' to ' 5', and '1' to '5', are single tokens."""
    survey = load_survey("vsm2013")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [survey.question(item) for item in survey.items]
    texts += [f"Answer: {n}" for n in range(1, 10)] * 100
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    if chat:
        fast.chat_template = CHAT_TEMPLATE
    return fast


def save_small_model(architecture: str, folder: Path, seed: int = 0) -> Path:
    """A random model with its tokenizer in ``folder``, as ``from_pretrained`` expects it."""
    tokenizer = build_tokenizer(chat=architecture.endswith("chat"), bos=architecture != "gpt2")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = ARCHITECTURES[architecture](len(tokenizer))
        for parameter in model.parameters():  # large enough that every weight shows in the answers
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.3)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
