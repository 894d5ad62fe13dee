"""The recipe of adversaries: policies that make a frozen victim fail by how they play (Gleave et al. 2019)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from rlattack.training.recipes.recipe import AGENT, CUT, SEEDS, SeatRecipe


@dataclass(frozen=True, kw_only=True)
class TrainAdversary(SeatRecipe):
    """Train an opponent that makes a frozen victim fail, by PPO with the settings of Gleave et al. 2019.

    Where it differs: a batch is 64 games of 256 steps in place of 8 of 2048, and Stable-Baselines3 does not clip the
    value function.

    Raises:
        InvalidInput: A value outside its range.
    """

    victim: Annotated[str, AGENT]
    """Who is to fail: an agent's id or folder."""
    seeds: tuple[int, ...] = (0,)
    """Each trains an adversary from the start, one after the other; the best in tuning games becomes the agent."""
    cut: Annotated[tuple[int, float] | None, CUT] = None
    """Give up a seed that has won less than RATE of its last 500 training games when it gets to STEPS."""
    tuning: int = 200
    """Games by which the best of several seeds is chosen."""

    verb: ClassVar[str] = "adversary"
    role: ClassVar[str] = "adversary"
    free: ClassVar[tuple[str, ...]] = ("steps", "seeds", "cut")

    def __post_init__(self) -> None:
        super().__post_init__()
        different = 0 < len(self.seeds) == len(set(self.seeds))
        in_range = all(0 <= seed < SEEDS for seed in self.seeds)
        self.expect("seeds", f"different numbers of 0 to {SEEDS - 1}", different and in_range)
        self.expect("victim", "one agent, and no comma in its name", "," not in self.victim)
        steps, rate = self.cut or (1, 0.0)
        self.expect("cut", "steps of 1 or more and a rate in [0, 1]", steps >= 1 and 0 <= rate <= 1)
