"""Configurations of small random models, one for each architecture that people are likely to have."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from blackbox_align.engines.checkpoint import LanguageModel
from tests.seeds import SHIFT
from tests.small_models import build_tokenizer

_USUAL: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "head_dim": 8,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
_GPT: dict[str, Any] = {
    "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
_EXPERTS = {
    **_USUAL, "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "moe_intermediate_size": 16,
}  # fmt: skip
_LATENT = {
    **_EXPERTS, "kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
    "v_head_dim": 8, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1,
    "num_key_value_heads": 4,
}  # fmt: skip
_HYBRID = {
    **_USUAL, "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_chunk_size": 16,
}  # fmt: skip
_STATE = {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}
_USUAL_NAMES = (
    "llama qwen2 qwen3 mistral gemma gemma2 gemma3_text phi phi3 olmo olmo2 olmo3 cohere cohere2 "
    "granite starcoder2 glm glm4 helium ernie4_5 smollm3 hunyuan_v1_dense arcee apertus exaone4 seed_oss "
    "persimmon gpt_neox biogpt bitnet stablelm nemotron diffllama"
)

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(_USUAL_NAMES.split(), _USUAL),
    **dict.fromkeys(("mixtral", "qwen3_moe", "qwen2_moe", "granitemoe", "gpt_oss", "olmoe"), _EXPERTS),
    **dict.fromkeys(("deepseek_v2", "deepseek_v3"), _LATENT),
    **dict.fromkeys(("gpt2", "gpt_bigcode", "openai-gpt"), _GPT),
    "gptj": {**_GPT, "rotary_dim": 4},
    "codegen": {**_GPT, "rotary_dim": 4},
    "gpt_neo": {
        "hidden_size": 32, "num_layers": 2, "num_heads": 4, "window_size": 20,
        "attention_types": [[["global", "local"], 1]], "max_position_embeddings": 512,
    },
    "opt": {
        "hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "max_position_embeddings": 512, "word_embed_proj_dim": 32,
    },
    "xglm": {"d_model": 32, "ffn_dim": 48, "num_layers": 2, "attention_heads": 4},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "expansion_ratio": 2, "max_seq_len": 512},
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
    "llama4_text": {**_EXPERTS, "attention_chunk_size": 32, "intermediate_size_mlp": 48},
    **dict.fromkeys(("mamba", "falcon_mamba"), _STATE),
    "mamba2": {**_STATE, "num_heads": 8, "head_dim": 8, "n_groups": 1, "chunk_size": 16},
    "falcon_h1": {**_HYBRID, "mamba_d_ssm": 64},
    "bamba": {**_HYBRID, "attn_layer_indices": [1]},
    "recurrent_gemma": {
        **_USUAL, "lru_width": 32, "attention_window_size": 64,
        "block_types": ["recurrent", "attention"],
    },
    "rwkv": {
        "hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32, "context_length": 512,
    },
    "lfm2": {**_USUAL, "layer_types": ["conv", "full_attention"]},
}  # fmt: skip


def build_model(architecture: str, dtype: str = "float32", **more: Any) -> LanguageModel:
    """A random model of an architecture, never saved, with the tokenizer of the small models."""
    tokenizer = build_tokenizer()
    settings = {**CONFIGURATIONS[architecture], "vocab_size": len(tokenizer), **more}
    with torch.random.fork_rng():
        torch.manual_seed(SHIFT)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(architecture, **settings))
        for parameter in model.parameters():  # large enough that every weight shows in the answers
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    model = model.to(getattr(torch, dtype)).eval().requires_grad_(False)
    return LanguageModel(architecture, architecture, "0", model, tokenizer)
