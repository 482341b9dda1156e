"""Experts: adapters of any kind in folders, each with its card and its proof; and libraries of them."""

from .card import Card
from .expert import Expert, find_expert, read_expert
from .library import Entry, Library
from .proof import Proof, prove
from .write import write_expert

__all__ = ["Card", "Entry", "Expert", "Library", "Proof", "find_expert", "prove", "read_expert",
           "write_expert"]  # fmt: skip
