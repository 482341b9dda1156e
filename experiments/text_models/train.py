"""Three small causal models, trained from nothing on plain text: to tell searches apart, not to be believed.

    python experiments/text_models/train.py             # all three, 10 to 25 minutes of one core each
    python experiments/text_models/train.py text-neox

They differ in architecture, width, depth and vocabulary, have no chat template, and have read no
questionnaire. Each is a plain folder under `models/`, which git ignores; one that is there is left as it is.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from text import documents
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM

HERE = Path(__file__).parent
BOS, EOS = "<s>", "</s>"
SHARED = {"max_position_embeddings": 2048, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
MODELS: dict[str, dict[str, Any]] = {
    "text-llama": dict(
        model_type="llama", vocab_size=2048, hidden_size=192, num_hidden_layers=6,
        intermediate_size=512, num_attention_heads=6, num_key_value_heads=6, tie_word_embeddings=True,
    ),
    "text-neox": dict(
        model_type="gpt_neox", vocab_size=4096, hidden_size=256, num_hidden_layers=4,
        intermediate_size=1024, num_attention_heads=8, tie_word_embeddings=False,
    ),
    "text-qwen": dict(
        model_type="qwen3", vocab_size=6144, hidden_size=320, num_hidden_layers=8, head_dim=64,
        intermediate_size=512, num_attention_heads=5, num_key_value_heads=1, tie_word_embeddings=True,
    ),
}  # fmt: skip
LENGTH = 192  # tokens of a sequence
SEQUENCES = 4  # of a step: many small steps learn most from few tokens
STEPS = {"text-llama": 3000, "text-neox": 3600, "text-qwen": 3000}
RATE, WARM_UP = 2e-3, 40


def train_tokenizer(texts: list[str], vocabulary: int) -> Tokenizer:
    """Byte-level BPE in which every digit stands for itself."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[BOS, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, 0)]
    )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": BOS, "eos_token": EOS, "pad_token": EOS,
        "clean_up_tokenization_spaces": False, "model_max_length": 2048,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def sequences(tokenizer: Tokenizer, texts: list[str]) -> torch.Tensor:
    """(n, LENGTH) tokens of the texts, one behind another."""
    tokens = [token for text in tokenizer.encode_batch(texts) for token in [*text.ids, 1]]
    count = len(tokens) // LENGTH
    return torch.tensor(tokens[: count * LENGTH]).view(count, LENGTH)


def batches(tokens: torch.Tensor, steps: int, rng: np.random.Generator) -> Iterator[torch.Tensor]:
    """Each sequence once, in a random order, before any comes again."""
    order = np.concatenate(
        [rng.permutation(len(tokens)) for _ in range(1 + steps * SEQUENCES // len(tokens))]
    )
    for step in range(steps):
        yield tokens[torch.from_numpy(order[step * SEQUENCES : (step + 1) * SEQUENCES])]


def train(name: str, texts: list[str], held_out: list[str], steps: int) -> None:
    """Train one model and write its folder."""
    started = time.process_time()
    tokenizer = train_tokenizer(texts, MODELS[name]["vocab_size"])
    tokens, unseen = sequences(tokenizer, texts), sequences(tokenizer, held_out)
    torch.manual_seed(0)
    settings = dict(MODELS[name])
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(settings.pop("model_type"), **settings, **SHARED)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda n: min((n + 1) / WARM_UP, 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * n / steps))),
    )
    model.train()
    for step, batch in enumerate(batches(tokens, steps, np.random.default_rng(0)), start=1):
        with torch.autocast("cpu", torch.bfloat16):  # twice as fast; the weights stay in float32
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 20 == 0 or step == steps:
            spent = time.process_time() - started
            print(
                f"{name}, step {step} of {steps}: {loss.item():.2f} nats, {spent:.0f} s", flush=True
            )
    draft = HERE / "models" / f".{name}.new"
    shutil.rmtree(draft, ignore_errors=True)
    model.eval().save_pretrained(draft)
    save_tokenizer(tokenizer, draft)
    nats = held_out_nats(model, unseen)
    size = sum(len(text.encode()) for text in held_out)
    figures = {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "tokens of text": tokens.numel(),
        "tokens read": steps * SEQUENCES * LENGTH,
        "seconds of one core": round(time.process_time() - started),
        "held-out perplexity a token": round(math.exp(nats), 1),
        "held-out bits a byte": round(nats * unseen.numel() / size / math.log(2), 3),
    }
    (draft / "training.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(f"{name}: {figures}", flush=True)
    draft.rename(HERE / "models" / name)


@torch.inference_mode()
def held_out_nats(model: Any, tokens: torch.Tensor) -> float:
    """Nats a token on sequences that were not read, in float32."""
    found = [float(model(input_ids=part, labels=part).loss) for part in tokens.split(16)]
    sizes = [len(part) for part in tokens.split(16)]
    return float(np.average(found, weights=sizes))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "models", nargs="*", default=list(MODELS), metavar="MODEL", help=", ".join(MODELS)
    )
    parser.add_argument("--steps", type=int, help="of each model, instead of the usual number")
    asked = parser.parse_args()
    unknown = set(asked.models) - set(MODELS)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: the models are {', '.join(MODELS)}.")
    torch.set_num_threads(1)
    wanted = [name for name in asked.models if not (HERE / "models" / name).is_dir()]
    if wanted:
        (HERE / "models").mkdir(exist_ok=True)
        texts, held_out = documents()
        for name in wanted:
            train(name, texts, held_out, asked.steps or STEPS[name])
    for name in asked.models:
        print(HERE / "models" / name)


if __name__ == "__main__":
    main()
