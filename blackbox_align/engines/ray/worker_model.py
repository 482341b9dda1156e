"""What the workers of a pool load: the run's model, exactly as the run knows it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...errors import ModelError
from ..checkpoint import find_model
from ..local.chat import ChatFormat
from ..local.engine import LocalEngine


@dataclass(frozen=True)
class LoadModel:
    """Makes an engine of the model in a worker.

    The first five are those of :func:`.checkpoint.find_model`. ``expected`` is the revision that the run
    has recorded, as a node may hold another model under the same name; ``form`` is what is put around a
    question, with its date settled, for clocks differ; ``compile`` as of
    :func:`..opening.open`. A worker has one thread: workers, not threads,
    share a machine's cores.
    """

    name: str
    revision: str | None
    device: str
    dtype: str
    trust_remote_code: bool
    expected: str
    form: ChatFormat = field(default_factory=ChatFormat)
    compile: str = "auto"

    def __call__(self) -> LocalEngine:
        import torch

        torch.set_num_threads(1)
        found = find_model(
            self.name,
            revision=self.revision,
            device=self.device,
            dtype=self.dtype,
            trust_remote_code=self.trust_remote_code,
        )
        if found.revision != self.expected:
            raise ModelError(
                f"This node holds another {self.name!r} ({found.revision[:12]}) than the run "
                f"({self.expected[:12]}); give all nodes the same files"
            )
        # A worker serves one search, and chunks come in two or three sizes: what it meets pays for itself.
        always = self.compile == "auto" and found.device.type == "cuda"
        return LocalEngine(found.model, None, self.form, "always" if always else self.compile)
