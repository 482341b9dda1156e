"""What Cultural Palette (arXiv 2412.11167, table 2) reports: a scale, and no comparison."""

PUBLISHED_NOTE = (
    "Published rows, for scale and not for comparison: other questions (which, the paper does not say, and "
    "a uniform guess moves by four points with the choice), other models, other wording, no intervals. What "
    "can be compared are gains over a uniform guess on the same questions: on the set that the paper's "
    "harness ships a uniform guess has 68.7 and the mean of the other countries 84.7."
)
PUBLISHED_TABLE = (
    "| | Vanilla | Prompting | Joint | MoE | Modular | Palette | w/o MoErges | w/o draft | w/o self-reg. |",
    "|---|---|---|---|---|---|---|---|---|---|",
    "| Llama-3.1-8B | 63.76 | 66.43 | 67.37 | 72.94 | 73.82 | 75.90 | 70.60 | 71.85 | 75.18 |",
    "| Qwen2.5-7B | 61.18 | 61.58 | (misprint) | 69.25 | 69.51 | 73.64 | 67.29 | 66.75 | 71.69 |",
)
