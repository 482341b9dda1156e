"""Engines: whatever answers sheets of questions under adapters.

What needs torch is imported when it is used, by :func:`.opening.open` and in ``engines.local``.
"""

from .base import Answers, Engine, EngineInfo, Request, Sampling, Text
from .function import FunctionEngine
from .opening import open
from .ray.cluster import Workers

__all__ = [
    "Answers",
    "Engine",
    "EngineInfo",
    "FunctionEngine",
    "Request",
    "Sampling",
    "Text",
    "Workers",
    "open",
]
