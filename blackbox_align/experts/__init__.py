"""Experts: fitted prompts as PEFT adapter folders with our card beside them."""

from .expert import Expert, read_expert, write_expert

__all__ = ["Expert", "read_expert", "write_expert"]
