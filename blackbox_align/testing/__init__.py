"""What ships for tests of plug-ins: contract tests, which need pytest, and an engine made of a function."""

from ..engines.function import FunctionEngine

__all__ = ["FunctionEngine"]
