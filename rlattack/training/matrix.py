"""Several defences, each trained into an agent of its own, and the attacks that all of them meet in the end.

After Kang et al. 2019: who is trained against one kind of attack is tested against others.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rlattack.attacks import ATTACKS
from rlattack.errors import InvalidInput, RlattackError, RunConflict
from rlattack.evaluation.asked import Asked, read_attacks
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.evaluator import Results, evaluate
from rlattack.evaluation.plan import Plan, plan, together
from rlattack.registry import plug
from rlattack.training.defended import Room
from rlattack.training.recipes import TrainMatrix
from rlattack.training.run import check_place
from rlattack.training.start import train
from rlattack.training.watch import Watch

_SEED = 2000
"""Run seed of the attacks at the end: of other episodes than those that chose agents and those on their cards."""
_FOLDER = "matrix"


def train_matrix(recipe: TrainMatrix, watch: Watch | None = None, command: str = "") -> Results:
    """Trains an agent by each defence, or goes on with them; then lets all, and an undefended one, meet all attacks.

    Args:
        recipe: What to train, and against what.
        watch: Hears how it comes along, and which attack a victim cannot have.
        command: Of the whole; the agents' cards name the commands of their own trainings.

    Raises:
        RunConflict: The run folder holds another training, or this one and `resume` was not asked for.
        InvalidInput: A defence or an attack that does not fit the game, or the place of an agent is taken.
        KeyboardInterrupt: Ctrl-C; what was trained is kept.
    """
    watch = watch or Watch()
    fronts = _check(recipe, watch)
    trainings = recipe.trainings
    for number, (name, one) in enumerate(trainings.items(), start=1):
        watch.note(f"training {name}, {number} of {len(trainings)}")
        train(one, watch)
    beside = {} if recipe.victim is None else {recipe.victim: ()}
    planned = _plan(recipe, beside | {one.id: fronts[name] for name, one in trainings.items()}, watch)
    if planned.note:
        watch.note(planned.note)
    played, total = itertools.count(1), sum(cell.episodes for cell in planned.cells)

    def see(episode: Episode, kept: bool) -> None:
        watch.episodes(next(played), total, "all meet all attacks", kept)

    return evaluate(planned, run=recipe.folder / _FOLDER, watch=see, say=watch.note, command=command)


def _plan(recipe: TrainMatrix, victims: Mapping[str, Sequence[str]], watch: Watch) -> Plan:
    """What is to be played of victims, each behind the fronts that belong to it; what does not fit one is told."""
    found = []
    for victim, fronts in victims.items():
        for text, (asked,) in ((text, read_attacks([text])) for text in recipe.against):
            study = recipe.study(victim, "", fronts, episodes=recipe.episodes, seed=_SEED)
            try:
                found.append(plan(replace(study, attack=(text,), eps=_sizes(recipe, asked))))
            except RlattackError as error:
                watch.note(f"{text} is not played on {victim}: {error}")
    if not found:
        raise InvalidInput(f"--against {' '.join(recipe.against)}: no victim can be attacked by any of these")
    return together(found)


def _sizes(recipe: TrainMatrix, asked: Asked) -> tuple[float, ...]:
    """The size at which an attack plays that has none of its own, and is no natural change with standard ones.

    Raises:
        InvalidInput: There is none.
    """
    kinds = [ATTACKS.get(spec.name) for spec in asked.specs if not asked.all_natural]
    if asked.sizes or asked.own or not any(kind.sized for kind in kinds) or (len(kinds) == 1 and kinds[0].standard):
        return ()
    if asked.on_balls and recipe.eps is not None:
        return (recipe.eps,)
    name = asked.specs[0].name
    raise InvalidInput(f"--against {name}: expected a size, as {name}:eps=..." + ", or --eps" * asked.on_balls)


def _check(recipe: TrainMatrix, watch: Watch) -> dict[str, Sequence[str]]:
    """Refuses what cannot work before hours of training; the fronts of each training's agent, by its name."""
    plug(recipe.plugin)
    for text in recipe.against:
        if not (asked := read_attacks([text])):
            raise InvalidInput(f"--against {text}: expected an attack; the clean game always runs")
        _sizes(recipe, asked[0])
    begun = any(recipe.folder.glob("*/config.json"))
    if begun and not recipe.resume:
        raise RunConflict(f"--run {recipe.folder}: holds a training run; add --resume to go on, or choose another")
    if recipe.resume and not begun:
        raise InvalidInput(f"--resume: {recipe.folder} holds no training run; leave it out to start one")
    fronts = {}
    for name, one in recipe.trainings.items():
        check_place(one.id, one.folder, f"{recipe.game}/{recipe.name}")
        room = Room(one, "")
        fronts[name] = room.regime.fronts(room.ground)
    if recipe.victim is not None:
        _plan(recipe, {recipe.victim: ()}, watch)
    return fronts
