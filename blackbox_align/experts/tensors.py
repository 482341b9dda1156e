"""Arrays in safetensors files, read and written without torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ExpertError
from ..files.atomic import plain_errors

Array = NDArray[np.floating]
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


def write_tensors(path: Path, tensors: Mapping[str, Array]) -> None:
    """Arrays as float32, as PEFT expects the file."""
    from safetensors.numpy import save

    plain = {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}
    with plain_errors(path):
        path.write_bytes(save(plain, {"format": "pt"}))


def read_tensors(path: Path) -> dict[str, Array]:
    """All arrays of a file as float32; :class:`ExpertError` where it is damaged or holds other kinds."""
    from safetensors import SafetensorError, deserialize

    with plain_errors(path):
        content = path.read_bytes()
    try:
        entries: Any = deserialize(content)  # type: ignore[no-untyped-call]
        found = {name: _array(entry) for name, entry in entries}
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise ExpertError(f"{path}: these are no weights that can be read ({error}).") from None
    for name, array in found.items():
        if not np.isfinite(array).all():
            raise ExpertError(f"{path}: {name} holds numbers that are not finite.")
    return found


def _array(entry: Mapping[str, Any]) -> Array:
    kind, shape, data = entry["dtype"], entry["shape"], bytes(entry["data"])
    if kind == "BF16":  # the upper half of a float32
        halves = np.frombuffer(data, "<u2").astype("<u4") << 16
        return np.asarray(halves.view("<f4").reshape(shape), np.float32)
    if kind not in _DTYPES:
        raise ValueError(f"a tensor of kind {kind}")
    return np.frombuffer(data, _DTYPES[kind]).reshape(shape).astype(np.float32)
