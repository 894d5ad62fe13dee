"""Dueling networks (Wang et al. 2016) as one plain network of Q values, exactly: no new kind of network is needed.

With one hidden layer each, streams of values and advantages side by side are one layer, and Q = V + A - mean(A) is
linear in it. The names are those of T. Dai's reinforcement-learning-algorithms, and of agents made with them.
"""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from rlattack.errors import RefusedFile
from rlattack.policies.archive import read_file
from rlattack.policies.folder import AgentCard, AnyNetwork, build
from rlattack.policies.held import read_tensors
from rlattack.policies.importer import Importer
from rlattack.policies.layers import Layer, check_empty, layer, named
from rlattack.policies.network import NetworkSpec
from rlattack.policies.normalised import behind_found

_STRIDES = (4, 2, 1)
_FRAME = (84, 84)


def import_dueling_dqn(source: str, trust: bool = False, normaliser: str = "") -> tuple[AgentCard, AnyNetwork]:
    """Imports a dueling network of Atari: three convolutions, then a hidden layer of each stream.

    Raises:
        RefusedFile: Damaged, made to do harm, or another network.
    """
    left, _ = read_tensors(source)
    try:
        convs = [layer(left, f"cnn_layer.conv{number}") for number in (1, 2, 3)]
        hidden, out = dueling(
            layer(left, "action_fc"), layer(left, "action_value"), layer(left, "state_value_fc"),
            layer(left, "state_value"),
        )  # fmt: skip
    except RefusedFile as error:
        raise RefusedFile(f"{source}: {error}") from error
    check_empty(left, source, "a dueling network")
    spec = NetworkSpec(
        observation=(convs[0][0].shape[1], *_FRAME), actions=len(out[1]), head="q", actor=(len(hidden[1]),),
        convolutions=tuple(
            (len(bias), weight.shape[-1], stride) for (weight, bias), stride in zip(convs, _STRIDES, strict=True)
        ),
    )  # fmt: skip
    network = build(spec, named(convs, "trunk") | named([hidden, out], "actor"), source)
    provenance = {"file": Path(source).name, "file_sha256": hashlib.sha256(read_file(Path(source))).hexdigest()}
    card = AgentCard(game="", role="victim", algorithm="dueling-dqn", network=spec, provenance=provenance)
    return behind_found(card, network, source, normaliser)


def dueling(before_a: Layer, advantage: Layer, before_v: Layer, value: Layer) -> tuple[Layer, Layer]:
    """A hidden layer and an output that give V + A - mean(A) of two streams of one hidden layer each.

    Raises:
        RefusedFile: Layers that do not follow each other.
    """
    if value[0].shape != (1, len(before_v[1])) or advantage[0].shape[1:] != before_a[1].shape:
        raise RefusedFile("expected the streams of a dueling network, got layers that do not follow each other")
    hidden = torch.cat([before_a[0], before_v[0]]), torch.cat([before_a[1], before_v[1]])
    weight = torch.cat([_centred(advantage[0]), value[0].expand(len(advantage[0]), -1)], dim=1)
    return hidden, (weight, _centred(advantage[1]) + value[1])


def _centred(outputs: Tensor) -> Tensor:
    return outputs - outputs.mean(dim=0, keepdim=True)


DUELING_DQN = Importer(
    reads="a dueling network of Atari",
    knows=lambda held: {"action_fc.weight", "state_value_fc.weight", "state_value.weight"} <= held.tensors.keys(),
    read=import_dueling_dqn,
)
