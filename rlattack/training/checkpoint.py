"""Checkpoints of a training run: weights, optimiser and step count, in files that load without running code."""

import dataclasses
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rlattack.errors import RefusedFile
from rlattack.policies.folder import write_whole

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]

FILE = "checkpoint.pt"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Where a training run stands."""

    steps: int
    """Agent steps learned from."""
    policy: dict[str, torch.Tensor]
    optimizer: dict[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes the checkpoint whole: the old one stands until the new one does."""
    buffer = io.BytesIO()
    torch.save(dataclasses.asdict(checkpoint), buffer)
    write_whole(folder / FILE, buffer.getvalue())
    write_whole(folder / "progress.json", json.dumps({"steps": checkpoint.steps}).encode())


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Reads the checkpoint of a run folder, None when there is none yet.

    Raises:
        RefusedFile: Damaged, or not a checkpoint of ours.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        values = torch.load(path, weights_only=True, map_location="cpu")
        return Checkpoint(**values)
    except (OSError, EOFError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile, KeyError) as error:
        raise RefusedFile(f"{path}: not a readable checkpoint ({error}); remove it to start over") from error
    except Exception as error:  # torch raises pickle.UnpicklingError with advice that must not be followed
        raise RefusedFile(f"{path}: holds more than tensors and numbers; refused") from error
