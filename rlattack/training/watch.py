"""Who hears how a training comes along, and what it left: the command line's bars and lines, or nobody."""

from dataclasses import dataclass
from pathlib import Path

from rlattack.evaluation.results import Mean, Rate
from rlattack.training.score import Score


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What became of a learner.

    Attributes:
        seed: Of weights, games and exploration.
        steps: How many it learned from.
        folder: Its agent folder in the run.
        win: Share of its last 500 training games that it won; None where games have no winner, or none was over.
        cut: Whether it was given up for winning too little.
        tuning: Share that it won of the games by which the best seed was chosen, or what the victim earned in them;
            None of a seed without others.
        likeness: How like the wanted behaviour the victim's was in them, where there is one.
    """

    seed: int
    steps: int
    folder: Path
    win: float | None = None
    cut: bool = False
    tuning: Rate | Mean | None = None
    likeness: Mean | None = None

    @property
    def harm(self) -> float:
        """By which the best of adversaries is chosen: likeness, what it won, or minus what the victim earned."""
        if self.likeness is not None:
            return self.likeness.mean
        return self.worth if isinstance(self.tuning, Rate) else -self.worth

    @property
    def worth(self) -> float:
        """By which the best of several victims is chosen: what it won or earned itself."""
        return 0.0 if self.tuning is None else self.tuning.value


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """An agent at the end of its training.

    Attributes:
        game: Id of the game.
        id: Id of the agent.
        folder: The agent folder.
        score: As its card says.
        learner: Name of the seat that it learned in, or `both`, where more than one could be meant.
        tried: All seeds of its run, of which it is the best.
        defended: Whether it was trained to stand attacks.
    """

    game: str
    id: str
    folder: Path
    score: Score
    learner: str = ""
    tried: tuple[Trained, ...] = ()
    defended: bool = False


class Watch:
    """Hears how a training comes along; whoever inherits overrides what it shows."""

    @property
    def stops(self) -> bool:
        """Whether the training is to stop after its next update, as by Ctrl-C."""
        return False

    def note(self, line: str) -> None:
        """Hears what is done next, or left out, and why."""

    def begin(self, name: str, turn: int, turns: int) -> None:
        """Hears that one training of several begins: its name, and which round of how many it belongs to."""

    def steps(self, done: int, total: int, note: str = "") -> None:
        """Hears of steps learned from, between updates; `note` says who learns and how it does."""

    def episodes(self, done: int, total: int, note: str, kept: bool) -> None:
        """Hears of an episode that was played for a score, now or (`kept`) before."""

    def ship(self, shipped: Shipped) -> None:
        """Hears of an agent that is finished."""
