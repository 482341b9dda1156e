"""Rows that are written side by side: what each has read, kept in banks of rows of like length.

A step puts all rows through the linear layers together. In attention a row sees its own past, which lies
beside those of other rows of about its length: padding never more than doubles what is computed, and one
long text does not make room for short ones dear. A row that outgrows its bank moves to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .tree_attention import KeysAndValues

_SMALLEST = 64  # tokens of the shortest bank


@dataclass(eq=False)
class Past:
    """What one row has read so far.

    ``alone`` is a row under the model's own attention, whose ``cache`` is the model's own; any other has
    its keys and values in a ``bank``. ``loras`` are the low-rank updates under which it is read,
    ``gates`` the one that shares them, if any.
    """

    alone: bool = False
    loras: tuple[Any, ...] = ()
    gates: tuple[Any, ...] = ()
    length: int = 0
    cache: Any = None
    bank: Bank | None = None


@dataclass(eq=False)
class Bank:
    """Rows side by side: keys and values (places, heads, room, d) by layer, those of ``rows`` in front."""

    room: int
    rows: list[Past] = field(default_factory=list)
    layers: dict[int, KeysAndValues] = field(default_factory=dict)
    _lengths: Tensor | None = None
    _masks: dict[Any, Tensor] = field(default_factory=dict)

    def add(self, past: Past, layers: dict[int, KeysAndValues]) -> None:
        """Take in a row whose keys and values are (heads, tokens, d) by layer."""
        place, past.bank = len(self.rows), self
        self.rows.append(past)
        for layer, parts in layers.items():
            if layer not in self.layers:
                # Zeros, for what is not a number would stay so behind a weight of zero.
                self.layers[layer] = tuple(  # type: ignore[assignment]
                    part.new_zeros(1, part.shape[0], self.room, part.shape[-1]) for part in parts
                )
            for kept, part in zip(self._with_places(layer), parts, strict=True):
                kept[place, :, : part.shape[1]] = part

    def remove(self, past: Past) -> None:
        """Take out a row; the last one fills its place."""
        place, last = self.rows.index(past), len(self.rows) - 1
        for keys, values in self.layers.values():
            keys[place], values[place] = keys[last], values[last]
        self.rows[place] = self.rows[last]
        self.rows.pop()
        past.bank = None

    def of(self, past: Past) -> dict[int, KeysAndValues]:
        """A row's keys and values as :meth:`add` takes them."""
        place, here = self.rows.index(past), slice(0, past.length)
        return {n: (k[place, :, here], v[place, :, here]) for n, (k, v) in self.layers.items()}

    def _with_places(self, layer: int) -> KeysAndValues:
        """A layer's keys and values with a place for every row, twice as many where there are too few."""
        keys, values = self.layers[layer]
        if len(keys) < len(self.rows):
            self.layers[layer] = keys, values = tuple(  # type: ignore[assignment]
                torch.cat([part, torch.zeros_like(part)]) for part in (keys, values)
            )
        return keys, values

    def begin_step(self, device: Any) -> None:
        """Before a step: where the next token of each row comes."""
        self._lengths = torch.tensor([row.length for row in self.rows], device=device)
        self._masks = {}

    def meet(self, layer: int, key: Tensor, value: Tensor) -> None:
        """A layer attends: every row gets its new key and value, (rows, heads, 1, d)."""
        keys, values = self.layers[layer]
        assert self._lengths is not None
        ends = self._lengths.to(keys.device)
        rows = torch.arange(len(ends), device=keys.device)
        keys[rows, :, ends] = key[:, :, 0]
        values[rows, :, ends] = value[:, :, 0]

    def seen(self, layer: int, window: int | None) -> tuple[Tensor, Tensor, Tensor]:
        """Keys, values (rows, heads, longest, d), and (rows, longest): 0 where a row sees one, else -inf."""
        longest = max(row.length for row in self.rows) + 1
        keys, values = (part[: len(self.rows), :, :longest] for part in self.layers[layer])
        key = (window, keys.device, keys.dtype)
        if key not in self._masks:
            assert self._lengths is not None
            places, ends = torch.arange(longest), self._lengths[:, None].cpu()
            hidden = places > ends
            if window:
                hidden |= ends - places >= window
            mask = torch.zeros(hidden.shape, dtype=keys.dtype).masked_fill_(hidden, -torch.inf)
            self._masks[key] = mask.to(keys.device)
        return keys, values, self._masks[key]


@dataclass(eq=False)
class Banks:
    """The banks of the rows that are read under the same updates, the shortest first."""

    by_room: dict[int, Bank] = field(default_factory=dict)

    def add(self, past: Past, layers: dict[int, KeysAndValues]) -> None:
        room = _SMALLEST
        while room <= past.length:  # the next token has to find a place
            room *= 2
        self.by_room.setdefault(room, Bank(room)).add(past, layers)

    def remove(self, past: Past) -> None:
        """A row is over; an empty bank gives its memory back."""
        assert past.bank is not None
        past.bank.remove(past)
        self._forget_empty()

    def step(self, device: Any) -> Steps:
        """One more token for every row, each in a bank that has room for it."""
        for room in sorted(self.by_room):
            for past in list(self.by_room[room].rows):
                if past.length >= room:
                    bank = self.by_room[room]
                    self.add(past, bank.of(past))
                    bank.remove(past)
                    past.bank = self.by_room[2 * room]
        self._forget_empty()
        banks = [self.by_room[room] for room in sorted(self.by_room)]
        for bank in banks:
            bank.begin_step(device)
        return Steps(banks)

    def _forget_empty(self) -> None:
        self.by_room = {room: bank for room, bank in self.by_room.items() if bank.rows}


@dataclass
class Steps:
    """One more token for each row of some banks."""

    banks: Sequence[Bank]

    @property
    def rows(self) -> list[Past]:
        return [row for bank in self.banks for row in bank.rows]

    @property
    def positions(self) -> list[list[int]]:
        return [[row.length] for row in self.rows]

    def meet(self, layer: int, key: Tensor, value: Tensor) -> None:
        """A layer attends: every row gets its new key and value."""
        for bank, here in self.places():
            bank.meet(layer, key[here], value[here])

    def places(self) -> list[tuple[Bank, slice]]:
        """Every bank, and where its rows stand among all."""
        found, start = [], 0
        for bank in self.banks:
            found.append((bank, slice(start, start + len(bank.rows))))
            start += len(bank.rows)
        return found
