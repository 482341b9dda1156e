"""A fit as a function, for benchmarks and searches of other libraries: nothing is recorded.

>>> from blackbox_align.fitting.tasks import open_task
>>> task = open_task("SAU")
>>> task.dimension
320
>>> float(task(np.zeros(320))) > 0
True
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..adapters import Adapter, Parameterization
from ..engines import Engine
from ..engines import open as open_engine
from ..engines.opening import chat_format
from ..errors import MissingDependencyError, SpecificationError
from .asking import Asked, search_space, unit_of
from .data import PROMPT, generator, load_data
from .problem import Problem, pose
from .settled import settle
from .specification import Specification

if TYPE_CHECKING:
    from nevergrad.functions import ExperimentFunction

_SETTINGS_OF_ENGINES = ("revision", "device", "dtype", "trust_remote_code")


@dataclass(frozen=True, eq=False)
class Task:
    """What a fit minimises, as a function of (d,) vectors, which start at 0 in steps of about 1."""

    problem: Problem
    engine: Engine
    space: Parameterization

    @property
    def name(self) -> str:
        """The population and the model, such as ``SAU on respondent-tiny``."""
        return f"{self.problem.populations[0].code} on {self.engine.info.name}"

    @property
    def dimension(self) -> int:
        return self.space.dimension

    def __call__(self, vector: np.ndarray) -> float:
        """The loss of one vector; inf where the evaluation failed."""
        return float(self.losses(np.asarray(vector, float)[None])[0])

    def close(self) -> None:
        self.engine.close()

    def losses(self, vectors: np.ndarray) -> np.ndarray:
        """(P,) losses of (P, d) vectors, asked in one pass."""
        return self.of_adapters(self.space.adapters(vectors))[0]

    def of_adapters(self, adapters: Sequence[Adapter]) -> tuple[np.ndarray, list[Any]]:
        """(P,) losses, inf for a failure, and the evaluations that they are from."""
        given = self.engine.answer(adapters, self.problem.sheet)
        found, _ = self.problem.score(given.probabilities, 0, given.divergence)
        losses = [np.inf if one.loss is None else one.loss for one in found]
        return np.array(losses, float), found


def open_task(country: str, **settings: Any) -> Task:
    """The function that ``fit(country, **settings)`` minimises, of one population.

    Raises
    ------
    SpecificationError
        A setting is none, or several populations are named.
    """
    asked = Specification(country, **settings)
    data = load_data(asked)
    if len(data.populations) > 1:
        raise SpecificationError("A task is of one population; name a single country.")
    chosen = {name: getattr(asked, name) for name in _SETTINGS_OF_ENGINES}
    form = chat_format(asked.chat_template, asked.system)
    with ExitStack() as opened:
        engine = opened.enter_context(closing(open_engine(asked.model, form=form, **chosen)))
        asked = settle(asked, engine.info, {})
        data = replace(data.askable(engine), specification=asked)
        problem = pose(data, Asked(engine, {}, asked.orders))
        space = search_space(asked, engine, generator(asked, PROMPT), unit_of(engine, {}))
        opened.pop_all()  # it is the task's from here on
    return Task(problem, engine, space)


def nevergrad_function(task: Task) -> ExperimentFunction:
    """The task as nevergrad's benchmarks take one: an array that starts at 0.

    Raises :class:`..errors.MissingDependencyError` where nevergrad is not installed.
    """
    try:
        import nevergrad as ng
        from nevergrad.functions import ExperimentFunction
    except ImportError:
        raise MissingDependencyError("nevergrad", "A task of nevergrad") from None
    made = ExperimentFunction(task, ng.p.Array(shape=(task.dimension,)).set_name(""))
    made.add_descriptors(task=task.name, dimension=task.dimension)
    return made
