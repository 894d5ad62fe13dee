"""The run folder of a training: what it is of, whether it may go on, and the place of the agent that comes of it."""

import dataclasses
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

from torch.utils.tensorboard import SummaryWriter

from rlattack.device import CPU, check_device, device_name
from rlattack.errors import InvalidInput, RunConflict, Unwritable
from rlattack.evaluation.code import game_code
from rlattack.files import write_whole, writing_events
from rlattack.games import rom_sha256
from rlattack.games.card import GameCard
from rlattack.policies.folder import find_agent, read_agent, read_agent_card, save_agent
from rlattack.source import versions
from rlattack.training.checkpoint import FILE
from rlattack.training.recipes import Recipe
from rlattack.training.score import Score
from rlattack.training.watch import Shipped

SCHEMA = "rlattack/training/2"
R = TypeVar("R", bound=Recipe, covariant=True)


@dataclass(frozen=True, kw_only=True)
class TrainingRun(Generic[R]):
    """The folder of a training.

    Attributes:
        recipe: What is trained, with nothing left to be settled.
        card: The game.
        command: As it would be typed to train the agent anew.
        agents: Digests of the agents that are learned from, as the messages name them.
    """

    recipe: R
    card: GameCard
    command: str = ""
    agents: Mapping[str, Any] = field(default_factory=dict)

    @property
    def learned(self) -> dict[str, Any]:
        """Everything that the result depends on."""
        options = dataclasses.asdict(self.recipe) | dict(self.agents)
        kept = {name: value for name, value in options.items() if name not in self.recipe.beside}
        return dict(json.loads(json.dumps(kept)))  # lists for tuples

    def check(self, *parts: tuple[str, Path]) -> None:
        """Refuses a folder that is not this run's, or not asked to go on, and places of agents that are taken.

        Args:
            parts: Ids of the agents to write, and the folders in the run that they come of.

        Raises:
            RunConflict: The folder holds another training, or this one and `resume` was not asked for.
            InvalidInput: No such device, no id, that of an agent that another run wrote, or a name that cannot be
                played by.
        """
        check_device(self.recipe.device)
        self._check_kept(self.recipe.folder)
        for agent, folder in parts:
            check_place(agent, folder, f"{self.recipe.game}/{self.recipe.name}")

    def _check_kept(self, folder: Path) -> None:
        if not (folder / "config.json").is_file():
            if self.recipe.resume:
                raise InvalidInput(f"--resume: {folder} holds no training run; leave it out to start one")
            if folder.is_dir() and any(folder.iterdir()):
                raise RunConflict(f"--run {folder}: holds other files and no run; choose another folder")
            return
        known = {field.name: field.default for field in dataclasses.fields(self.recipe)}
        kept = known | read_options(folder)  # one that came to be later has its default there
        for key, value in self.learned.items():
            if key not in self.recipe.free and kept.get(key) != value:
                differs = f"trained with {key} {kept.get(key)}, now {value}"
                raise RunConflict(f"--run {folder}: {differs}; choose another --run")
        if not self.recipe.resume and [*folder.glob(FILE), *folder.glob(f"*/{FILE}")]:
            raise RunConflict(f"--run {folder}: holds a training run; add --resume to go on, or choose another folder")

    def open(self) -> None:
        """Makes the folder and writes its configuration; a run that goes on may have become longer.

        Raises:
            Unwritable: The folder cannot be written.
        """
        content = {
            "schema": SCHEMA, "recipe": self.recipe.verb, "command": self.command, "training": self.learned,
            "rom_sha256": rom_sha256(self.card), "versions": _versions(self.card),
        }  # fmt: skip
        try:
            write_whole(self.recipe.folder / "config.json", json.dumps(content, indent=1).encode())
        except OSError as error:
            why = f"cannot be written ({error.strerror}); choose another --run"
            raise Unwritable(f"{self.recipe.folder}: {why}") from error

    def provenance(self, steps: int, seed: int, **more: Any) -> dict[str, Any]:
        """What the card of an agent says of where it comes from; what is None is left out."""
        more["device"] = None if self.recipe.device == CPU else device_name(self.recipe.device)
        known = {name: value for name, value in more.items() if value is not None}
        return {"command": self.command, **known, "steps": steps, "seed": seed, "versions": _versions(self.card)}


def read_options(folder: Path) -> dict[str, Any]:
    """Reads what a run was begun with.

    Raises:
        RunConflict: It is not the folder of a training run, or one of another version.
    """
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema, kept = content.get("schema"), dict(content["training"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunConflict(f"{path}: not the configuration of a training run; choose another --run") from error
    if schema != SCHEMA:
        of = f"expected schema {SCHEMA!r}, got {schema!r}, of another version"
        raise RunConflict(f"{path}: {of}; choose another --run")
    return kept


def check_place(agent: str, run: Path, example: str) -> None:
    """Refuses a place for the agent that cannot be written or belongs to another one, before hours of training.

    Args:
        agent: Its id.
        run: Folder that it comes of.
        example: An id to show to whom gave none.

    Raises:
        InvalidInput: No id, or that of an agent that another run wrote.
        Unwritable: The folder cannot be written.
    """
    id_, place = PurePosixPath(agent), Path("agents") / agent
    if id_.is_absolute() or ".." in id_.parts or not id_.parts or "," in agent:  # commas part names of `duel`
        raise InvalidInput(f"--agent {agent!r}: expected an id such as {example}")
    taken = find_agent(agent) or (place if (place / "agent.toml").exists() else None)
    if taken is not None and not _is_own(taken, place, run):
        raise InvalidInput(f"--agent {agent}: {taken} holds another agent; choose another id, as --agent my/pong")
    there = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise Unwritable(f"--agent {agent}: {place} cannot be written; choose another id")


def _is_own(folder: Path, place: Path, run: Path) -> bool:
    """Whether the run wrote that agent before."""
    try:
        written = json.loads((run / "score.json").read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(folder.resolve() == place.resolve() and read_agent_card(folder).sha256 == written)


def ship(run: Path, agent: str, score: Score, **about: Any) -> Shipped:
    """Writes the agent of a finished run with its score to its own folder, and the score to TensorBoard.

    Args:
        run: Folder that holds the trained `agent`.
        agent: Id of the agent folder to write.
        score: For its card.
        about: What else is told of it: `learner` and `tried`.

    Raises:
        Unwritable: A folder cannot be written; the agent still lies in the run.
    """
    card, network = read_agent(run / "agent")
    place, steps = Path("agents") / agent, card.provenance["steps"]
    try:
        # before the agent: by it a resumed run knows the agent folder as its own
        write_whole(run / "score.json", json.dumps(score.table | {"sha256": card.sha256}).encode())
        with writing_events(run), SummaryWriter(str(run)) as writer:
            for name, value in score.points.items():
                writer.add_scalar(f"evaluation/{name}", value, steps)
        save_agent(place, dataclasses.replace(card, score=score.table), network)
    except OSError as error:
        raise Unwritable(f"{error}; the trained agent is in {run / 'agent'}") from error
    return Shipped(game=card.game, id=agent, folder=place, score=score, **about)


def _versions(card: GameCard) -> dict[str, str]:
    """Versions of everything that a training on that game depends on."""
    found = {"python": platform.python_version(), **versions("stable-baselines3", "sb3-contrib"), **game_code(card)}
    return {name: version for name, version in found.items() if name not in ("rom", "spec")}
