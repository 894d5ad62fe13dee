"""State dicts of PPO-PyTorch (Barhate 2021) and the many that follow it: actor and critic of tanh layers."""

import hashlib
from pathlib import Path

from rlattack.errors import RefusedFile
from rlattack.policies.archive import read_file
from rlattack.policies.cleanrl import head, import_cleanrl
from rlattack.policies.folder import AgentCard, AnyNetwork, build
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.held import read_tensors
from rlattack.policies.importer import Importer
from rlattack.policies.layers import check_empty, sequential, widths
from rlattack.policies.normalised import as_they_are, behind_found


def import_continuous(source: str, trust: bool = False, normaliser: str = "") -> tuple[AgentCard, AnyNetwork]:
    """Imports an agent of continuous actions, whose actor ends in tanh: it acts within [-1, 1].

    The deviation of its actions is not in its file, so it plays its means.

    Raises:
        RefusedFile: Damaged, made to do harm, or another network.
    """
    left, _ = read_tensors(source)
    try:
        actor, critic = sequential(left, "actor."), sequential(left, "critic.")
    except RefusedFile as error:
        raise RefusedFile(f"{source}: not a network of PPO-PyTorch ({error})") from error
    if not actor or not critic:
        raise RefusedFile(f"{source}: expected actor.0, critic.0 and so on, got {', '.join(list(left)[:4])}")
    check_empty(left, source, "a network of PPO-PyTorch")
    entries, actions = actor[0][0].shape[1], len(actor[-1][1])
    spec = GaussianSpec(
        observation=(entries,), actions=actions, head="squashed-point", hidden=widths(actor[:-1]), activation="tanh",
        critic=widths(critic[:-1]), clip=0.0, low=(-1.0,) * actions, high=(1.0,) * actions,
    )  # fmt: skip
    network = build(spec, head(actor, "pi") | head(critic, "vf") | as_they_are(entries), source)
    provenance = {"file": Path(source).name, "file_sha256": hashlib.sha256(read_file(Path(source))).hexdigest()}
    card = AgentCard(game="", role="victim", algorithm="ppo", network=spec, provenance=provenance)
    return behind_found(card, network, source, normaliser)


PPO_PYTORCH = Importer(
    reads="a state dict of PPO-PyTorch with discrete actions",
    knows=lambda held: False,  # the networks are CleanRL's
    read=import_cleanrl,
)
PPO_PYTORCH_CONTINUOUS = Importer(
    reads="a state dict of PPO-PyTorch with continuous actions",
    knows=lambda held: False,  # nothing in the file tells them from discrete ones
    read=import_continuous,
)
