"""Experts as prompt embeddings: what a serving engine decodes means what the engine here applies."""

from __future__ import annotations

import base64
import io
import json

import pytest
import torch

from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.engines.base import Request, Sampling
from blackbox_align.engines.checkpoint import find_model
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.errors import ExpertError, SpecificationError
from blackbox_align.experts import write_expert
from blackbox_align.experts.prompt_embeds import export_prompt_embeds
from tests.experts.hand_made import KINDS, PROOF, card, vectors
from tests.small_models import save_small_model

ASKED = [{"role": "user", "content": "What is the scale of time?"}]
PLACES = {"first": 3, "message": 2, "last": 5}


def decoded(part):
    """As vLLM reads a part: nothing but a tensor is let pass."""
    assert set(part) == {"type", "data"} and part["type"] == "prompt_embeds"
    return torch.load(io.BytesIO(base64.b64decode(part["data"], validate=True)), weights_only=True)


def test_the_parts_write_what_the_experts_write(tmp_path):
    """A message's part where the template puts its content, the others in a whole prompt: same tokens."""
    save_small_model("llama-chat", tmp_path / "model")
    checkpoint = find_model(str(tmp_path / "model"), device="cpu")
    about = card(checkpoint.name, checkpoint.revision)
    experts = [
        write_expert(
            tmp_path / place, Adapter(prompt=SoftPrompt(vectors(tokens, 32), place)), about, PROOF
        )
        for place, tokens in PLACES.items()
    ]
    files = export_prompt_embeds(experts, tmp_path / "out")
    engine = LocalEngine(checkpoint.model)
    model, tokenizer = checkpoint.model.model, checkpoint.model.tokenizer
    embed = model.get_input_embeddings()
    for expert in experts:
        told = json.loads(files[expert.name].read_text())
        tensor = decoded(told["part"])
        assert tensor.dtype == torch.float32 and list(tensor.shape) == told["shape"]
        assert told["placement"] == expert.name and told["digest"] == expert.adapter().digest()
        text = tokenizer.apply_chat_template(ASKED, add_generation_prompt=True, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids[0]
        before = tokenizer(
            text[: text.index(ASKED[0]["content"])], add_special_tokens=False
        ).input_ids
        at = {"first": 0, "message": len(before), "last": len(ids)}[expert.name]
        whole = torch.cat([embed(ids[:at]), tensor, embed(ids[at:])])[None]
        mask = torch.ones(whole.shape[:2], dtype=torch.long)
        written = model.generate(
            inputs_embeds=whole,
            attention_mask=mask,
            max_new_tokens=8,
            do_sample=False,
            pad_token_id=0,
        )[0].tolist()
        request = Request(ASKED, Sampling(8), ((expert.adapter(), 1.0),))
        wanted = list(engine.submit(request).result().tokens)
        assert written[: len(wanted)] == wanted
    engine.close()


def test_what_is_no_vector_is_refused(tmp_path):
    """Before anything is written, and in a new folder only."""
    for kind in ("lora", "text and prompt"):
        expert = write_expert(tmp_path / kind, KINDS[kind], card(), PROOF)
        with pytest.raises(ExpertError, match="only vectors"):
            export_prompt_embeds([expert], tmp_path / "out")
    with pytest.raises(ExpertError, match="no expert"):
        export_prompt_embeds([], tmp_path / "out")
    with pytest.raises(SpecificationError, match="there already"):
        export_prompt_embeds([], tmp_path)
    assert not (tmp_path / "out").exists()


def test_the_command_writes_them_without_a_model(bbalign, tmp_path):
    """A file for each expert; a format that there is not is told of."""
    write_expert(tmp_path / "experts" / "KEN", KINDS["message"], card(), PROOF)
    done = bbalign("experts", "export", "out", "--format", "prompt-embeds")
    assert done.returncode == 0, done.stderr
    assert decoded(json.loads((tmp_path / "out" / "KEN.json").read_text())["part"]).shape == (3, 8)
    wrong = bbalign("experts", "export", "other", "--format", "gguf")
    assert wrong.returncode == 2 and "'prompt-embeds'" in wrong.stderr
