"""The comparison with PyTorch's mixers leaves none out, and says what it needs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from teenygpt_np.model.mixers import MIXERS

SCRIPT = Path(__file__).parent / "mixers_against_references.py"


def test_every_mixer_has_a_reference() -> None:
    pytest.importorskip("torch")
    assert list(importlib.import_module("torch_mixers").PEERS) == list(MIXERS)


def test_without_pytorch_there_is_one_line_and_status_2() -> None:
    code = f"import runpy, sys; sys.modules['torch'] = None; runpy.run_path({str(SCRIPT)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert "torch" in line
    assert "pip install" in line
