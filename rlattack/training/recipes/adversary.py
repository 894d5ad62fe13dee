"""The recipe of adversaries: policies that make a frozen victim fail by how they play (Gleave et al. 2019)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from rlattack.errors import InvalidInput
from rlattack.training.recipes.recipe import AGENT, CUT, GAME, ID, SEEDS, SeatRecipe, check_counts, check_one


@dataclass(frozen=True, kw_only=True)
class TrainAdversary(SeatRecipe):
    """Train an opponent that makes a frozen victim fail, by PPO with the settings of Gleave et al. 2019.

    Where it differs: a batch is 64 games of 256 steps in place of 8 of 2048, and Stable-Baselines3 does not clip the
    value function.

    Raises:
        InvalidInput: A value outside its range.
    """

    game: Annotated[tyro.conf.Positional[str], GAME]
    """Game of two seats, as `rlattack list games` shows: mujoco/you-shall-not-pass."""
    victim: Annotated[str, AGENT]
    """Who is to fail: an agent's id or folder."""
    seat: str | None = None
    """The adversary's, by its name on the game's card; by default the one that the victim was not trained for."""
    steps: int = 20_000_000
    """Agent steps to learn from, each seed."""
    seeds: tuple[int, ...] = (0,)
    """Each trains an adversary from the start, one after the other; the best in tuning games becomes the agent."""
    envs: int = 64
    """Games played at once."""
    threads: int | None = None
    """That step them; one a core by default. Changes no result."""
    batch: int = 16_384
    """Agent steps between two updates, of 4 epochs of 4 minibatches."""
    learning_rate: float = 3e-4
    """Of the whole run."""
    sparse: float = 0.01
    """Weight of the reward that comes for the end of a game."""
    dense: float = 0.0
    """Weight of the reward on the way; 0.1 in the paper's shaped runs."""
    cut: Annotated[tuple[int, float] | None, CUT] = None
    """Give up a seed that has won less than RATE of its last 500 training games when it gets to STEPS."""
    checkpoint_every: int = 100_000
    """Agent steps between checkpoints; at each, games begin anew, so that a killed run goes on as one that was not."""
    tuning: int = 200
    """Games by which the best of several seeds is chosen."""
    episodes: int = 1000
    """Fresh games whose score goes on the agent's card."""
    init: Annotated[str | None, AGENT] = None
    """Start from this agent's weights, its observation statistics frozen, in place of chance."""
    resume: bool = False
    """Go on from the run's last checkpoints; --steps may be larger than before, and --seeds more."""
    run: Path | None = None
    """Run folder; by default runs/train-<game>-adversary. `tensorboard --logdir` on it shows the curves."""
    agent: Annotated[str | None, ID] = None
    """Id of the agent folder to write under ./agents; by default <game>/adversary."""
    trust: bool = False
    """Load a victim that can only be read by running its code."""

    verb: ClassVar[str] = "adversary"
    role: ClassVar[str] = "adversary"
    free: ClassVar[tuple[str, ...]] = ("steps", "seeds", "cut")

    def __post_init__(self) -> None:
        """Checks ranges."""
        check_counts(self, ("episodes", "tuning", "envs", "threads"))
        self.check_learning()
        order = sorted(set(self.seeds))
        if len(order) < max(1, len(self.seeds)) or not 0 <= order[0] <= order[-1] < SEEDS:
            raise InvalidInput(f"--seeds: expected different numbers of 0 to {SEEDS - 1}, got {list(self.seeds)}")
        check_one("victim", self.victim)
        if self.cut is not None and not (self.cut[0] >= 1 and 0 <= self.cut[1] <= 1):
            raise InvalidInput(f"--cut: expected steps of 1 or more and a rate in [0, 1], got {list(self.cut)}")
