"""Every size of a pass is made ready before a search: nothing is compiled or planned on its clock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from ...adapters.adapter import Adapter
from .compiled import PAYS, SECONDS
from .memory import is_out_of_memory
from .passes import Passes
from .sizes import padded

OnSize = Callable[[int, int], None]
"""Is told, before each size, how many are ready and how many there are."""


def warm_up(
    passes: Passes,
    adapters: list[Adapter],
    seconds: float,
    ask: Callable[[list[Adapter]], object],
    on_size: OnSize,
) -> int:
    """Ask once in every size that up to as many ``adapters`` come in; how many sizes were compiled.

    Nothing is asked where no device plans and nothing is compiled. Where the compiler is chosen by itself,
    it is only for a search of at least :data:`.compiled.PAYS` times the ``seconds`` that it takes.
    """
    compiled = passes.compiled
    if passes.device.type != "cuda" and compiled is None:
        return 0
    most = len(adapters)
    sizes = sorted({min(padded(number), most) for number in range(1, most + 1)})
    pays = seconds >= PAYS * SECONDS * len(sizes)
    before, made = compiled.kinds if compiled else 0, 0
    with compiled.opened() if compiled and pays else nullcontext():
        for done, size in enumerate(sizes):
            on_size(done, len(sizes))
            try:
                ask(adapters[:size])
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                break  # the search meets it again, and asks fewer at once
            made += 1
    return made if compiled and compiled.kinds > before else 0
