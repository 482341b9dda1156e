"""How much of a people's answer a model's text says: entailment between two texts, in both directions.

Cultural Palette (arXiv 2412.11167) scores open answers by an NLI model and writes no more than NLI(gold,
answer). ``forward`` is our reading of it: the probability that the gold answer, as premise, entails the
model's. Entailment of long texts is not symmetric, and rewards an answer that says little: so ``backward``
stands beside it, and floors: what an answer gets that knows nothing of these people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, SpecificationError

Array = NDArray[np.floating]
_BATCH = 16


@dataclass(frozen=True)
class Agreement:
    """Mean probabilities of entailment, x 100, over ``pairs``.

    ``cut`` is how many pairs were longer than the model reads, and were cut.
    """

    name: str
    forward: float
    backward: float
    pairs: int
    cut: int


class Entailment:
    """A model of natural language inference, from a folder or a hub's name that transformers finds.

    Parameters
    ----------
    source : a sequence classifier, one of whose labels is called ``entailment``

    Raises
    ------
    ModelError
        It cannot be loaded, or its labels have no names (``LABEL_0``): which of them means entailment
        differs from model to model, and is never guessed.
    """

    def __init__(self, source: str | Path, *, device: str = "cpu", most_tokens: int = 512) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(str(source))
            model = AutoModelForSequenceClassification.from_pretrained(str(source))
        except (OSError, ValueError, KeyError) as error:
            why = " ".join(str(error).split())[:200]
            raise ModelError(f"The model {str(source)!r} cannot be loaded: {why}") from None
        self._model = model.to(device).eval()
        self.place = _entailment(str(source), model.config.id2label)
        self._most, self._device = most_tokens, device

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> tuple[Array, int]:
        """(pairs,) probabilities that the first text entails the second, and how many pairs were cut."""
        import torch

        found = np.zeros(len(pairs))
        cut = 0
        taken = set(self._tokenizer.model_input_names)
        with torch.inference_mode():
            for start in range(0, len(pairs), _BATCH):
                some = list(pairs[start : start + _BATCH])
                given = self._tokenizer(
                    [premise for premise, _ in some],
                    [hypothesis for _, hypothesis in some],
                    padding=True,
                    return_tensors="pt",
                    truncation="longest_first",
                    max_length=self._most,
                )
                cut += sum(len(self._tokenizer(*pair).input_ids) > self._most for pair in some)
                inputs = {
                    name: part.to(self._device) for name, part in given.items() if name in taken
                }
                logits = self._model(**inputs).logits.float()
                here = logits.softmax(-1)[:, self.place].cpu().numpy()
                found[start : start + len(some)] = here
        return found, cut

    def agreement(self, name: str, gold: Sequence[str], answers: Sequence[str]) -> Agreement:
        """How well answers agree with the gold ones, pair by pair, in both directions."""
        if len(gold) != len(answers) or not gold:
            raise SpecificationError(
                f"There are {len(gold)} gold answers and {len(answers)} others; expected as many, and at "
                "least one."
            )
        forward, cut = self.probabilities(list(zip(gold, answers, strict=True)))
        backward, _ = self.probabilities(list(zip(answers, gold, strict=True)))
        return Agreement(
            name, 100 * float(forward.mean()), 100 * float(backward.mean()), len(gold), cut
        )

    def floors(
        self, queries: Sequence[str], gold: Sequence[str], elsewhere: Sequence[str]
    ) -> list[Agreement]:
        """What answers get that know nothing of these people.

        Parameters
        ----------
        elsewhere : another people's gold answers to the same queries
        """
        return [
            self.agreement("another people's gold answer", gold, elsewhere),
            self.agreement("the gold answer to another query", gold, [*gold[1:], gold[0]]),
            self.agreement("the query itself", gold, queries),
            self.agreement("nothing", gold, [""] * len(gold)),
        ]


def _entailment(source: str, labels: dict[int, str]) -> int:
    """The position of the label that is called entailment, and not no entailment."""
    named = {int(n): str(label).casefold().replace("-", "_") for n, label in labels.items()}
    found = [n for n, label in named.items() if label in ("entailment", "entails", "entail")]
    if len(found) != 1:
        raise ModelError(
            f"Which label of {source!r} means entailment is not known: they are called "
            f"{', '.join(map(str, labels.values()))}. Take a model whose labels have names, or set id2label "
            "in its config.json."
        )
    return found[0]
