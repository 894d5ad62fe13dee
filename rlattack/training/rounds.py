"""Defence and reattack in turns (Gleave et al. 2019, section 6), and the games in which all of it meets."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlattack.errors import InvalidInput, RunConflict
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.evaluator import Results, evaluate
from rlattack.evaluation.plan import plan
from rlattack.evaluation.study import Study
from rlattack.files import write_whole
from rlattack.policies.folder import find_agent, read_agent, read_agent_card, save_agent
from rlattack.training.match import Match, load_init, match_adversary, match_self_play
from rlattack.training.recipes import TrainRounds, names
from rlattack.training.run import check_place, read_options
from rlattack.training.start import train
from rlattack.training.watch import Watch

_MEETING_SEED = 2000
"""Run seed of the games at the end: others than those that chose adversaries and those on their cards."""


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """The games at the end of the rounds, in which every adversary meets every victim.

    Attributes:
        results: Of every pair of players.
        victims: Names in the order of the defences, the undefended one first.
        adversaries: Names; number i was trained against victim i.
    """

    results: Results
    victims: tuple[str, ...]
    adversaries: tuple[str, ...]


def train_rounds(recipe: TrainRounds, watch: Watch | None = None, command: str = "") -> Meeting:
    """Hardens a victim and attacks it anew, as often as asked, or goes on with it; then lets all meet.

    Args:
        recipe: What to train.
        watch: Hears how it comes along.
        command: Of the whole, for the games at the end; the agents' cards name the commands of their own trainings.

    Raises:
        RunConflict: The run folder holds another training, or this one and `resume` was not asked for.
        InvalidInput: Who is to play does not fit, or the place of an agent is taken.
        KeyboardInterrupt: Ctrl-C; what was trained is kept.
    """
    watch = watch or Watch()
    match = _check(recipe)
    (place,) = match.places
    seats, own = [seat.name for seat in place.game.seats], place.others[0]
    victims, adversaries = [recipe.victim], [recipe.adversary] if recipe.adversary is not None else []
    for turn in range(recipe.rounds + 1):
        if turn:
            watch.begin(f"victim-{turn}", turn, recipe.rounds)
            met = ",".join([*_population(recipe, adversaries), *names(recipe.opponents)])
            defence = recipe.defence(turn, init=victims[-1], opponents=met, seat=seats[own])
            train(defence, watch)
            victims.append(defence.id)
        if len(adversaries) <= turn:
            watch.begin(f"adversary-{turn}", turn, recipe.rounds)
            init = adversaries[-1] if recipe.reattack == "finetune" and adversaries else None
            attack = recipe.attack(turn, victim=victims[-1], init=init)
            train(attack, watch)
            adversaries.append(attack.id)
            if recipe.population == "seeds":
                _ship_seeds(recipe, turn)
    others = [*adversaries, *names(recipe.opponents)]
    players = [tuple(victims if seat == own else others) for seat in range(len(seats))]
    study = Study(
        game=recipe.game, players=tuple(players), victim=seats[own], episodes=recipe.episodes, seed=_MEETING_SEED,
        trust=recipe.trust,
    )  # fmt: skip
    planned, played = plan(study), itertools.count(1)
    total = sum(cell.episodes for cell in planned.cells)

    def see(episode: Episode, kept: bool) -> None:
        watch.episodes(next(played), total, "all meet", kept)

    results = evaluate(planned, run=recipe.folder / _meeting(recipe), watch=see, command=command)
    return Meeting(results=results, victims=tuple(victims), adversaries=tuple(adversaries))


def _population(recipe: TrainRounds, adversaries: Sequence[str]) -> list[str]:
    """The adversaries that the next victim meets, each once, the last one first."""
    if recipe.population == "last":
        return [adversaries[-1]]
    beside = _seeds(recipe, len(adversaries)) if recipe.population == "seeds" else {}
    shipped = [id_ for id_, folder in beside.items() if find_agent(id_) and (folder / "score.json").is_file()]
    return [*reversed(adversaries), *shipped]


def _seeds(recipe: TrainRounds, turns: int) -> dict[str, Path]:
    """Ids that the seeds of the first adversaries have beside the best of each, and where each was trained."""
    names = [f"adversary-{turn}" for turn in range(turns)]
    return {
        f"{recipe.id}/{name}-seed-{seed}": recipe.folder / name / f"seed-{seed}"
        for name in names
        for seed in recipe.seeds
    }


def _ship_seeds(recipe: TrainRounds, turn: int) -> None:
    """Writes the seeds of an adversary that were not given up, but the best, which is shipped, as agents."""
    folder = recipe.folder / f"adversary-{turn}"
    best = read_agent_card(folder / "agent").sha256
    cut = {row["seed"] for row in json.loads((folder / "seeds.json").read_text(encoding="utf-8")) if row["cut"]}
    for seed in recipe.seeds:
        card, network = read_agent(folder / f"seed-{seed}" / "agent")
        if seed not in cut and card.sha256 != best:
            write_whole(folder / f"seed-{seed}" / "score.json", json.dumps({"sha256": card.sha256}).encode())
            save_agent(Path("agents") / f"{recipe.id}/adversary-{turn}-seed-{seed}", card, network)


def _meeting(recipe: TrainRounds) -> str:
    """Name of the folder of the games at the end."""
    return f"duel-{recipe.rounds}"


def _check(recipe: TrainRounds) -> Match:
    """Refuses what cannot work before hours of training; returns how an adversary meets the victim."""
    match = match_adversary(recipe.attack(0))
    (place,) = match.places
    own = place.game.seats[place.others[0]]
    load_init(recipe.victim, own, match.card, "--victim")
    if recipe.adversary is not None and recipe.reattack == "finetune":
        load_init(recipe.adversary, place.game.seats[place.seat], match.card, "--adversary")
    if met := [found for found in (recipe.adversary, recipe.opponents) if found is not None]:
        match_self_play(recipe.defence(0, seat=own.name, opponents=",".join(met)))
    begun = any(recipe.folder.glob("*/config.json"))
    if begun and not recipe.resume:
        raise RunConflict(f"--run {recipe.folder}: holds a training run; add --resume to go on, or choose another")
    if recipe.resume and not begun:
        raise InvalidInput(f"--resume: {recipe.folder} holds no training run; leave it out to start one")
    for turn in range(recipe.rounds + 1):  # a victim's part of its run is its seat's
        parts = [("victim", own.name)] * (turn > 0) + [("adversary", "")] * (turn > 0 or recipe.adversary is None)
        for role, part in parts:
            check_place(f"{recipe.id}/{role}-{turn}", recipe.folder / f"{role}-{turn}" / part, recipe.game)
    for id_, folder in _seeds(recipe, recipe.rounds + 1).items() if recipe.population == "seeds" else ():
        check_place(id_, folder, recipe.game)
    _check_settled(recipe)
    return match


def _check_settled(recipe: TrainRounds) -> None:
    """Refuses to go on with a training that others of this run learned from already: they would have to be anew."""
    steps = recipe.adversary_steps or recipe.steps
    wanted: dict[str, dict[str, Any]] = {
        "victim": {"steps": recipe.steps},
        "adversary": {"steps": steps, "seeds": recipe.seeds, "cut": recipe.cut},
    }
    rounds = [f"{role}-{turn}" for turn in range(recipe.rounds + 1) for role in wanted]
    begun = [name for name in (*rounds, _meeting(recipe)) if (recipe.folder / name / "config.json").is_file()]
    for name, later in itertools.pairwise(begun):  # the last one may go on
        found, (role, _, _) = read_options(recipe.folder / name), name.partition("-")
        for option, value in wanted[role].items():
            if found.get(option) != (list(value) if isinstance(value, tuple) else value):
                flag = "adversary-steps" if (role, option) == ("adversary", "steps") else option
                raise RunConflict(
                    f"--{flag}: {recipe.folder / name} has {found.get(option)}, of which came {later}, got {value}; "
                    "choose another --run"
                )
