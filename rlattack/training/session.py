"""A training run from its folder to its agent: configuration, places to write, training, the agent with its score."""

import dataclasses
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from rlattack.errors import InvalidInput, RunConflict, Unwritable
from rlattack.files import write_whole
from rlattack.games import find_game, rom_sha256, with_variant
from rlattack.games.card import GameCard
from rlattack.games.training import training_env
from rlattack.policies.folder import find_agent, load_agent, read_agent_card, save_agent
from rlattack.training.checkpoint import FILE
from rlattack.training.config import TrainDuelist, TrainVictim
from rlattack.training.curves import write_points
from rlattack.training.victim import train_victim, versions

__all__ = ["Session", "check_place", "check_run", "open_run", "ship", "train"]

_FREE = ("steps", "seeds", "cut")
"""What may change when a run goes on: it can be made longer, and of more seeds."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """What one call of `rlattack train` does."""

    config: TrainVictim | TrainDuelist
    run: Path
    agent: str
    """Id of the agent folder to write, under `./agents`."""
    resume: bool = False
    command: str = ""

    @property
    def place(self) -> Path:
        """The agent folder."""
        return Path("agents") / self.agent


def train(session: Session, tell: Callable[[int], None]) -> Path:
    """Trains the agent of a run, or goes on with it.

    Returns:
        The agent's folder within the run, without a score yet.

    Raises:
        RunConflict: The run folder holds another training, or this one and `resume` was not asked for.
        InvalidInput: The place of the agent is taken, or the game cannot be learned from.
        RefusedFile: A checkpoint that cannot be gone on from.
        Unwritable: A folder cannot be written.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    torch.set_num_threads(1)
    config = session.config
    assert isinstance(config, TrainVictim)
    card = with_variant(find_game(config.game), sticky=config.sticky)
    check_run(session)
    check_place(session.agent, session.run, f"{config.game}/{config.algorithm}")
    env = training_env(card, config.envs)
    open_run(session, card)
    agent, network = train_victim(config, card, env, session.run, tell)
    agent = dataclasses.replace(agent, provenance={"command": session.command, **agent.provenance})
    save_agent(session.run / "agent", agent, network)
    return session.run / "agent"


def ship(session: Session, score: dict[str, Any]) -> Path:
    """Writes the agent of a finished run with its score to its own folder, and the score to TensorBoard.

    Args:
        session: What was trained.
        score: For the card: `mean` and `ci`, or `win`, `tie` and `loss` with `rate` and `ci`; and how they were come
            by.

    Returns:
        The agent folder.

    Raises:
        Unwritable: A folder cannot be written; the agent still lies in the run.
    """
    agent, network = load_agent(session.run / "agent")
    steps = agent.provenance["steps"]
    try:
        # before the agent: by it a resumed run knows the agent folder as its own
        write_whole(session.run / "score.json", json.dumps(score | {"sha256": agent.sha256}).encode())
        write_points(session.run, {f"evaluation/{name}": value for name, value in _points(score).items()}, steps)
        save_agent(session.place, dataclasses.replace(agent, score=score), network)
    except OSError as error:
        raise Unwritable(f"{error}; the trained agent is in {session.run / 'agent'}") from error
    return session.place


def _points(score: dict[str, Any]) -> dict[str, float]:
    """A score as points of curves."""
    if "mean" in score:
        mean, (low, high) = score["mean"], score["ci"]
        return {"return_mean": mean, "return_low": low, "return_high": high}
    (low, high) = score["win"]["ci"]
    return {f"{name}_rate": score[name]["rate"] for name in ("win", "tie", "loss")} | {
        "win_rate_low": low,
        "win_rate_high": high,
    }


def check_run(session: Session) -> None:
    """Refuses a run folder that is not this run's, or not asked to go on."""
    path = session.run / "config.json"
    if not path.is_file():
        if session.resume:
            raise InvalidInput(f"--resume: {session.run} holds no training run; leave it out to start one")
        if session.run.is_dir() and any(session.run.iterdir()):
            raise RunConflict(f"--run {session.run}: holds other files and no run; choose another folder")
        return
    try:
        kept = dict(json.loads(path.read_text(encoding="utf-8"))["training"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunConflict(f"{path}: not the configuration of a training run; choose another --run") from error
    # a duellist's games begin anew at each checkpoint, so these are part of what is learned
    free = (*_FREE, "checkpoint_every") if isinstance(session.config, TrainVictim) else _FREE
    for key, value in json.loads(json.dumps(dataclasses.asdict(session.config))).items():  # lists for tuples
        if key not in free and kept.get(key) != value:
            raise RunConflict(
                f"--run {session.run}: trained with {key} {kept.get(key)}, now {value}; choose another --run"
            )
    if not session.resume and [*session.run.glob(FILE), *session.run.glob(f"*/{FILE}")]:
        raise RunConflict(f"--run {session.run}: holds a training run; add --resume to go on, or choose another folder")


def open_run(session: Session, card: GameCard) -> None:
    """Makes the run folder and writes its configuration; a run that goes on may have become longer."""
    content = {
        "schema": "rlattack/training/1",
        "command": session.command,
        "training": dataclasses.asdict(session.config),
        "rom_sha256": rom_sha256(card),
        "versions": versions(card),
    }
    try:
        write_whole(session.run / "config.json", json.dumps(content, indent=1).encode())
    except OSError as error:
        raise Unwritable(f"{session.run}: cannot be written ({error.strerror}); choose another --run") from error


def check_place(agent: str, run: Path, example: str) -> None:
    """Refuses a place for the agent that cannot be written or belongs to another one, before hours of training.

    Args:
        agent: Its id.
        run: Folder of the run that trains it.
        example: An id to show to whom gave none.

    Raises:
        InvalidInput: No id, or that of an agent that another run wrote.
        Unwritable: The folder cannot be written.
    """
    id_, place = PurePosixPath(agent), Path("agents") / agent
    if id_.is_absolute() or ".." in id_.parts or not id_.parts:
        raise InvalidInput(f"--agent {agent!r}: expected an id such as {example}")
    taken = find_agent(agent) or (place if (place / "agent.toml").exists() else None)
    if taken is not None and not _is_own(taken, place, run):
        raise InvalidInput(f"--agent {agent}: {taken} holds another agent; choose another id, as --agent my/pong")
    parent = next(folder for folder in place.absolute().parents if folder.exists())
    if place.is_dir():
        parent = place
    if place.is_file() or not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise Unwritable(f"--agent {agent}: {place} cannot be written; choose another id")


def _is_own(folder: Path, place: Path, run: Path) -> bool:
    """Whether the run wrote that agent before."""
    try:
        written = json.loads((run / "score.json").read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(folder.resolve() == place.resolve() and read_agent_card(folder).sha256 == written)
