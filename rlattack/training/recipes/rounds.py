"""The recipe of defence and reattack in turns (Gleave et al. 2019, section 6)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro

from rlattack.errors import InvalidInput
from rlattack.training.recipes.adversary import TrainAdversary
from rlattack.training.recipes.recipe import AGENT, AGENTS, CUT, GAME, ID, Recipe, check_counts, check_one
from rlattack.training.recipes.victim import TrainSelfPlay


@dataclass(frozen=True, kw_only=True)
class TrainRounds(Recipe):
    """Harden a victim against an adversary and attack it anew, as often as asked (Gleave et al. 2019, section 6).

    A round goes on training the victim with the adversary in the other seat, then trains a new adversary against what
    came of it. At the end all adversaries and normal opponents play all victims. If killed, the same command with
    --resume goes on from the last checkpoint.

    Raises:
        InvalidInput: A value outside its range.
    """

    game: Annotated[tyro.conf.Positional[str], GAME]
    """Game of two seats, as `rlattack list games` shows: mujoco/you-shall-not-pass."""
    victim: Annotated[str, AGENT]
    """Who is hardened: a Gaussian network without memory."""
    adversary: Annotated[str | None, AGENT] = None
    """Whom the first round defends against; trained first by default."""
    opponents: Annotated[str | None, AGENTS] = None
    """Normal players to meet beside the adversary, each as often as it (the paper's dual defence); by default none
    (single)."""
    rounds: int = 1
    """How often the victim is hardened and attacked anew."""
    steps: int = 20_000_000
    """Agent steps of each victim."""
    adversary_steps: int | None = None
    """Agent steps of each adversary and seed; as many as --steps by default."""
    reattack: Literal["scratch", "finetune"] = "scratch"
    """Where a new adversary starts: from chance, or from the adversary before it."""
    seeds: tuple[int, ...] = (0,)
    """Of adversaries: the best of them in tuning games is a round's; the first is the victims' too."""
    cut: Annotated[tuple[int, float] | None, CUT] = None
    """Give up a seed that has won less than RATE of its last 500 training games when it gets to STEPS."""
    envs: int = 64
    """Games played at once."""
    threads: int | None = None
    """That step them; one a core by default. Changes no result."""
    batch: int = 16_384
    """Agent steps between two updates."""
    learning_rate: float = 3e-4
    """Learning rate of every training of the run."""
    checkpoint_every: int = 100_000
    """Agent steps between checkpoints; at each, games begin anew, so that a killed run goes on as one that was not."""
    episodes: int = 1000
    """Fresh games of every pair at the end, and for the score on every agent's card."""
    resume: bool = False
    """Go on from the last checkpoint; --rounds may be larger than before."""
    run: Path | None = None
    """Run folder; by default runs/train-<game>-rounds. Holds a run a training, and `duel`, where all meet."""
    agent: Annotated[str | None, ID] = None
    """Id under ./agents of the folder of agents to write, `victim-1`, `adversary-1` and so on; by default
    <game>/rounds."""
    trust: bool = False
    """Load normal opponents that can only be read by running their code."""

    verb: ClassVar[str] = "rounds"

    def __post_init__(self) -> None:
        """Checks ranges."""
        check_counts(self, ("rounds", "episodes", "envs", "threads"))
        self.defence(0)
        if self.adversary_steps is not None and self.adversary_steps < self.batch:
            raise InvalidInput(
                f"--adversary-steps: expected at least {self.batch}, one batch, got {self.adversary_steps}"
            )
        self.attack(0)
        for name in ("victim", "adversary"):
            check_one(name, getattr(self, name))

    def defence(self, turn: int, **more: Any) -> TrainSelfPlay:
        """The recipe of the victim of a round; `more` says whom it goes on from and whom it meets."""
        return TrainSelfPlay(
            **self._shared(f"victim-{turn}"), steps=self.steps, seed=self.seeds[0] if self.seeds else 0,
            trust=self.trust, **{"anneal": 0.0} | more,
        )  # fmt: skip

    def attack(self, turn: int, *, victim: str = "", **more: Any) -> TrainAdversary:
        """The recipe of the adversary of a round; `more` says whom it goes on from."""
        return TrainAdversary(
            **self._shared(f"adversary-{turn}"), victim=victim or self.victim,
            steps=self.adversary_steps or self.steps, seeds=self.seeds, cut=self.cut, **more,
        )  # fmt: skip

    def _shared(self, name: str) -> dict[str, Any]:
        shared = ("game", "envs", "threads", "batch", "learning_rate", "checkpoint_every", "episodes")
        folder = self.folder / name
        return {option: getattr(self, option) for option in shared} | {
            "run": folder, "agent": f"{self.id}/{name}", "resume": (folder / "config.json").is_file(),
        }  # fmt: skip
