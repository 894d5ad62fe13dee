"""Other people's agents as agent folders of ours: `rlattack import`, and what kinds of files there are."""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from rlattack.errors import InvalidInput, RefusedFile, RlattackError
from rlattack.games.card import GameCard
from rlattack.games.find import find_game, game_of
from rlattack.policies.folder import AgentCard, AnyNetwork, find_agent, read_agent, save_agent
from rlattack.policies.held import Held
from rlattack.registry import Registry

AUTO = "auto"
"""The kind of a file whose kind is to be found out."""


def _any_game(card: AgentCard, game: GameCard) -> None:
    """Lets an agent play what it is said to play: whether it fits is told when it takes its seat."""


@dataclass(frozen=True, kw_only=True)
class Importer:
    """How files of one kind become agents."""

    reads: str
    """What it reads, in a few words."""
    knows: Callable[[Held], bool]
    """Whether what a file holds is of this kind."""
    read: Callable[[str, bool, str], tuple[AgentCard, AnyNetwork]]
    """Maps (source, trust, normaliser) to an agent whose card has an empty game where the file does not say which."""
    check: Callable[[AgentCard, GameCard], None] = _any_game
    """Refuses a game that such an agent cannot play."""


IMPORTERS: Registry[Importer] = Registry(
    "importer",
    {
        "sb3": "rlattack.policies.sb3_zip:SB3",
        "sa-ppo": "rlattack.policies.sa_ppo:SA_PPO",
        "a2c-ppo-acktr": "rlattack.policies.a2c_ppo_acktr:A2C_PPO_ACKTR",
        "dueling-dqn": "rlattack.policies.dueling_dqn:DUELING_DQN",
        "cleanrl": "rlattack.policies.cleanrl:CLEANRL",
        "ppo-pytorch": "rlattack.policies.ppo_pytorch:PPO_PYTORCH",
        "ppo-pytorch-continuous": "rlattack.policies.ppo_pytorch:PPO_PYTORCH_CONTINUOUS",
        "bansal": "rlattack.policies.bansal:BANSAL",
    },
    group="rlattack.importers",
)


def importer(kind: str) -> Importer:
    """Finds an importer by its name; of another package it may be a function `(source, trust)` that reads.

    Raises:
        UnknownName: There is none.
    """
    found: Any = IMPORTERS.get(kind)
    if isinstance(found, Importer):
        return found
    return Importer(
        reads=f"a file of {kind}", knows=lambda held: False, read=lambda source, trust, _: found(source, trust)
    )


def guess(source: str) -> str:
    """Names the kind of a file, by what it holds.

    Raises:
        RefusedFile: It is of none, damaged, or readable only by running its code.
    """
    held = Held(source)
    kind = next((kind for kind, _ in IMPORTERS.working() if importer(kind).knows(held)), "")
    if not kind:
        raise RefusedFile("; ".join([held.refusal, *IMPORTERS.broken().values()]))
    return kind


def import_agent(
    kind: str, source: str | Path, agent_id: str, game: str | None = None, trust: bool = False, normaliser: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> Path:  # fmt: skip
    """Writes `./agents/<agent_id>/` from somebody's file, in full precision; an equal agent of that id stays as it is.

    Args:
        kind: A name in `IMPORTERS`, or `auto` to find it out.
        source: The file; of `bansal` also an address, or the name of an agent of the zoo.
        agent_id: Such as `atari/pong/ppo-zoo`.
        game: What it plays; by default what the file says, else its name, else the agent's id without its last part.
        trust: Runs code in the file where nothing else can read it.
        normaliser: File of the statistics of what it saw in training, where they do not lie in the file or beside it;
            `none` for an agent that is to play without.
        say: Told in a line what kind the file was taken for.

    Returns:
        The agent's folder, which may be one that was there before, of `./agents` or of what ships.

    Raises:
        UnknownName: No such kind.
        InvalidInput: A wrong id, no game, or another agent has that id: it is never replaced.
        RefusedFile: The file, or the agent that is there already, is damaged, made to do harm, or of another kind.
    """
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", agent_id):
        raise InvalidInput(f"--agent: expected an id such as atari/pong/ppo, got {agent_id!r}")
    if kind == AUTO:
        kind = guess(str(source))
        say(f"{source}: taken for {importer(kind).reads}; `rlattack import {kind}` says so")
    how = importer(kind)
    card, network = how.read(str(source), trust, normaliser)
    game = game or card.game or game_of(Path(source).stem) or _game_in(agent_id)
    if not game:
        numbers = card.network.observation[1:] == ()
        example = "mujoco/hopper" if numbers else "atari/pong"
        raise InvalidInput(f"{source}: does not say which game it plays; say it with --game, such as --game {example}")
    found = find_game(game)
    how.check(card, found)
    return _kept(agent_id, replace(card, game=found.id), network)


def _kept(agent_id: str, card: AgentCard, network: AnyNetwork) -> Path:
    """Writes an agent where there is none of that id; the folder of an equal one that is there."""
    folder = Path.cwd() / "agents" / agent_id
    taken = find_agent(agent_id) or (folder if (folder / "agent.toml").exists() else None)
    if taken is None:
        save_agent(folder, card, network, half=False)
        return folder
    there, _ = read_agent(taken)  # equal cards name a source of equal checksum
    names = [f.name for f in fields(card) if f.name != "sha256" and getattr(there, f.name) != getattr(card, f.name)]
    if names:
        raise InvalidInput(
            f"--agent {agent_id}: {taken} holds another agent ({', '.join(names)} "
            f"{'differs' if len(names) == 1 else 'differ'}), which is not replaced; choose another id or remove it"
        )
    return taken


def _game_in(agent_id: str) -> str:
    """The game that an agent's id begins with, where that is one."""
    game = agent_id.rpartition("/")[0]
    try:
        return find_game(game).id
    except RlattackError:
        return ""
