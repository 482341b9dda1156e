"""Experts: adapters of any kind in folders, each with its card and its proof."""

from .card import Card
from .expert import Expert, find_expert, read_expert
from .proof import Proof, prove
from .write import write_expert

__all__ = ["Card", "Expert", "Proof", "find_expert", "prove", "read_expert", "write_expert"]
