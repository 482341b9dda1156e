"""TF32, in which a GPU multiplies float32 where it is asked to: chosen, told, and refused on a CPU."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from blackbox_align.engines.base import PARITY
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.thread import JobThread
from blackbox_align.engines.local.threads import products_of
from blackbox_align.engines.rounding import neighbour
from blackbox_align.errors import SpecificationError
from blackbox_align.experts.proof import prove
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import sheet
from tests.engines.local.test_engine import random_adapters


def test_each_job_multiplies_in_the_precision_of_its_engine():
    """TF32 is a setting of the whole process, and two engines may take turns; a CPU is left alone."""
    usual, seen = torch.get_float32_matmul_precision(), []
    try:
        for products in ("high", "highest", None, "high"):
            job = JobThread(None, products).submit(torch.get_float32_matmul_precision)
            seen.append(job.result())
    finally:
        torch.set_float32_matmul_precision(usual)
    assert seen == ["high", "highest", "highest", "high"]


def test_tf32_is_float32_with_its_noise_said_and_for_gpus_alone():
    """Parity, steps and noise are those of ten bits; a CPU, which has no such products, is refused it."""
    model = load_model(device="cpu")
    assert products_of(model) is None
    on_gpu = SimpleNamespace(device=torch.device("cuda"), tf32=True)
    assert products_of(on_gpu) == "high" and not model.tf32
    with LocalEngine(replace(model, tf32=True)) as engine:
        assert engine.info.dtype == "tf32" and engine.model.dtype == torch.float32
        [adapter] = random_adapters(model, 1, 3, "first")
        asked = sheet(load_survey("vsm2013"))
        expert = prove(engine, adapter, asked)
        near = neighbour(adapter, engine.info.dtype)
    assert expert.allowed == PARITY["tf32"] == PARITY["float16"]
    moved = near.prompt.vectors / adapter.prompt.vectors - 1
    assert abs(abs(moved) - 2**-10).max() < 1e-6
    with pytest.raises(SpecificationError, match="tf32 is a way in which a GPU multiplies"):
        load_model(device="cpu", dtype="tf32")
