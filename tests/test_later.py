"""What transformers imports beside its models is imported when it is used."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from blackbox_align.later import _remember_all_folders

# The compiler, distributed tensors, what they need, and scipy.stats, which no table of a fit needs.
UNUSED = (
    "torch._dynamo",
    "torch.distributed.tensor",
    "sympy",
    "accelerate",
    "transformers.quantizers",
    "scipy.stats",
    "pandas",
)


def run(lines: str, cwd=None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", lines], capture_output=True, text=True, cwd=cwd, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def used():
    """What stand-ins are and become, in a process of their own."""
    return run(
        "import os, sys\n"
        "from blackbox_align.later import bind_later\n"
        "bind_later()\n"
        "from transformers.models.llama.modeling_llama import LlamaForCausalLM\n"
        "from transformers.distributed import sharding_utils\n"
        "name = sharding_utils.DTensor\n"
        f"print([one for one in {UNUSED} if one in sys.modules])\n"
        "print(isinstance(3, name), 'torch.distributed.tensor' in sys.modules)\n"
        "import torch.distributed.tensor\n"
        "print(issubclass(torch.distributed.tensor.DTensor, name))\n"
        "print(type('Mine', (name,), {}).__bases__ == (torch.distributed.tensor.DTensor,))\n"
        "import torch\n"
        "print(torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1)).item())\n"
        "from transformers import modeling_utils\n"
        "print(modeling_utils.get_module_from_name(torch.nn.Linear(1, 1), 'weight')[1])\n"
        "import transformers.quantizers.auto as auto\n"
        "print(issubclass(auto.HfQuantizer, modeling_utils.HfQuantizer))\n"
        "from transformers.utils import import_utils\n"
        "folders = len(os.listdir(os.path.dirname(import_utils.__file__) + '/../models'))\n"
        "print(import_utils.create_import_structure_from_path.cache_info().misses < 1.5 * folders)\n"
    ).splitlines()


def test_transformers_imports_neither_compiler_nor_distributed_tensors(used):
    """They are half of the time to a first table, and a model on a CPU uses neither."""
    assert used[0] == "[]"


def test_a_stand_in_is_the_real_thing_when_it_is_used(used):
    """Nothing is an instance of what was never imported; afterwards names mean what they say."""
    assert used[1:4] == ["False False", "True", "True"]


def test_the_compiler_is_there_when_it_is_asked_for(used):
    """A stand-in is in nobody's way."""
    assert used[4] == "2.0"


def test_ways_to_quantize_are_there_when_a_model_has_one(used):
    """They lie inside of transformers itself, and are real as soon as one of their names is used."""
    assert used[5:7] == ["weight", "True"]


def test_files_of_models_are_looked_through_once(used):
    """Transformers remembers 128 folders of its 500, and would read all of their files again."""
    assert used[7] == "True"


def test_another_way_of_transformers_to_read_its_folders_is_left_alone():
    """A release of theirs that remembers nothing, or has no such function, starts as it would."""
    reads = SimpleNamespace(create_import_structure_from_path=len)
    _remember_all_folders(reads)
    assert reads.create_import_structure_from_path is len
    _remember_all_folders(SimpleNamespace())


def test_who_makes_a_class_of_a_name_meanwhile_gets_the_real_one(tmp_path):
    """As scipy.integrate does of scipy.optimize, where transformers imports scikit-learn."""
    files = {
        "large/__init__.py": "",
        "costly/__init__.py": "from costly.inner import Base, value",
        "costly/inner.py": "import large\nclass Base:\n    pass\nvalue = Base.__name__",
        "friend.py": "import costly\nclass Mine(costly.Base):\n    seen = costly.value.upper()",
        "asker.py": "from costly import inner\nimport large\nfrom friend import Mine",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    seen = run(
        "import sys\n"
        "from blackbox_align.later import bind_later\n"
        "bind_later('asker', ('costly', 'large'))\n"
        "import asker\n"
        "import costly\n"
        "print(asker.Mine.__bases__ == (costly.Base,), asker.Mine.seen)\n"
        "print(asker.inner.Base is costly.Base)\n"
        "print('large' in sys.modules)\n",
        cwd=tmp_path,
    )
    assert seen.splitlines() == ["True BASE", "True", "False"]


def test_a_fit_imports_nothing_that_its_table_does_not_need(tmp_path):
    """Until its table stands; what writes the expert for PEFT may come after it."""
    seen = run(
        "import sys\n"
        "from blackbox_align import __main__ as command\n"
        "from blackbox_align.cli import output as made\n"
        "usual = made.print_tables\n"
        "def shown(*given):\n"
        f"    print('HERE', [one for one in {(*UNUSED, 'peft')} if one in sys.modules])\n"
        "    usual(*given)\n"
        "made.print_tables = shown\n"
        "sys.argv = ['bbalign', 'fit', '--country', 'SAU', '--budget', '3']\n"
        "command.main()\n",
        cwd=tmp_path,
    )
    assert "HERE []" in seen, seen
