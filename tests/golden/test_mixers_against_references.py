"""The comparison with PyTorch's mixers leaves none out, and the scripts say what they need."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from teenygpt_np.model.mixers import MIXERS


def test_every_mixer_has_a_reference() -> None:
    pytest.importorskip("torch")
    assert list(importlib.import_module("torch_mixers").PEERS) == list(MIXERS)


@pytest.mark.parametrize(
    "name", ["mixers_against_references.py", "against_torch.py", "encoder_decoder_against_torch.py"]
)
def test_without_pytorch_there_is_one_line_and_status_2(name: str) -> None:
    folder = Path(__file__).parent
    code = (
        "import runpy, sys; sys.modules['torch'] = None; "
        f"sys.path.insert(0, {str(folder)!r}); runpy.run_path({str(folder / name)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert "torch" in line
    assert "pip install" in line
