"""An optimizer's state as plain data, and as text: no pickle, every bit kept.

Plain data are what JSON knows, with numpy arrays beside it. In the text an array is its bytes in
base64 with its type and shape; a float is written so that it reads back as the same float.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """A copy of ``value`` in lists, string-keyed dicts, numbers, strings, None and arrays."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: plain(item) for key, item in value.items()}
        # JSON would turn the keys into strings.
        return {"__items__": [[key, plain(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{type(value).__name__} cannot be part of an optimizer's state.")


def unplain(value: Any) -> Any:
    """The inverse of :func:`plain`, copied; a tuple comes back as a list."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        if set(value) == {"__items__"}:
            return {key: unplain(item) for key, item in value["__items__"]}
        return {key: unplain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unplain(item) for item in value]
    return value


def dumps(state: dict[str, Any]) -> str:
    """``state`` as JSON text."""
    return json.dumps(state, default=_array_to_json)


def loads(text: str) -> dict[str, Any]:
    """The state that :func:`dumps` wrote."""
    state = json.loads(text, object_hook=_array_from_json)
    assert isinstance(state, dict)
    return state


def _array_to_json(value: Any) -> dict[str, Any]:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} cannot be part of an optimizer's state.")
    data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
    return {"__array__": data, "dtype": value.dtype.str, "shape": list(value.shape)}


def _array_from_json(value: dict[str, Any]) -> Any:
    if "__array__" not in value:
        return value
    data = base64.b64decode(value["__array__"])
    return np.frombuffer(data, dtype=value["dtype"]).reshape(value["shape"]).copy()
