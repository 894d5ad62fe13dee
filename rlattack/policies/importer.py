"""Other people's agents as agent folders of ours: `rlattack import`."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

from rlattack.errors import InvalidInput, RlattackError
from rlattack.games.find import find_game, game_of
from rlattack.policies.bansal import check_game
from rlattack.policies.folder import AgentCard, AnyNetwork, find_agent, read_agent, save_agent
from rlattack.policies.gaussian import GaussianSpec
from rlattack.policies.sb3_zip import load_sb3_zip
from rlattack.registry import Registry

Importer = Callable[[str, bool], tuple[AgentCard, AnyNetwork]]
"""Maps (source, trust) to an agent whose card has an empty game where the file does not say which."""

IMPORTERS: Registry[Importer] = Registry(
    "importer",
    {
        "sb3": "rlattack.policies.importer:import_sb3",
        "a2c-ppo-acktr": "rlattack.policies.a2c_ppo_acktr:import_a2c_ppo_acktr",
        "bansal": "rlattack.policies.bansal:import_bansal",
    },
    group="rlattack.importers",
)


def import_agent(kind: str, source: str | Path, agent_id: str, game: str | None = None, trust: bool = False) -> Path:
    """Writes `./agents/<agent_id>/` from somebody's file, in full precision; an equal agent of that id stays as it is.

    Args:
        kind: A name in `IMPORTERS`.
        source: The file; of `bansal` also an address, or the name of an agent of the zoo.
        agent_id: Such as `atari/pong/ppo-zoo`.
        game: What it plays; by default what the file says, else its name, else the agent's id without its last part.
        trust: Runs code in the file where nothing else can read it.

    Returns:
        The agent's folder, which may be one that was there before, of `./agents` or of what ships.

    Raises:
        UnknownName: No such kind.
        InvalidInput: A wrong id, no game, or another agent has that id: it is never replaced.
        RefusedFile: The file, or the agent that is there already, is damaged, made to do harm, or of another kind.
    """
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", agent_id):
        raise InvalidInput(f"--agent: expected an id such as atari/pong/ppo, got {agent_id!r}")
    card, network = IMPORTERS.get(kind)(str(source), trust)
    game = game or card.game or game_of(Path(source).stem) or _game_in(agent_id)
    gaussian = isinstance(card.network, GaussianSpec)
    if not game:
        example = "mujoco/you-shall-not-pass" if gaussian else "atari/pong"
        raise InvalidInput(f"{source}: does not say which game it plays; say it with --game, such as --game {example}")
    found = find_game(game)
    if gaussian:
        check_game(card, found)
    card = replace(card, game=found.id)
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


def import_sb3(source: str, trust: bool) -> tuple[AgentCard, AnyNetwork]:
    """Imports a Stable-Baselines3 zip.

    Raises:
        InvalidInput: `trust`: what only its own code can build does not fit into an agent folder.
        RefusedFile: A zip that is damaged, made to do harm, or not described completely by its readable part.
    """
    if trust:
        raise InvalidInput(f"an import runs no code of {source}; to attack it as it is: --victim {source} --trust")
    return load_sb3_zip(Path(source))
