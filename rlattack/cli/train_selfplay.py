"""`rlattack train victim` in a game of two seats: against the learner's own past, or against named opponents."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from rlattack.cli.games import Games, outcomes
from rlattack.cli.steps import StepBar, say

if TYPE_CHECKING:
    from rlattack.cli.train_victim import Victim
    from rlattack.training import Session
    from rlattack.training.selfplay import Learner, Match

__all__ = ["DUEL_ONLY", "opponent_names", "self_play"]

DUEL_ONLY = (
    "seat", "opponents", "init", "delta", "anneal", "sparse", "dense", "snapshot_every", "turns", "batch", "threads",
    "trust",
)  # fmt: skip
"""Options of games of two seats."""
_EVALUATION_SEED = 1000
_INTERRUPTED = 130


def self_play(asked: "Victim", command: list[str]) -> int:
    """Trains, evaluates and ships the learner, or the two of them."""
    from rlattack.errors import InvalidInput
    from rlattack.evaluation.workers import cores
    from rlattack.training import match, ship, train_self_play
    from rlattack.training.selfplay import part

    if asked.algo != "ppo" or asked.network != "small" or asked.sticky is not None:
        raise InvalidInput(f"--algo, --network and --sticky: are for games of one seat, {asked.game} has two")
    for name in ("envs", "threads"):
        if getattr(asked, name) is not None and getattr(asked, name) < 1:
            raise InvalidInput(f"--{name}: expected at least 1, got {getattr(asked, name)}")
    arranged = match(
        asked.game, seat=asked.seat, opponents=opponent_names(asked.opponents), init=asked.init, envs=asked.envs or 64,
        threads=asked.threads or cores(), trust=asked.trust,
    )  # fmt: skip
    session = _session(asked, arranged, command)
    try:
        with StepBar(session.config.steps) as bar:
            train_self_play(session, arranged, lambda seat, steps, win: bar(steps, _note(seat, win)))
        scores = _judge(asked, session, arranged)
    except KeyboardInterrupt:
        if not any(session.run.glob("*/checkpoint.pt")):
            raise
        say("\ninterrupted; what was learned is kept, the same command with --resume goes on", stderr=True)
        return _INTERRUPTED
    for learner, score in zip(arranged.learners, scores, strict=True):
        folder = ship(part(session, arranged, learner), score)
        met = ", ".join(dict.fromkeys(one["opponent"] for one in score["against"]))
        say(f"{learner.name}: {outcomes(score)} against {escape(met)}")
        say(f"[bold]{escape(str(folder))}[/bold] can now play: {escape(score['command'])}")
    return 0


def opponent_names(opponents: str | None) -> tuple[str, ...]:
    """Reads `A,B,...`."""
    from rlattack.errors import InvalidInput

    names = () if opponents is None else tuple(opponents.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise InvalidInput(f"--opponents: expected different names with commas between them, got {opponents!r}")
    return names


def _session(asked: "Victim", arranged: "Match", command: list[str]) -> "Session":
    from rlattack.training import Session, TrainSelfPlay

    names = (
        "steps", "envs", "batch", "learning_rate", "sparse", "dense", "checkpoint_every", "delta", "anneal",
        "snapshot_every", "turns",
    )  # fmt: skip
    chosen: dict[str, Any] = {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}
    if arranged.init is not None:
        chosen = {"anneal": 0.0, "init": asked.init, "init_sha256": arranged.init.sha256} | chosen
    config = TrainSelfPlay(
        game=asked.game, seat=arranged.seat, seed=asked.seed,
        opponents=tuple((one.name, one.sha256) for one in arranged.opponents), **chosen,
    )  # fmt: skip
    return Session(
        config=config,
        run=asked.run or Path("runs") / f"train-{asked.game.replace('/', '-')}-victim",
        agent=asked.agent or f"{asked.game}/victim",
        resume=asked.resume,
        # as it would be typed to train the agent anew
        command=shlex.join(word for word in command if word != "--resume"),
    )


def _judge(asked: "Victim", session: "Session", arranged: "Match") -> list[dict[str, Any]]:
    """Plays fresh games of every learner; what was played before is kept."""
    from rlattack.training.selfplay import part, rivals

    episodes = 1000 if asked.episodes is None else asked.episodes
    pairs = [_pairings(learner, rivals(session, arranged, learner)) for learner in arranged.learners]
    total = sum(_share(episodes, len(met)) * len(met) for met in pairs)
    shipped = {str(one.run / "agent"): one.agent for one in (part(session, arranged, it) for it in arranged.learners)}
    with StepBar(total, "episodes") as bar:
        games = Games(session.run, asked.game, bar, trust=asked.trust)
        return [
            _score(games, asked, part(session, arranged, learner), learner, met, _share(episodes, len(met)), shipped)
            for learner, met in zip(arranged.learners, pairs, strict=True)
        ]


def _pairings(learner: "Learner", opponents: list[str]) -> list[tuple[int, str]]:
    """Seats and opponents; who plays both seats is judged in both."""
    from rlattack.training.selfplay import BOTH

    return [(seat, one) for seat in ((0, 1) if learner.name == BOTH else (learner.seat,)) for one in opponents]


def _share(episodes: int, pairings: int) -> int:
    """Episodes of each pairing: as many of each, at least one."""
    return max(1, episodes // pairings)


def _score(
    games: Games, asked: "Victim", session: "Session", learner: "Learner", met: list[tuple[int, str]], episodes: int,
    shipped: dict[str, str],
) -> dict[str, Any]:  # fmt: skip
    """Win, tie and loss over all pairings together, with Wilson intervals, and of each.

    Opponents that ship as well, by their folders in the run, are named as they will be.
    """
    from rlattack.evaluation.statistics import wilson

    agent, seed = str(session.run / "agent"), _EVALUATION_SEED + asked.seed
    found = [games(agent, one, seat, episodes, seed, f"evaluating {learner.name}") for seat, one in met]
    total = episodes * len(met)
    score: dict[str, Any] = {}
    for outcome in ("win", "tie", "loss"):
        count = round(sum(one[outcome]["rate"] for one in found) * episodes)
        interval = wilson(count, total)
        score[outcome] = {"rate": count / total, "ci": [interval.low, interval.high]}
    against = [
        {"opponent": shipped.get(one, one), "seat": seat, "win": result["win"]["rate"], "tie": result["tie"]["rate"]}
        for (seat, one), result in zip(met, found, strict=True)
    ]
    pairs = [(session.agent, shipped.get(one, one))[:: 1 if seat == 0 else -1] for seat, one in met]
    again = [
        ["rlattack", "duel", asked.game, "--players", *pair, "--episodes", str(episodes), "--seed", str(seed)]
        for pair in pairs
    ]
    return score | {
        "episodes": total, "seed": seed, "actions": found[0]["actions"], "against": against,
        "command": " && ".join(map(shlex.join, again)),
    }  # fmt: skip


def _note(seat: str, win: float | None) -> str:
    return seat + ("" if win is None else f", win rate {win:.2f}")
