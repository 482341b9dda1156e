"""A text in the place of a vector: what words alone reach with the same number of evaluations.

A text can be read and needs no access to a model's insides, so a vector has to be better by enough to be
worth it. The search is GEPA (Agrawal et al. 2025, arXiv 2507.19457): a language model reads how far the
answers are from people's and proposes another text. By default the model that is asked writes them itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters import Adapter
from ..engines.base import Request, Sampling
from ..errors import MissingDependencyError, RunError, SpecificationError
from ..files.atomic import read_sealed_json, write_sealed_json
from .tasks import Task, open_task

NAME = "gepa"
"""What the search is called among the optimizers of a comparison."""
FILE = "texts.json"
_KEY = "text"
_FRUITLESS = 20  # proposals in a row that are no new text
Write = Callable[[str], str]


@dataclass(frozen=True)
class Texts:
    """What a search among texts found: every text in order, its loss (inf where it failed), and the best.

    ``fruitless`` says that it ended because the writer had no new text to give.
    """

    texts: tuple[str, ...]
    losses: tuple[float, ...]
    fruitless: bool = False

    @property
    def best(self) -> str:
        return self.texts[int(np.argmin(self.losses))]

    @property
    def loss(self) -> float:
        return min(self.losses)


def kept_texts(folder: Path, settings: Mapping[str, Any], budget: int, target_loss: float) -> Texts:
    """The search of a comparison's cell, read from its folder or made and written there.

    One that was killed starts again and ends on the same texts, as it draws from its seed alone.
    """
    if (folder / FILE).is_file():
        found = read_texts(folder)
        if found.loss <= target_loss or len(found.texts) >= budget or found.fruitless:
            return found
    with closing(open_task(**settings)) as task:
        seed = task.problem.specification.seed
        found = search_texts(task, budget=budget, target_loss=target_loss, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    losses = [loss if np.isfinite(loss) else None for loss in found.losses]
    content = {"texts": found.texts, "losses": losses, "fruitless": found.fruitless}
    write_sealed_json(folder / FILE, content)
    return found


def read_texts(folder: Path) -> Texts:
    """What :func:`kept_texts` wrote; RunError where there is none, or it is damaged."""
    if not (folder / FILE).is_file():
        raise RunError(f"{folder} holds no {FILE}: the search among texts has not ended.")
    value = read_sealed_json(folder / FILE)
    losses = tuple(np.inf if loss is None else float(loss) for loss in value["losses"])
    return Texts(tuple(value["texts"]), losses, bool(value["fruitless"]))


def search_texts(
    task: Task, *, budget: int, target_loss: float = 0.0, seed: int = 0, write: Write | None = None
) -> Texts:
    """Search for a text in front of the questions, from the one that names the population.

    Parameters
    ----------
    budget : texts that are evaluated; the same text twice counts once
    write : from what it is asked to the text it answers; by default the task's own model, drawing at
        temperature 1 from ``seed``

    Raises
    ------
    MissingDependencyError
        The package gepa is not installed.
    SpecificationError
        The model writes no texts, and no ``write`` was given.
    """
    try:
        import gepa
    except ImportError:
        raise MissingDependencyError("gepa", "The search among texts") from None
    if write is None:
        write = _own_writer(task, seed)
    asked = _Asked(task, budget, target_loss)
    gepa.optimize(
        {_KEY: task.problem.populations[0].preamble()},
        trainset=["survey"],
        adapter=asked,
        reflection_lm=_counted(write, asked),
        reflection_prompt_template=_PROMPT,
        stop_callbacks=asked.is_over,
        logger=_Silent(),
        seed=seed,
    )
    fruitless = asked.fruitless >= _FRUITLESS
    return Texts(tuple(asked.known), tuple(asked.known.values()), fruitless)


_PROMPT = """A text stands before every question of a survey, and decides how a model answers. The text now:
```
<curr_param>
```
How far the answers are from those of the people that they should be like:
<side_info>
Write a better text of at most three sentences, which describes these people and how they answer. Give the
text alone, within ``` blocks."""


def _own_writer(task: Task, seed: int) -> Write:
    if "submit" not in task.engine.info.can:
        raise SpecificationError(
            f"The model {task.engine.info.name} writes no texts; give `write`, a function that asks another."
        )
    rng = np.random.default_rng(seed)

    def write(prompt: str) -> str:
        sampling = Sampling(120, temperature=1.0, seed=int(rng.integers(2**31)))
        chat = [{"role": "user", "content": prompt}]
        asked: Any = chat if task.engine.info.placement == "message" else prompt
        return task.engine.submit(Request(asked, sampling)).result().text

    return write


def _counted(write: Write, asked: _Asked) -> Callable[[Any], str]:
    def answer(prompt: Any) -> str:
        asked.fruitless += 1  # until the text that comes of it is a new one
        return write(str(prompt))

    return answer


@dataclass
class _Asked:
    """GEPA's adapter: texts in, scores and what to say of them out."""

    task: Task
    budget: int
    target_loss: float
    known: dict[str, float] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    fruitless: int = 0
    propose_new_texts: None = None

    def is_over(self, state: Any) -> bool:
        reached = bool(self.known) and min(self.known.values()) <= self.target_loss
        return reached or len(self.known) >= self.budget or self.fruitless >= _FRUITLESS

    def evaluate(
        self, batch: list[Any], candidate: dict[str, str], capture_traces: bool = False
    ) -> Any:
        from gepa import EvaluationBatch

        text = candidate[_KEY].strip()
        if text not in self.known and len(self.known) < self.budget:
            (loss,), (evaluation,) = self.task.of_adapters([Adapter(text=text)])
            self.known[text], self.fruitless = float(loss), 0
            self.said[text] = _feedback(self.task, loss, evaluation)
        score = -min(self.known.get(text, np.inf), 1e6)
        traces = [self.said.get(text, "")] * len(batch)
        return EvaluationBatch(
            [text] * len(batch), [score] * len(batch), traces if capture_traces else None
        )

    def make_reflective_dataset(
        self, candidate: dict[str, str], batch: Any, components: list[str]
    ) -> dict[str, list[dict[str, str]]]:
        return {name: [{"Feedback": said} for said in batch.trajectories] for name in components}


def _feedback(task: Task, loss: float, evaluation: Any) -> str:
    """The loss and, of indices, how far each is off."""
    said = [f"The mean error is {loss:.3g}."]
    objective = task.problem.index_objective
    if (
        objective is not None
        and len(task.problem.objective.parts) == 1
        and evaluation.loss is not None
    ):
        known = ~np.isnan(objective.targets[0])
        titles = [
            one.title for one, there in zip(objective.survey.indices, known, strict=True) if there
        ]
        for title, off in zip(titles, np.asarray(evaluation.residuals), strict=True):
            said.append(f"{title} is {abs(off):.0f} points too {'high' if off > 0 else 'low'}.")
    return " ".join(said)


class _Silent:
    def log(self, message: str) -> None:
        """Only the command line prints."""
