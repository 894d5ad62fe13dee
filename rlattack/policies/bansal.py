"""Agents of Bansal et al. 2018: flat arrays that hold an MLP or an LSTM, and tensors converted from them."""

import hashlib
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.games.card import GameCard
from rlattack.games.find import find_game
from rlattack.policies.folder import AgentCard, build
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.held import Held
from rlattack.policies.importer import Importer
from rlattack.policies.pickled import read_array
from rlattack.policies.tensors import Tensors, load_safetensors
from rlattack.policies.zoo import ADDRESS, REPOSITORY, ZOO, fetch, zoo_name

Floats = npt.NDArray[np.float32]


class _Shape(NamedTuple):
    """Sizes of a network: floats in its file, entries of observation, action and LSTM; and the games that have it."""

    floats: int
    entries: int
    actions: int
    memory: int
    games: tuple[str, ...]

    @property
    def spec(self) -> GaussianSpec:
        hidden = (self.memory,) if self.memory else (_HIDDEN, _HIDDEN)
        return GaussianSpec(observation=(self.entries,), actions=self.actions, hidden=hidden, memory=self.memory)


_HIDDEN = 64
_SHAPES = (
    _Shape(24_905, 122, 8, 0, ("mujoco/run-to-goal-ants",)),
    _Shape(59_039, 380, 17, 0, ("mujoco/run-to-goal-humans", "mujoco/you-shall-not-pass")),
    _Shape(299_943, 137, 8, 128, ("mujoco/sumo-ants",)),
    _Shape(367_677, 395, 17, 128, ("mujoco/sumo-humans",)),
    _Shape(364_839, 384, 17, 128, ("mujoco/kick-and-defend",)),
)
_FLOOR = np.float32(0.01)
"""The smallest variance by which they normalise."""
_FORGET = np.float32(1.0)
"""TensorFlow's LSTM adds it to the forget gate."""

_PLACES = {
    "0": "layers.0", "1": "layers.2", "2": "out", "fc": "layers.0", "lstm": "memory", "out": "out",
}  # fmt: skip
"""Layers of a converted file to ours."""
_NAMES = {
    "obs_mean": "obs_mean", "obs_std": "obs_std", "ret_mean": "value_mean", "ret_std": "value_std",
    "log_std": "log_std",
}  # fmt: skip
_SUMS = ("obs_sum", "obs_sumsq", "obs_count", "ret_sum", "ret_sumsq", "ret_count")


def import_bansal(
    source: str, trust: bool, normaliser: str = "", base: str = ADDRESS
) -> tuple[AgentCard, GaussianNetwork]:  # fmt: skip
    """Imports an agent of the zoo, or another of the same networks; its card says how sure the origin is.

    Args:
        source: A pickle of the zoo or its converted `.safetensors`: a path, an http(s) address, or a name in `ZOO`.
        trust: Of no use: no file needs it.
        normaliser: Of no use: its statistics lie in the file.
        base: Where the zoo's files lie.

    Returns:
        A card, whose game is empty where the file does not say which, and the network.

    Raises:
        InvalidInput: `trust`, or it cannot be downloaded.
        UnknownName: Neither a file nor an agent of the zoo.
        RefusedFile: Damaged, made to do harm, or not such an agent.
    """
    if trust:
        raise InvalidInput("an import of bansal runs no code: leave out --trust")
    if normaliser:
        raise InvalidInput("an agent of bansal has its statistics in its file: leave out --normaliser")
    file, raw = fetch(source, base)
    if file.endswith(".safetensors"):
        tensors, metadata = load_safetensors(raw, source)
        shape, state = _from_tensors(tensors, source)
        name = next((name for name, known in ZOO.items() if known.path == metadata.get("source")), "")
        origin = "a converted file: game and seat are what its metadata say" if name else "unknown"
    else:
        shape, state = _from_flat(read_array(raw, source), source)
        name = zoo_name(raw)
        origin = "sha256 is that of the zoo's file" if name else "unknown: sha256 is of none of the zoo's files"
    game, seat = _place(name) if name else (shape.games[0] if len(shape.games) == 1 else "", "")
    provenance = {"file": file, "file_sha256": hashlib.sha256(raw).hexdigest(), "origin": origin}
    if name:
        provenance = {
            "source": f"{REPOSITORY}, agent-zoo/{ZOO[name].path} (Bansal et al. 2018)",
            "license": "the repository names none",
            "zoo": name,
            "version": name.rpartition("-")[2],
        } | provenance
    card = AgentCard(game=game, seat=seat, role="victim", algorithm="ppo", network=shape.spec, provenance=provenance)
    return card, build(shape.spec, state, source)


def check_game(card: AgentCard, game: GameCard) -> None:
    """Checks that an imported agent can take a seat of a game: one of the six, or a variant of it.

    Raises:
        InvalidInput: Another observation or action, or no seat of that name.
    """
    games = next((shape.games for shape in _SHAPES if shape.spec == card.network), ())
    if _kind(game) is None or _kind(game) not in [_kind(find_game(name)) for name in games]:
        raise InvalidInput(f"an agent of {' or '.join(games)} cannot play {game.id}; say which it plays with --game")
    seats = () if game.mujoco is None else game.mujoco.seats
    if card.seat not in ("", *seats):
        raise InvalidInput(f"an agent trained for the seat {card.seat!r} has none in {game.id}: {' and '.join(seats)}")


def _kind(game: GameCard) -> tuple[str, str] | None:
    """What decides the sizes of observation and action."""
    return None if game.mujoco is None else (game.mujoco.rules.rules, game.mujoco.scene.body)


def _place(name: str) -> tuple[str, str]:
    """Game and seat of an agent of the zoo; those of sumo play either."""
    game, _, agent = name.partition("/")
    seat = agent.rpartition("-")[0]
    return f"mujoco/{game}", "" if seat == "agent" else seat


def _from_flat(flat: Floats, where: str) -> tuple[_Shape, Tensors]:
    """Statistics of returns and observations, value network, policy network, log of the deviation."""
    shape = next((shape for shape in _SHAPES if shape.floats == len(flat)), None)
    if shape is None:
        lengths = ", ".join(str(shape.floats) for shape in _SHAPES)
        raise RefusedFile(f"{where}: expected an agent of {lengths} floats, got {len(flat)}")
    take = _Taker(flat)
    state: dict[str, Floats] = {}
    state["value_mean"], state["value_std"] = take.statistics()
    state["obs_mean"], state["obs_std"] = take.statistics(shape.entries)
    width = shape.memory or _HIDDEN
    for head, outputs in (("vf", 1), ("pi", shape.actions)):
        state |= take.linear(f"{head}.layers.0", shape.entries, width)
        state |= take.lstm(f"{head}.memory", width) if shape.memory else take.linear(f"{head}.layers.2", width, width)
        state |= take.linear(f"{head}.out", width, outputs)
    state["log_std"] = take(shape.actions)
    return shape, {name: torch.from_numpy(np.array(array, order="C")) for name, array in state.items()}


class _Taker:
    """Takes arrays from the front of a flat one."""

    def __init__(self, flat: Floats) -> None:
        self._flat = flat

    def __call__(self, *shape: int) -> Floats:
        taken, self._flat = np.split(self._flat, [math.prod(shape)])
        return taken.reshape(shape)

    def statistics(self, *shape: int) -> tuple[Floats, Floats]:
        """Mean and deviation, from sum, sum of squares and count."""
        total, squares, count = self(*shape), self(*shape), self()
        with np.errstate(all="ignore"):  # refused with a name where the network is filled
            mean = total / count
            return mean, np.sqrt(np.maximum(squares / count - mean**2, _FLOOR))

    def linear(self, name: str, inputs: int, outputs: int) -> dict[str, Floats]:
        """A layer, whose matrix TensorFlow writes as (inputs, outputs)."""
        return {f"{name}.weight": self(inputs, outputs).T, f"{name}.bias": self(outputs)}

    def lstm(self, name: str, size: int) -> dict[str, Floats]:
        """An LSTM whose gates TensorFlow writes as i, g, f, o, in one matrix for input and h."""
        kernel, bias = (array[..., [0, 2, 1, 3], :] for array in (self(2 * size, 4, size), self(4, size)))
        bias[1] += _FORGET
        of_input, of_h = np.split(kernel.reshape(2 * size, 4 * size).T, 2, axis=1)
        return {
            f"{name}.weight_ih": of_input, f"{name}.weight_hh": of_h,
            f"{name}.bias_ih": bias.flatten(), f"{name}.bias_hh": np.zeros(4 * size, dtype=np.float32),
        }  # fmt: skip


def _from_tensors(tensors: Tensors, where: str) -> tuple[_Shape, Tensors]:
    """Tensors of a converted file, already as torch has them."""
    state: Tensors = {}
    for name, tensor in tensors.items():
        head, layer, kind = (*name.split("."), "", "")[:3]
        if name in _NAMES:
            state[_NAMES[name]] = tensor
        elif head in ("vf", "pi") and layer in _PLACES:
            state[f"{head}.{_PLACES[layer]}.{kind}"] = tensor
        elif name not in _SUMS:
            raise RefusedFile(f"{where}: tensor {name}: expected those of a converted agent of Bansal et al. 2018")
    sees, acts = (state[name].numel() if name in state else 0 for name in ("obs_mean", "log_std"))
    for shape in _SHAPES:
        if (shape.entries, shape.actions, shape.memory > 0) == (sees, acts, "pi.memory.bias_ih" in state):
            return shape, state
    raise RefusedFile(f"{where}: sees {sees} and acts by {acts} numbers, as in none of the six games")


def _knows(held: Held) -> bool:
    """Whether it is the pickle of an array, an address, a name of the zoo, or one of the converted files."""
    return (
        held.source in ZOO or held.source.startswith(("http://", "https://")) or held.array
        or "obs_sumsq" in held.tensors
    )  # fmt: skip


BANSAL = Importer(
    reads="an agent of Bansal et al. 2018", knows=_knows, read=import_bansal, check=check_game
)  # fmt: skip
