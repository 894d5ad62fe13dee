"""The recipe of defence and reattack in turns (Gleave et al. 2019, section 6)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from rlattack.training.recipes.adversary import TrainAdversary
from rlattack.training.recipes.recipe import AGENT, AGENTS, CUT, PPORecipe
from rlattack.training.recipes.victim import TrainSelfPlay


@dataclass(frozen=True, kw_only=True)
class TrainRounds(PPORecipe):
    """Harden a victim against an adversary and attack it anew, as often as asked (Gleave et al. 2019, section 6).

    A round goes on training the victim with the adversary in the other seat, then trains a new adversary against what
    came of it. At the end all adversaries and normal opponents play all victims. If killed, the same command with
    --resume goes on from the last checkpoint.

    Raises:
        InvalidInput: A value outside its range.
    """

    victim: Annotated[str, AGENT]
    """Who is hardened: a Gaussian network without memory."""
    adversary: Annotated[str | None, AGENT] = None
    """Whom the first round defends against; trained first by default."""
    opponents: Annotated[str | None, AGENTS] = None
    """Players to meet beside the adversary, each as often as it: normal ones (the paper's dual defence), or the
    adversaries of other victims; by default none (single)."""
    population: Literal["last", "rounds", "seeds"] = "last"
    """Which adversaries of the run a victim meets: the last one, as in the paper; the best of every round so far; or
    every seed of every round so far, of which the others ship as adversary-N-seed-S."""
    rounds: int = 1
    """How often the victim is hardened and attacked anew."""
    adversary_steps: int | None = None
    """Agent steps of each adversary and seed; as many as --steps by default."""
    reattack: Literal["scratch", "finetune"] = "scratch"
    """Where a new adversary starts: from chance, or from the adversary before it."""
    seeds: tuple[int, ...] = (0,)
    """Of adversaries: the best of them in tuning games is a round's; the first is the victims' too."""
    cut: Annotated[tuple[int, float] | None, CUT] = None
    """Give up a seed that has won less than RATE of its last 500 training games when it gets to STEPS."""

    verb: ClassVar[str] = "rounds"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.adversary_steps is not None:
            self.expect("adversary_steps", f"at least {self.batch}, one batch", self.adversary_steps >= self.batch)
        self.attack(0)
        self.expect("adversary", "one agent, and no comma in its name", "," not in (self.adversary or ""))

    def defence(self, turn: int, **more: Any) -> TrainSelfPlay:
        """The recipe of the victim of a round; `more` says whom it goes on from and whom it meets."""
        return TrainSelfPlay(
            **self._shared(f"victim-{turn}"), steps=self.steps, seed=self.seeds[0], trust=self.trust, anneal=0.0,
            **more,
        )  # fmt: skip

    def attack(self, turn: int, *, victim: str = "", **more: Any) -> TrainAdversary:
        """The recipe of the adversary of a round; `more` says whom it goes on from."""
        return TrainAdversary(
            **self._shared(f"adversary-{turn}"), victim=victim or self.victim,
            steps=self.adversary_steps or self.steps, seeds=self.seeds, cut=self.cut, **more,
        )  # fmt: skip

    def _shared(self, name: str) -> dict[str, Any]:
        shared = ("game", "envs", "threads", "device", "batch", "learning_rate", "checkpoint_every", "episodes")
        folder = self.folder / name
        return {option: getattr(self, option) for option in shared} | {
            "run": folder, "agent": f"{self.id}/{name}", "resume": (folder / "config.json").is_file(),
        }  # fmt: skip
