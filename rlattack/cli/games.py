"""Games between a trained agent and somebody else, as `rlattack duel` plays them, for the score of its card."""

import json
from pathlib import Path
from typing import Any

from rlattack.cli.steps import StepBar

__all__ = ["Games", "outcomes"]


class Games:
    """Plays games and says what the agent reached.

    Args:
        run: Run folder; what was played before is kept in it.
        game: Id of the game.
        bar: Shows the episodes played.
        trust: See `load_player`.
    """

    def __init__(self, run: Path, game: str, bar: StepBar, *, trust: bool) -> None:
        self._run, self._game, self._bar, self._trust = run, game, bar, trust
        self._played = 0

    def __call__(self, agent: str, opponent: str, seat: int, episodes: int, seed: int, note: str) -> dict[str, Any]:
        """Win, tie and loss of the agent in its seat, with intervals, over the episodes of a run seed."""
        from rlattack.evaluation.duels import Duel, evaluate_duel, plan_duel
        from rlattack.evaluation.workers import cores

        first, second = (agent, opponent) if seat == 0 else (opponent, agent)
        planned = plan_duel(
            Duel(game=self._game, players=((first,), (second,)), episodes=episodes, seed=seed, trust=self._trust)
        )
        folder = self._run / "evaluation" / planned.cells[0].key
        evaluate_duel(planned, folder, cores(), lambda _: self._tell(note), kept=lambda _: self._keep(note))
        (cell,) = json.loads((folder / "results.json").read_text(encoding="utf-8"))["cells"]
        won, lost = ("win", "loss") if seat == 0 else ("loss", "win")
        return {
            "win": cell[won], "tie": cell["tie"], "loss": cell[lost], "length": cell["length"]["mean"],
            **{key: cell[key] for key in ("episodes", "distinct", "endings", "actions", "seed")},
        }  # fmt: skip

    def _keep(self, note: str) -> None:
        self._tell(note)
        self._bar.skip()

    def _tell(self, note: str) -> None:
        self._played += 1
        self._bar(self._played, note)


def outcomes(score: dict[str, Any]) -> str:
    """Tells a score: `wins 67.1 % [64.1, 69.9], ties 0.0 %, loses 32.9 % of 1000 fresh episodes`."""
    from rlattack.evaluation.series import estimate
    from rlattack.evaluation.tables import percent

    win, tie, loss = (percent(estimate(score, name, "rate"), 1) for name in ("win", "tie", "loss"))
    return f"wins {win}, ties {tie.text}, loses {loss.text} of {score['episodes']} fresh episodes"
