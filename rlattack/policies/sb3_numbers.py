"""Stable-Baselines3 policies that see numbers, and act continuously, by memory or behind statistics, as ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rlattack.errors import RefusedFile
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.normalised import as_they_are

State = dict[str, Tensor]
_MEMORY = re.compile(r"(weight|bias)_(ih|hh)_l0")
CLIP_MEAN = 2.0
"""Means of SAC and TQC with state-dependent exploration are clipped to this size where nothing else is said."""
_LEAST = 1e-6
"""Added to what `use_expln` takes the logarithm of."""


@dataclass(frozen=True, kw_only=True)
class NumbersArchitecture:
    """What the tensors of a policy do not say themselves.

    Attributes:
        entries: Of an observation.
        actions: Entries of an action, or how many there are to choose from.
        continuous: Whether actions are continuous.
        activation: Of hidden layers.
        squashed: Whether the outputs of ARS, or of PPO with state-dependent exploration, go through tanh.
        clip_mean: Size to which means of SAC and TQC with state-dependent exploration are clipped; 0 for not.
        expln: Whether deviations grow by a logarithm where they are above 1 (`use_expln`).
        choices: How many actions each entry of a MultiDiscrete has.
    """

    entries: int
    actions: int
    continuous: bool
    activation: Literal["relu", "tanh"]
    squashed: bool = False
    clip_mean: float = CLIP_MEAN
    expln: bool = False
    choices: tuple[int, ...] = ()


def convert_numbers(state: Mapping[str, Tensor], arch: NumbersArchitecture) -> tuple[GaussianSpec, State]:
    """Renames the tensors of an SB3 policy to ours; every tensor must find its place.

    Args:
        state: `policy.state_dict()` of PPO, A2C, TRPO, RecurrentPPO, SAC, TQC, TD3, DDPG or ARS.
        arch: What the tensors do not say.

    Raises:
        RefusedFile: Tensors that none of these algorithms has.
    """
    left = {name: tensor for name, tensor in state.items() if "_target." not in name}
    if any(name.startswith("actor.") for name in left):
        parts, ours = _with_action_critics(left, arch)
    elif any(name.startswith(("mlp_extractor.", "value_net.")) for name in left):
        parts, ours = _actor_critic(left, arch)
    elif any(name.startswith("action_net.") for name in left):
        ours = _stack(left, "action_net.", "pi")
        parts = {"head": "squashed-point" if arch.squashed else "point", "critics": 0}
    else:
        raise RefusedFile(f"expected the tensors of a policy that sees numbers, got {_some(left)}")
    if left:
        raise RefusedFile(f"tensors of no policy that is known: {_some(left)}")
    spec = GaussianSpec(
        observation=(arch.entries,), actions=arch.actions, activation=arch.activation,
        clip=0.0, hidden=_sizes(ours, "pi.layers."), after=_sizes(ours, "pi.after."), choices=arch.choices,
        **parts | ({} if arch.continuous else {"head": "categorical"}),  # type: ignore[arg-type]  # by their names
    )  # fmt: skip
    return spec, ours | as_they_are(arch.entries)


def _with_action_critics(left: State, arch: NumbersArchitecture) -> tuple[dict[str, object], State]:
    """SAC and TQC, whose actor gives a distribution, or TD3 and DDPG, whose actor gives actions."""
    ours: State = {}
    if any(name.startswith("actor.latent_pi.") for name in left):
        sde = "actor.log_std" in left
        clipped = sde and arch.clip_mean > 0
        ours |= _stack(left, "actor.latent_pi.", "pi", out=False)
        ours |= _renamed(left, "actor.mu.0." if clipped else "actor.mu.", "pi.out.")
        ours |= _deviation(left, "actor.log_std", arch) if sde else _renamed(left, "actor.log_std.", "spread.")
        parts: dict[str, object] = {"head": "squashed", "deviation": "sde" if sde else "layer"}
        parts |= {"largest_mean": arch.clip_mean} if clipped else {}
    else:
        ours |= _stack(left, "actor.mu.", "pi")
        parts = {"head": "squashed-point"}
    numbers = sorted({name.split(".")[1] for name in left if name.startswith("critic.qf")})
    for number, name in enumerate(numbers):
        ours |= _stack(left, f"critic.{name}.", f"q.{number}")
    for name in [name for name in left if name.startswith(("ent_coef", "log_ent_coef"))]:
        del left[name]
    if not numbers:
        return parts | {"critics": 0}, ours
    quantiles = len(ours["q.0.out.bias"])
    return parts | {
        "critics": len(numbers), "judges": "actions", "quantiles": quantiles, "critic": _sizes(ours, "q.0.layers."),
    }, ours  # fmt: skip


def _deviation(left: State, name: str, arch: NumbersArchitecture) -> State:
    """The logarithm of deviations, an entry an action, as it is where nothing else is done to it than `exp`."""
    log_std = left.pop(name)
    if arch.expln:
        above = (log_std.clamp(min=0) + _LEAST).log1p() + 1
        log_std = torch.where(log_std > 0, above.log(), log_std)
    if log_std.ndim == 2 and log_std.shape[1] == 1:  # `full_std` says whether every action has its own
        log_std = log_std.expand(-1, arch.actions).contiguous()
    return {"log_std": log_std}


def _actor_critic(left: State, arch: NumbersArchitecture) -> tuple[dict[str, object], State]:
    """PPO and its kin, with an LSTM before the heads or without."""
    size = left["lstm_actor.bias_hh_l0"].numel() // 4 if "lstm_actor.bias_hh_l0" in left else 0
    whose = "own" if "lstm_critic.bias_hh_l0" in left else "none" if "critic.weight" in left else "actor"
    parts: dict[str, object] = {"critics": 1} | ({"memory": size, "critic_memory": whose} if size else {})
    ours: State = {}
    for head, layers, out, lstm in (
        ("pi", "mlp_extractor.policy_net.", "action_net.", "lstm_actor."),
        ("vf", "mlp_extractor.value_net.", "value_net.", "lstm_critic."),
    ):
        at = "after" if size and (head == "pi" or whose != "none") else "layers"
        ours |= _stack(left, layers, head, out=False, at=at) | _renamed(left, out, f"{head}.out.")
        ours |= {f"{head}.memory.{_cell(name)}": tensor for name, tensor in _taken(left, lstm).items()}
    first = _taken(left, "critic.")
    if size and whose == "none":
        ours |= _folded(first, ours)
    parts |= {"critic": _sizes(ours, "vf.layers."), "critic_after": _sizes(ours, "vf.after.")}
    if arch.continuous and "log_std" in left:
        parts["deviation"] = "sde" if left["log_std"].ndim == 2 else "fixed"
        parts |= {"head": "squashed"} if arch.squashed else {}
        ours |= _deviation(left, "log_std", arch)
    return parts, ours


def _folded(before: State, ours: State) -> State:
    """A critic without memory: its linear layer in place of one, which nothing follows, within the next one."""
    name = "vf.layers.0" if "vf.layers.0.weight" in ours else "vf.out"
    weight, bias = (ours[f"{name}.{kind}"].double() for kind in ("weight", "bias"))
    try:
        joined = weight @ before["weight"].double(), weight @ before["bias"].double() + bias
    except (KeyError, RuntimeError) as error:
        raise RefusedFile("tensors of no policy that is known: critic.weight") from error
    return {f"{name}.{kind}": one.to(before["weight"]) for kind, one in zip(("weight", "bias"), joined, strict=True)}


def _stack(left: State, prefix: str, head: str, *, out: bool = True, at: str = "layers") -> State:
    """Layers of a `nn.Sequential` by our names; the last of them is the output, where `out`."""
    own = {name if "." in name else f"0.{name}": tensor for name, tensor in _taken(left, prefix).items()}
    numbers = sorted({int(name.split(".")[0]) for name in own if name.split(".")[0].isdigit()})
    found: State = {}
    for place, number in enumerate(numbers):
        ours = f"{head}.out" if out and number == numbers[-1] else f"{head}.{at}.{2 * place}"
        weight = own.pop(f"{number}.weight")
        found |= {f"{ours}.weight": weight, f"{ours}.bias": own.pop(f"{number}.bias", torch.zeros(len(weight)))}
    if own:
        raise RefusedFile(
            f"tensors of no policy that is known: {_some({prefix + name: one for name, one in own.items()})}"
        )
    return found


def _renamed(left: State, prefix: str, ours: str) -> State:
    return {ours + name: tensor for name, tensor in _taken(left, prefix).items()}


def _taken(left: State, prefix: str) -> State:
    names = [name for name in left if name.startswith(prefix)]
    return {name.removeprefix(prefix): left.pop(name) for name in names}


def _cell(name: str) -> str:
    """Name in an LSTM cell of a tensor of an LSTM of one layer."""
    if not _MEMORY.fullmatch(name):
        raise RefusedFile(f"an LSTM of more than one layer: {name}")
    return name.removesuffix("_l0")


def _sizes(state: State, prefix: str) -> tuple[int, ...]:
    return tuple(len(tensor) for name, tensor in state.items() if name.startswith(prefix) and name.endswith("bias"))


def _some(state: Mapping[str, Tensor]) -> str:
    return ", ".join(list(state)[:4]) + (", ..." if len(state) > 4 else "")
