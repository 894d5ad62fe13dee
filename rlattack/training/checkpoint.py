"""Checkpoints of a training run: weights, optimisers and step count, in files that load without running code."""

import io
import json
import operator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor
from torch.optim import Optimizer

from rlattack.errors import RefusedFile
from rlattack.files import write_whole
from rlattack.policies.archive import read_file
from rlattack.policies.tensors import repacked

FILE, PROGRESS = "checkpoint.pt", "progress.json"
_PARTS = ("mean", "variance", "count")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Where a training run stands; not yet checked against a learner when it comes from a file."""

    steps: int
    """Agent steps learned from."""
    policy: dict[str, Any]
    """Tensors of the policy, target networks included."""
    optimizers: dict[str, Any]
    """`state_dict()` of every optimiser, by its name in the learner: `policy.optimizer`, `actor.optimizer`, ..."""
    entropy: dict[str, Any] = field(default_factory=dict)
    """`log_ent_coef`, of a learner that finds the weight of the entropy (SAC, TQC)."""
    statistics: dict[str, Any] = field(default_factory=dict)
    """Running means and variances of observations and returns, of a learner that normalises them."""
    partner: dict[str, Any] = field(default_factory=dict)
    """The checkpoint of who learns in turns with it, its `partner`; empty where it has none."""

    @classmethod
    def of(cls, learner: BaseAlgorithm) -> "Checkpoint":
        """Takes the tensors of a learner as they are now; they go on changing with it."""
        named = {name: one.state_dict() for name, one in _optimizers(learner).items()}
        partner: BaseAlgorithm | None = getattr(learner, "partner", None)
        return cls(
            steps=learner.num_timesteps, policy=dict(learner.policy.state_dict()), optimizers=named,
            entropy=_entropy(learner), statistics=_statistics(learner.get_vec_normalize_env()),
            partner={} if partner is None else vars(cls.of(partner)),
        )  # fmt: skip

    def restore(self, learner: BaseAlgorithm, where: str) -> None:
        """Fills a learner of the same configuration; the settings of its optimiser (learning rate, ...) stay its own.

        Args:
            learner: Whose weights, optimiser, statistics and steps are filled.
            where: What messages call the checkpoint.

        Raises:
            RefusedFile: Tensors that are missing, left over, of another shape or not finite; negative statistics.
        """
        policy, normal, optimizers = learner.policy, learner.get_vec_normalize_env(), _optimizers(learner)
        _check_all(self.policy, policy.state_dict(), f"{where}: tensor")
        _check_all(self.entropy, _entropy(learner), f"{where}: tensor")
        if self.optimizers.keys() != optimizers.keys():
            expected, got = ", ".join(optimizers), ", ".join(map(str, self.optimizers)) or "none"
            raise RefusedFile(f"{where}: expected the optimisers {expected}, got {got}")
        states = {name: _state(self.optimizers[name], one, where) for name, one in optimizers.items()}
        _check_all(self.statistics, _statistics(normal), f"{where}: statistics")
        for name, value in self.statistics.items():
            if not name.endswith("mean") and value.min() < 0:
                raise RefusedFile(f"{where}: statistics {name}: values below 0")
        partner: BaseAlgorithm | None = getattr(learner, "partner", None)
        if partner is not None:
            _checked(self.partner, f"{where}: of its partner").restore(partner, f"{where}: of its partner")
        policy.load_state_dict(self.policy)
        for name, one in optimizers.items():
            one.load_state_dict(one.state_dict() | {"state": states[name]})
        for name, tensor in _entropy(learner).items():
            tensor.copy_(self.entropy[name])
        for prefix, found in running(normal).items():
            mean, variance, count = (self.statistics[f"{prefix}_{part}"].double() for part in _PARTS)
            found.mean, found.var, found.count = mean.numpy().copy(), variance.numpy().copy(), float(count)
        learner.num_timesteps = self.steps


def save_checkpoint(folder: Path, checkpoint: Checkpoint, **progress: Any) -> None:
    """Writes the checkpoint whole (the old one stands until the new one does), its steps and `progress` beside it."""
    buffer = io.BytesIO()
    torch.save(vars(checkpoint), buffer)
    write_whole(folder / FILE, buffer.getvalue())
    write_whole(folder / PROGRESS, json.dumps({"steps": checkpoint.steps, **progress}).encode())


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Reads the checkpoint of a run folder, None when there is none yet. Runs no code of it.

    Raises:
        RefusedFile: Damaged, or not a checkpoint of ours.
    """
    path = folder / FILE
    if not path.exists():
        return None
    advice = "; remove it to start over"
    try:
        raw = repacked(read_file(path), str(path))
        values = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except RefusedFile as error:
        raise RefusedFile(f"{error}{advice}") from error
    except Exception as error:  # whatever a crafted file provokes; torch's advice in it must not be followed
        raise RefusedFile(f"{path}: damaged, or more than tensors and numbers{advice}") from error
    return _checked(values, str(path), advice)


def _checked(values: object, where: str, advice: str = "") -> Checkpoint:
    """A checkpoint of what a file held, as far as that can be told without its learner."""
    known: dict[str, Any] = {"entropy": {}, "statistics": {}, "partner": {}}
    found = known | values if isinstance(values, dict) else {}
    if "optimizer" in found:  # of versions in which every learner had one
        found["optimizers"] = {"policy.optimizer": found.pop("optimizer")}
    kinds = {"steps": int, "policy": dict, "optimizers": dict} | dict.fromkeys(known, dict)
    if {key: type(value) for key, value in found.items()} != kinds:
        raise RefusedFile(f"{where}: not a checkpoint of a training run{advice}")
    return Checkpoint(**found)


def _optimizers(learner: BaseAlgorithm) -> dict[str, Optimizer]:
    """All optimisers of a learner, by the names that SB3 saves them under."""
    names = [name for name in learner.get_parameters() if name.endswith("optimizer")]
    return {name: operator.attrgetter(name)(learner) for name in names}


def _entropy(learner: BaseAlgorithm) -> dict[str, Tensor]:
    found = getattr(learner, "log_ent_coef", None)
    return {} if found is None else {"log_ent_coef": found.detach()}


def _state(found: object, optimizer: Optimizer, where: str) -> dict[Any, Any]:
    """The state of an optimiser, checked against what it steps."""
    parameters = dict(enumerate(p for group in optimizer.param_groups for p in group["params"]))
    state = found.get("state") if isinstance(found, dict) else None
    if not isinstance(state, dict) or not all(isinstance(entry, dict) for entry in state.values()):
        raise RefusedFile(f"{where}: no state of an optimiser")
    for index, entry in state.items():
        for name, value in entry.items():
            if name != "step":  # which is a count
                _check(value, parameters.get(index), f"{where}: optimiser's {name} of parameter {index}")
    return state


def running(normal: VecNormalize | None) -> dict[str, RunningMeanStd]:
    """The running statistics of returns (`return`) and, where they are normalised, of observations (`obs`)."""
    if normal is None:
        return {}
    observations = {"obs": cast(RunningMeanStd, normal.obs_rms)} if normal.norm_obs else {}
    return observations | {"return": normal.ret_rms}


def _statistics(normal: VecNormalize | None) -> dict[str, Tensor]:
    """What restores a normaliser, float64."""
    return {
        f"{prefix}_{part}": torch.tensor(value, dtype=torch.float64)
        for prefix, found in running(normal).items()
        for part, value in zip(_PARTS, (found.mean, found.var, found.count), strict=True)
    }


def _check_all(found: dict[str, Any], expected: dict[str, Tensor], what: str) -> None:
    for name in sorted(expected.keys() | found.keys()):
        _check(found.get(name), expected.get(name), f"{what} {name}")


def _check(value: object, expected: Tensor | None, what: str) -> None:
    """Shapes first: a crafted tensor can pretend to any size, which looking at its numbers would take."""
    plain = type(value) is Tensor and value.is_floating_point() and value.layout == torch.strided
    got: object = tuple(value.shape) if plain else type(value).__name__  # type: ignore[attr-defined]  # a tensor
    want = "none" if expected is None else tuple(expected.shape)
    if got != want:
        raise RefusedFile(f"{what}: expected shape {want}, got {got}")
    if not torch.isfinite(value).all():  # type: ignore[arg-type]  # plain: a tensor
        raise RefusedFile(f"{what}: values that are not finite")
