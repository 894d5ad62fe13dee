"""The score of a trained agent: fresh episodes, which `rlattack attack` and `rlattack duel` play again for anybody."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlattack.evaluation.commands import CLEAN, command_of
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.evaluator import evaluate
from rlattack.evaluation.plan import plan
from rlattack.evaluation.results import Mean, Rate, Result
from rlattack.evaluation.statistics import wilson
from rlattack.evaluation.study import Study

TUNING_SEED, EVALUATION_SEED = 500, 1000
"""Run seeds of the episodes by which something is chosen, and of those on cards, to which the agent's own is added."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """What an agent reached in fresh episodes: its return, or how often it won, tied and lost.

    Attributes:
        episodes: How many were played.
        seed: Run seed of the episodes.
        actions: How the agent chose: `sampled` or `greedy`.
        command: Plays them again.
        returns: Mean return, of a game of one seat.
        rates: Shares of episodes that were won, tied and lost, by the names `win`, `tie` and `loss`; none in a game of
            one seat.
        more: What else its card says: `distinct`, `sticky`, `length`, `endings`, `against`.
        attacked: Mean return under an attack, where clean play is what was scored.
        observed: Means of what observers told, by name.
    """

    episodes: int
    seed: int
    actions: str
    command: str
    returns: Mean | None = None
    rates: Mapping[str, Rate] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    attacked: Mean | None = None
    observed: Mapping[str, Mean] = field(default_factory=dict)

    @classmethod
    def of(cls, result: Result, command: str) -> "Score":
        """The score of the seat under study."""
        own = result.seats[result.victim]
        about: dict[str, Any] = {name: getattr(result, name) for name in ("episodes", "seed", "actions")}
        about |= {"command": command, "observed": own.observed}
        if own.win is None or own.tie is None or own.loss is None or len(result.seats) == 1:
            return cls(**about, returns=own.returns, more={"distinct": result.distinct, "sticky": result.sticky})
        more = {"length": result.length.mean, "distinct": result.distinct, "endings": result.endings}
        return cls(**about, rates={"win": own.win, "tie": own.tie, "loss": own.loss}, more=more)

    @classmethod
    def together(cls, scores: Sequence["Score"], against: Sequence[Mapping[str, Any]]) -> "Score":
        """One score of wins over several of equal numbers of episodes; `against` says whom each of them met."""
        total = sum(score.episodes for score in scores)
        rates = {name: _share([score.rates[name] for score in scores], total) for name in scores[0].rates}
        rows = [
            {**met, "win": score.rates["win"].rate, "tie": score.rates["tie"].rate}
            for met, score in zip(against, scores, strict=True)
        ]
        command = " && ".join(score.command for score in scores)
        return dataclasses.replace(scores[0], episodes=total, command=command, more={"against": rows}, rates=rates)

    @property
    def table(self) -> dict[str, Any]:
        """The score as it stands on the agent's card."""
        found = {} if self.returns is None else {"mean": self.returns.mean, "ci": list(self.returns.ci)}
        rates = {name: {"rate": one.rate, "ci": list(one.ci)} for name, one in self.rates.items()}
        about = {name: getattr(self, name) for name in ("episodes", "actions", "seed", "command")}
        return found | rates | dict(self.more) | about | _observed(self.observed)

    @property
    def points(self) -> dict[str, float]:
        """The score as points of curves."""
        observed = {re.sub(r"\W+", "_", name): one.mean for name, one in self.observed.items()}
        if self.returns is not None:
            low, high = self.returns.ci
            return {"return_mean": self.returns.mean, "return_low": low, "return_high": high} | observed
        low, high = self.rates["win"].ci
        shares = {f"{name}_rate": one.rate for name, one in self.rates.items()}
        return shares | {"win_rate_low": low, "win_rate_high": high} | observed


class Scorer:
    """Plays studies of one cell for scores; what was played before is kept.

    Args:
        run: Run folder of the training; results lie in its folder `evaluation`.
        total: Episodes of all studies together.
        watch: Called after every episode with how many there are, of how many, what for, and whether an earlier call
            had played it.
    """

    def __init__(self, run: Path, total: int, watch: Callable[[int, int, str, bool], None]) -> None:
        self._run, self._total, self._watch = run, total, watch
        self._played = 0

    def __call__(self, study: Study, note: str, names: Mapping[str, str], *, clean: bool = False) -> Score:
        """Plays a study.

        Args:
            study: Asks for one pair of players, or one agent; under an attack, beside which clean play and noise stand.
            note: What it is played for.
            names: Ids by which agents of the run will be known, by their folders, for the command.
            clean: The score is that of clean play, and what is earned under the attack stands beside it, as `attacked`.
        """

        def see(episode: Episode, kept: bool) -> None:
            self._played += 1
            self._watch(self._played, self._total, note, kept)

        planned = plan(study)
        *beside, result = evaluate(planned, run=self._run / "evaluation" / planned.name, watch=see).cells
        if not clean:
            score = Score.of(result, command_of(study, names))
            told = {one.attack.name if one.attack else "clean": _beside(one, score) for one in beside}
            return dataclasses.replace(score, more={**score.more, **told})
        score = Score.of(beside[0], command_of(dataclasses.replace(study, **CLEAN), names))
        told = {one.attack.name: _beside(one, score) for one in beside[1:] if one.attack}
        about = {"attack": str(study.attacks[0][0]), "command": command_of(study, names)}
        attacked = {**_beside(result, score), **about}
        return dataclasses.replace(
            score, more={**score.more, **told, "attacked": attacked}, attacked=result.victim_seat.returns
        )


def _beside(result: Result, score: Score) -> dict[str, Any]:
    """What the same seat reached in another cell, as it stands on a card beside a score."""
    own = result.victim_seat
    if score.returns is None and own.win is not None:
        return {"win": {"rate": own.win.rate, "ci": list(own.win.ci)}} | _observed(own.observed)
    return {"mean": own.returns.mean, "ci": list(own.returns.ci)} | _observed(own.observed)


def _observed(observed: Mapping[str, Mean]) -> dict[str, Any]:
    """What observers told, as it stands on a card."""
    told = {name: {"mean": one.mean, "ci": list(one.ci)} for name, one in observed.items()}
    return {"observed": told} if told else {}


def _share(rates: Sequence[Rate], total: int) -> Rate:
    """A share of all episodes, of the shares of equal parts of them, with its Wilson interval."""
    each = total // len(rates)
    count = sum(round(rate.rate * each) for rate in rates)
    return Rate(count / total, wilson(count, total))
