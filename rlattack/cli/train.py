"""`rlattack train`: fits victims and adversaries, or several of them; a verb a recipe."""

import shlex
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro

from rlattack.report.progress import say
from rlattack.training.recipes import (
    TrainAdversary,
    TrainDefended,
    TrainMatrix,
    TrainPerturber,
    TrainPoisoned,
    TrainRounds,
    TrainVictim,
)

if TYPE_CHECKING:
    from rlattack.cli.trainings import Screen

_INTERRUPTED = 130


class _Verb:
    """A recipe as it was typed."""

    recipe: ClassVar[type[Any]]

    def __post_init__(self) -> None:
        """Checks nothing: tyro rephrases what is refused here, so the recipe is made when the verb runs."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command; one that is interrupted says how to go on, where something is kept."""
        from rlattack.cli.trainings import Screen

        recipe = self.recipe(**vars(self))
        # as it would be typed to train the agent anew
        again = shlex.join(word for word in command if word != "--resume")
        try:
            with closing(Screen()) as screen:
                return self._train(recipe, screen, again)
        except KeyboardInterrupt:
            if not any(recipe.folder.rglob("checkpoint.pt")):
                raise
            say("\ninterrupted; what was learned is kept, the same command with --resume goes on", stderr=True)
            return _INTERRUPTED

    @staticmethod
    def _train(recipe: Any, screen: "Screen", command: str) -> int:  # a recipe of the verb's own kind
        from rlattack.training import train

        train(recipe, screen, command)
        return 0


class _Victim(_Verb, TrainVictim):
    __doc__ = TrainVictim.__doc__
    recipe = TrainVictim


class _Adversary(_Verb, TrainAdversary):
    __doc__ = TrainAdversary.__doc__
    recipe = TrainAdversary


class _Perturber(_Verb, TrainPerturber):
    __doc__ = TrainPerturber.__doc__
    recipe = TrainPerturber


class _Defended(_Verb, TrainDefended):
    __doc__ = TrainDefended.__doc__
    recipe = TrainDefended


class _Poisoned(_Verb, TrainPoisoned):
    __doc__ = TrainPoisoned.__doc__
    recipe = TrainPoisoned


class _Rounds(_Verb, TrainRounds):
    __doc__ = TrainRounds.__doc__
    recipe = TrainRounds

    @staticmethod
    def _train(recipe: TrainRounds, screen: "Screen", command: str) -> int:
        from rlattack.training import train_rounds

        meeting = train_rounds(recipe, screen, command)
        screen.show(meeting)
        return int(not meeting.results.ok)


class _Matrix(_Verb, TrainMatrix):
    __doc__ = TrainMatrix.__doc__
    recipe = TrainMatrix

    @staticmethod
    def _train(recipe: TrainMatrix, screen: "Screen", command: str) -> int:
        from rlattack.training import train_matrix

        results = train_matrix(recipe, screen, command)
        screen.results(results)
        return int(not results.ok)


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train an agent with Stable-Baselines3; if killed, the same command with --resume goes on from its checkpoint."""

    verb: (
        Annotated[_Victim, tyro.conf.subcommand("victim", prefix_name=False)]
        | Annotated[_Adversary, tyro.conf.subcommand("adversary", prefix_name=False)]
        | Annotated[_Perturber, tyro.conf.subcommand("perturber", prefix_name=False)]
        | Annotated[_Defended, tyro.conf.subcommand("defended", prefix_name=False)]
        | Annotated[_Poisoned, tyro.conf.subcommand("poisoned", prefix_name=False)]
        | Annotated[_Matrix, tyro.conf.subcommand("matrix", prefix_name=False)]
        | Annotated[_Rounds, tyro.conf.subcommand("rounds", prefix_name=False)]
    )

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        return self.verb(command)
