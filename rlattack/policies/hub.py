"""Agents on the Hugging Face hub: `hf:owner/name` or `hf:owner/name:file.zip`."""

import contextlib
import logging
import re
from pathlib import Path

from rlattack.errors import InvalidInput, MissingExtra
from rlattack.policies.published import HUB
from rlattack.policies.statistics import BESIDE

COMPANIONS = (*BESIDE, "config.yml", "args.yml", HUB)
"""What belongs to an agent: its statistics, its configuration, and how well it played."""
_SPEC = re.compile(r"hf:(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)(?::(?P<file>[\w./-]+))?")


def fetch(spec: str) -> Path:
    """Downloads a file of a model repository and what belongs to it, or finds it in the local cache; runs nothing.

    Args:
        spec: `hf:owner/name`, whose file is `<name>.zip` as Stable-Baselines3 uploads it, or `hf:owner/name:file`.

    Raises:
        InvalidInput: Not such a name, or no such repository or file can be had.
        MissingExtra: huggingface-hub is not installed.
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise InvalidInput(f"expected hf:owner/name or hf:owner/name:file.zip, got {spec!r}")
    file = match["file"] or f"{match['name']}.zip"
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError
    except ImportError as error:
        raise MissingExtra(
            'agents on the Hugging Face hub need huggingface-hub: pip install "rlattack[hub]"'
        ) from error
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)  # what goes wrong is told in one line
    repository = f"{match['owner']}/{match['name']}"
    try:
        path = Path(hf_hub_download(repository, file))
    except (EntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InvalidInput(
            f"{spec}: {file} can neither be downloaded nor is it in the local cache ({reason})"
        ) from error
    for companion in COMPANIONS:  # the zip plays as it did with what lies beside it
        with contextlib.suppress(EntryNotFoundError, OSError, ValueError):
            hf_hub_download(repository, companion)
    return path
