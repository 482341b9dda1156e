"""What the workers of a pool load: the run's model, exactly as the run knows it."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ModelError
from ..checkpoint import load_model
from ..local.in_process import InProcessEvaluator


@dataclass(frozen=True)
class LoadModel:
    """Makes an in-process evaluator; see there for ``placement``.

    The first five are those of :func:`.language_model.load_model`. ``expected`` is the revision that
    the run has recorded, as a node may hold another model under the same name. A worker has one
    thread: workers, not threads, share a machine's cores.
    """

    name: str
    revision: str | None
    device: str
    dtype: str
    trust_remote_code: bool
    placement: str
    expected: str

    def __call__(self) -> InProcessEvaluator:
        import torch

        torch.set_num_threads(1)
        model = load_model(
            self.name,
            revision=self.revision,
            device=self.device,
            dtype=self.dtype,
            trust_remote_code=self.trust_remote_code,
        )
        if model.revision != self.expected:
            raise ModelError(
                f"This node holds another {self.name!r} ({model.revision[:12]}) than the run "
                f"({self.expected[:12]}); give all nodes the same files"
            )
        return InProcessEvaluator(model, placement=self.placement)
