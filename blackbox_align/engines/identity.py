"""Which model a folder holds, by the content of all that an answer follows from, wherever it lies."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from ..errors import ModelError, RunError
from ..files.atomic import write_text

_SUFFIXES = (".json", ".safetensors", ".bin", ".pt", ".pth", ".model", ".jinja", ".py", ".tiktoken")
_TEXTS = ("merges.txt", "vocab.txt")
# What lies in a model's folder and is never read to answer.
_OTHER_FORMS = {"onnx", "openvino", "original", "coreml", "gguf", "runs", "__pycache__"}
_OF_TRAINING = {"training_args.bin", "trainer_state.json", "optimizer.pt", "optimizer.bin",
                "scheduler.pt", "rng_state.pth", "all_results.json", "train_results.json",
                "eval_results.json"}  # fmt: skip
_POINTER = b"version https://git-lfs"
_BLOCK = 1 << 24


def answering_files(names: Iterable[str]) -> list[str]:
    """Of the files of a model, by their paths in it, those that an answer follows from, sorted.

    Weights of PyTorch's own form count only where there are none in safetensors, which are preferred.
    """
    kept = []
    for name in names:
        path = PurePosixPath(name)
        inside = any(part.startswith(".") or part in _OTHER_FORMS for part in path.parts[:-1])
        fits = path.suffix in _SUFFIXES or path.name in _TEXTS
        if fits and not inside and not path.name.startswith(".") and path.name not in _OF_TRAINING:
            kept.append(name)
    if any(PurePosixPath(name).suffix == ".safetensors" and "/" not in name for name in kept):
        kept = [n for n in kept if PurePosixPath(n).suffix not in (".bin", ".pt", ".pth")]
        kept = [n for n in kept if not n.endswith(".bin.index.json")]
    return sorted(kept)


def folder_digest(folder: Path) -> str:
    """A hash of the names and the whole content of a folder's :func:`answering_files`.

    What was hashed before is not read again while paths, sizes and times are the same ones.
    """
    root = folder.resolve()
    names = answering_files(
        path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
    )
    seen = [(name, (root / name).stat()) for name in names]
    times = [[n, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for n, s in seen]
    key = hashlib.sha256(json.dumps([str(root), times]).encode()).hexdigest()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    known = home / "blackbox_align" / "models" / key
    with suppress(OSError):
        digest = known.read_text()
        if len(digest) == 64:
            return digest
    hashed = hashlib.sha256()
    for name, status in seen:
        hashed.update(f"{name} {status.st_size}\n".encode())
        with (root / name).open("rb") as file:
            while block := file.read(_BLOCK):
                hashed.update(block)
    with suppress(OSError, RunError):
        known.parent.mkdir(parents=True, exist_ok=True)
        write_text(known, hashed.hexdigest())
    return hashed.hexdigest()


def refuse_pointers(folder: Path, name: str) -> None:
    """Raise :class:`ModelError` where Git left a pointer in the place of a large file."""
    for path in sorted(folder.iterdir()):
        if path.suffix in _SUFFIXES and path.is_file() and path.stat().st_size < 1024:
            with path.open("rb") as file:
                if file.read(len(_POINTER)) == _POINTER:
                    raise ModelError(
                        f"The model folder {name!r} holds a pointer of Git LFS in the place of "
                        f"{path.name}; run `git lfs pull` in it."
                    )
