"""What random damages, files, arguments and models are drawn from: BBALIGN_TEST_SEED=7 draws others."""

from __future__ import annotations

import os

# Added to each of their seeds.
SHIFT = 100_000 * int(os.environ.get("BBALIGN_TEST_SEED", "0"))
