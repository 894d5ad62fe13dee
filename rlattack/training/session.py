"""A training run from start to agent folder: configuration, checkpoints, evaluation, card."""

import dataclasses
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rlattack.errors import ContentError, InvalidInput, RunConflict, Unwritable
from rlattack.evaluation.evaluate import Evaluation, evaluate, plan
from rlattack.games import find_game, with_variant
from rlattack.games.training import training_env
from rlattack.policies.folder import AgentCard, read_agent_card, save_agent, write_whole
from rlattack.training.victim import TrainVictim, train_victim

__all__ = ["Session", "train_and_evaluate"]


@dataclass(frozen=True, kw_only=True)
class Session:
    """What one call of `rlattack train victim` does."""

    config: TrainVictim
    run: Path
    agent: str
    episodes: int
    resume: bool
    command: str


def train_and_evaluate(session: Session, tell: Callable[[int], None]) -> Path:
    """Trains, evaluates by the game's protocol, and writes the agent folder with its score.

    Returns:
        The agent folder, `agents/<id>/` under the working folder.

    Raises:
        RunConflict: The run folder holds another training, or this one and `resume` was not asked for.
        Unwritable: A folder cannot be written.
    """
    torch.set_num_threads(1)
    config = session.config
    card = with_variant(find_game(config.game), sticky=config.sticky)
    place = Path("agents") / session.agent
    _check_place(place, session)
    _open(session)
    agent, network = train_victim(config, card, training_env(card, config.envs), session.run, tell)
    agent = dataclasses.replace(agent, provenance={"command": session.command, **agent.provenance})
    save_agent(session.run / "agent", agent, network)
    score = _evaluate(session, config)
    write_whole(session.run / "score.json", json.dumps(score).encode())
    try:
        save_agent(place, dataclasses.replace(agent, score=score), network)
    except Unwritable as error:
        raise Unwritable(f"{error}; the trained agent is in {session.run / 'agent'}") from error
    return place


def _evaluate(session: Session, config: TrainVictim) -> dict[str, Any]:
    """Plays the agent as it will be shipped, in half precision, on episodes of another seed than training."""
    spec = str(session.run / "agent")
    planned = plan(
        Evaluation(
            game=config.game, victim=spec, episodes=session.episodes, seed=1000 + config.seed, sticky=config.sticky
        )
    )
    folder = evaluate(
        planned, session.run / "evaluation" / planned.cells[0].key, len(os.sched_getaffinity(0)), lambda _: None
    )
    (cell,) = json.loads((folder / "results.json").read_text(encoding="utf-8"))["cells"]
    command = (
        f"rlattack attack {config.game} --victim {session.agent} --episodes {session.episodes} --seed {cell['seed']}"
    )
    if config.sticky is not None:
        command += f" --sticky {config.sticky:g}"
    return {
        "mean": cell["return"]["mean"],
        "ci": cell["return"]["ci"],
        "episodes": cell["episodes"],
        "actions": cell["actions"],
        "sticky": cell["sticky"],
        "seed": cell["seed"],
        "command": command,
    }


def _open(session: Session) -> None:
    """Makes the run folder, or checks that it is this run and may go on."""
    path = session.run / "config.json"
    content = {
        "schema": "rlattack/training/1",
        "command": session.command,
        "training": dataclasses.asdict(session.config),
    }
    if path.is_file():
        _check_same(path, content)
        if not session.resume and (session.run / "checkpoint.pt").is_file():
            raise RunConflict(
                f"--run {session.run}: holds a training run; add --resume to go on, or choose another folder"
            )
        return
    if session.resume:
        raise InvalidInput(f"--resume: {session.run} holds no training run; leave it out to start one")
    try:
        session.run.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(content, indent=1).encode())
    except OSError as error:
        raise Unwritable(f"{session.run}: cannot be written ({error.strerror}); choose another --run") from error


def _check_same(path: Path, content: dict[str, Any]) -> None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))["training"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunConflict(f"{path}: not the configuration of a training run; choose another --run") from error
    free = ("steps", "checkpoint_every")  # a run may be made longer
    for key, value in content["training"].items():
        if key not in free and kept.get(key) != value:
            raise RunConflict(
                f"--run {path.parent}: trained with {key} {kept.get(key)}, now {value}; choose another --run"
            )


def _check_place(place: Path, session: Session) -> None:
    """Refuses to write over another agent, before hours of training."""
    if not (place / "agent.toml").is_file():
        return
    try:
        card: AgentCard = read_agent_card(place)
    except ContentError as error:
        raise InvalidInput(f"--agent {session.agent}: {place} holds something else; choose another id") from error
    config = session.config
    if (card.game, card.algorithm, card.provenance.get("seed")) != (config.game, config.algorithm, config.seed):
        raise InvalidInput(f"--agent {session.agent}: {place} holds another agent; choose another id or remove it")
