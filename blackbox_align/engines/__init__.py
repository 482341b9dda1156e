"""Evaluators: whatever answers a survey under soft prompts.

The in-process evaluator and model loading import torch, so they are modules of their own:
``blackbox_align.engines.local.in_process`` and ``blackbox_align.engines.checkpoint``.
"""

from .base import Evaluator
from .function import FunctionEngine, FunctionEvaluator
from .ray.cluster import Workers

__all__ = ["Evaluator", "FunctionEngine", "FunctionEvaluator", "Workers"]
