"""What a policy saw in training, as files of others hold it: mean and variance of every entry, read as data."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rlattack.errors import RefusedFile
from rlattack.policies.archive import read_file
from rlattack.policies.pickled import Record, array, read_pickle
from rlattack.policies.policy import Normaliser

BESIDE = ("vecnormalize.pkl", "vec_normalize.pkl")
"""Names under which Stable-Baselines3's zoo and hub models have their statistics beside them."""
_NORMALISED = re.compile(r"normalize\b\W+(true|\{|dict\b|.*norm_obs\W+true)|vec_?normalize", re.IGNORECASE)
_RAW = re.compile(r"norm_obs\W+false", re.IGNORECASE)


Statistics = Normaliser | dict[str, Normaliser]
"""Of one array, or of each key of a Dict that was normalised."""


class MissingStatistics(RefusedFile):
    """An agent that was trained on normalised observations, and whose statistics are nowhere."""


def read_statistics(path: Path) -> Statistics | None:
    """Reads a `VecNormalize`, a `RunningMeanStd`, or the filter of SA-PPO's family.

    Returns:
        The statistics; None of a `VecNormalize` that leaves observations as they are.

    Raises:
        RefusedFile: Anything else, damaged, or statistics by which nothing can be divided.
    """
    return statistics_of(read_pickle(read_file(path), str(path)), str(path))


def statistics_of(thing: Any, where: str) -> Statistics | None:
    """Picks statistics out of what a pickle holds; see `read_statistics`."""
    kind = thing.name.rpartition(".")[2] if isinstance(thing, Record) else type(thing).__name__
    fields = thing.fields if isinstance(thing, Record) else {}
    if kind == "VecNormalize":
        if fields.get("norm_obs", True) is not True:
            return None
        rms, clip, least = fields.get("obs_rms"), _number(fields, "clip_obs", 10.0, where), fields.get("epsilon", 1e-8)
        least = float(array(least, where))
        if isinstance(rms, dict):
            return {str(key): _of_moments(one, clip, least, f"{where}: {key}") for key, one in rms.items()} or None
        return _of_moments(rms, clip, least, where)
    if kind == "RunningMeanStd":
        return _of_moments(thing, 10.0, 1e-8, where)
    if kind == "ZFilter":
        return _of_filter(fields, where)
    raise RefusedFile(f"{where}: expected the statistics of a VecNormalize, RunningMeanStd or ZFilter, got {kind}")


def statistics_for(agent: Path, normaliser: str, says: str = "") -> Statistics | None:
    """Finds the statistics of what an agent saw in training.

    Args:
        agent: Its file, beside which the zoo and the hub of Stable-Baselines3 keep them.
        normaliser: A file that the user names; `none` for an agent that is to play without; empty to look beside it.
        says: What in the file itself says that it was trained on normalised observations, for the message.

    Raises:
        RefusedFile: Something beside the zip says that it was trained on normalised observations, and they are nowhere;
            or a file that holds none.
    """
    if normaliser == "none":
        return None
    if (file := Path(normaliser) if normaliser else beside(agent)) is not None:
        return read_statistics(file)
    if said := _companion(agent) or says:
        raise MissingStatistics(
            f"{agent}: {said} says that it was trained on normalised observations, and their statistics are missing: "
            f"expected {BESIDE[0]} beside it or --normaliser FILE; --normaliser none plays it without"
        )
    return None


def beside(path: Path) -> Path | None:
    """The file of statistics that lies beside an agent's file; None where there is none."""
    return next((place for folder in companions(path) for name in BESIDE if (place := folder / name).is_file()), None)


def companions(path: Path) -> tuple[Path, ...]:
    """Folders where the zoo and the hub keep what belongs to an agent's file: its own, and one named as it or its run.

    >>> [str(folder) for folder in companions(Path("ppo/Hopper-v3_1/best_model.zip"))]
    ['ppo/Hopper-v3_1', 'ppo/Hopper-v3_1/best_model', 'ppo/Hopper-v3_1/Hopper-v3']
    """
    folder = path.parent
    run = folder.name.rpartition("_")[0]
    return (folder, path.with_suffix(""), *((folder / run,) if run else ()))


def _companion(agent: Path) -> str:
    """Name of the file beside it that says that its observations were normalised; empty where none does."""
    for folder in companions(agent):
        for name in ("config.yml", "args.yml"):
            if (place := folder / name).is_file():
                text = read_file(place).decode(errors="replace")
                if _NORMALISED.search(text) and not _RAW.search(text):
                    return name
    return ""


def fields_of(thing: Any, where: str) -> dict[str, Any]:
    """The fields of something that a pickle holds.

    Raises:
        RefusedFile: It has none.
    """
    if not isinstance(thing, Record) or not thing.fields:
        raise RefusedFile(f"{where}: expected running statistics, got {type(thing).__name__}")
    return thing.fields


def _of_filter(fields: dict[str, Any], where: str) -> Normaliser:
    """Of a `ZFilter`, which keeps the sum of squares: std = sqrt(S / (n - 1))."""
    kept = fields_of(fields.get("rs"), where)
    if not {"_n", "_M", "_S"} <= kept.keys():
        raise RefusedFile(f"{where}: expected running statistics with _n, _M and _S, got {', '.join(kept)}")
    count, mean, total = (array(kept[name], where).astype(np.float64) for name in ("_n", "_M", "_S"))
    if count.size != 1 or not (total >= 0).all() or not total.any():
        raise RefusedFile(f"{where}: every variance is 0 or below: nothing was seen, or these are not its statistics")
    deviation = np.sqrt(total / max(float(count.reshape(())) - 1, 1.0)) + 1e-8
    return _normaliser(mean, deviation, _number(fields, "clip", 10.0, where), where)


def _of_moments(rms: Any, clip: float, least: float, where: str) -> Normaliser:
    moments = fields_of(rms, where)
    if not {"mean", "var"} <= moments.keys():
        raise RefusedFile(f"{where}: expected a mean and a variance, got {', '.join(moments)}")
    mean, variance = (array(moments[name], where).astype(np.float64) for name in ("mean", "var"))
    if not (variance >= 0).all():
        raise RefusedFile(f"{where}: expected variances of 0 or more")
    if not variance.any():
        raise RefusedFile(f"{where}: every variance is 0: nothing was seen, or these are not its statistics")
    return _normaliser(mean, np.sqrt(variance + least), clip, where)


def _normaliser(mean: npt.NDArray[Any], deviation: npt.NDArray[Any], clip: float, where: str) -> Normaliser:
    if mean.shape != deviation.shape or not mean.size:
        raise RefusedFile(f"{where}: mean of shape {mean.shape}, deviation of shape {deviation.shape}")
    found = [torch.from_numpy(part.astype(np.float32)) for part in (mean, deviation)]
    if not all(torch.isfinite(part).all() for part in found) or not (found[1] > 0).all():
        raise RefusedFile(f"{where}: expected finite statistics, and deviations above 0")
    return Normaliser(found[0], found[1], clip)


def _number(fields: dict[str, Any], name: str, otherwise: float, where: str) -> float:
    number = float(array(fields[name], where)) if fields.get(name) is not None else otherwise
    if not 0 < number < np.inf:
        raise RefusedFile(f"{where}: {name}: expected a number above 0, got {number}")
    return number
