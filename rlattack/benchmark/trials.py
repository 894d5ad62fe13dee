"""Counterexamples on trial: whom of a grid each is about, what is played of it, and what came of that."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlattack.benchmark.board import Challenge
from rlattack.benchmark.counterexample import PERTURBATIONS, Counterexample, play_digest, read_counterexample
from rlattack.benchmark.hits import Tried
from rlattack.benchmark.play import Watch, play_grid, verified
from rlattack.benchmark.program import Entrant, Program
from rlattack.budget.words import size_words
from rlattack.errors import InvalidInput, RlattackError
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.keys import digest
from rlattack.evaluation.plan import Plan, plan
from rlattack.evaluation.study import EVERY, Study

Say = Callable[[str], None]


@dataclass(frozen=True)
class Trial:
    """A counterexample beside the agent of a grid that it is about.

    Attributes:
        counterexample: What was sent.
        recorded: Whether it is perturbations, which are replayed on seeds of its own.
        agent: Name of the agent in the grid.
        contender: Name of the contender that the agent belongs to.
        runs: What is played, by the name of the run folder; several of an adversary where the grid has several seeds.
    """

    counterexample: Counterexample
    recorded: bool
    agent: str
    contender: str
    runs: dict[str, Plan]

    def challenge(self, pairs: Sequence[tuple[str, str]]) -> Challenge:
        """What a leaderboard keeps of it, with the keys of its cells, each beside its clean one."""
        told = self.counterexample
        return Challenge(
            game=told.game, contender=self.contender, agent=self.agent, attack=told.attack, authors=told.authors,
            source=told.source, eps=told.claim.eps, stated=told.claim.mean, recorded=self.recorded,
            attacked=tuple(key for key, _ in pairs), clean=tuple(key for _, key in pairs), runs=tuple(self.runs),
        )  # fmt: skip

    @property
    def words(self) -> str:
        """What is tried, in a line."""
        told, claim = self.counterexample, self.counterexample.claim
        by = f" by {told.authors}" if told.authors else ""
        size = size_words(claim.eps, claim.norm, claim.space)
        how = "perturbations are replayed" if self.recorded else "adversary plays"
        return f"counterexample{by} to {self.agent}, {told.attack} at {size}: its {how}; it states {claim.mean:.6g}"


def plan_trials(program: Program, folders: Sequence[Path]) -> list[Trial]:
    """Reads counterexamples and finds whom of a program each is about; plays nothing.

    Args:
        program: Who is compared, and in which protocol.
        folders: Of counterexamples.

    Raises:
        RlattackError: One that is damaged, holds what it may not, goes beyond the size that it claims, or is about
            nobody in the program.
    """
    return [_trial(program, folder) for folder in dict.fromkeys(folders)]


def try_all(
    trials: Sequence[Trial], program: Program, folder: Path, *, watch: Watch, workers: int | None = None,
    verify: bool = False, say: Say = lambda line: None, command: str = "",
) -> list[Tried]:  # fmt: skip
    """Plays trials in processes of this machine, each in run folders of its own beside those of the grid.

    Args:
        trials: What to play.
        program: The grid's, which they are beside.
        folder: Of the grid.
        watch: Shows a run.
        workers: Processes; one a core by default. Changes no result.
        verify: Whether they are verified from their ledgers.
        say: Told in a line what is waited for, damaged or verified.
        command: Kept in each `config.json`.

    Raises:
        RlattackError: A player or an attack that fails; what was finished is kept.
    """
    found = []
    for trial in trials:
        own = dataclasses.replace(program, runs=trial.runs)
        played = play_grid(own, folder, watch=watch, workers=workers, say=say, command=command)
        pairs = [(cell.key, cell.clean.key) for cell in own.cells if cell.attacks and not cell.control]
        checked = verified(own, folder, say) if verify else None
        found.append(
            Tried(
                trial.challenge(pairs), tuple(played[key] for key, _ in pairs), tuple(played[key] for _, key in pairs),
                None if checked is None else all({*pair} <= checked for pair in pairs),
            )
        )  # fmt: skip
    return found


def _trial(program: Program, folder: Path) -> Trial:
    """Finds the agent that a counterexample is about, and plans what is played of it."""
    told, where = read_counterexample(folder), f"--against {folder}"
    own = [(entrant, name, cells) for entrant, name, cells in _agents(program) if _is_about(told, cells)]
    if not own:
        raise InvalidInput(
            f"{where}: is about {told.victim} in {told.game} (identity {told.identity[:12]}), and the grid has no such "
            "agent; name it by --victim"
        )
    fits = [(entrant, name, cells) for entrant, name, cells in own if told.play in map(play_digest, cells)]
    if not fits:
        raise InvalidInput(f"{where}: {_unlike(told, own[0][2][0])}")
    met = [(entrant, name) for entrant, name, cells in fits if any(_allows(cell, told) for cell in cells)]
    if not met:
        size = size_words(told.claim.eps, told.claim.norm, told.claim.space)
        raise InvalidInput(f"{where}: {size}, and the grid attacks {fits[0][1]} at no such size or a larger one")
    entrant, name = met[0]
    recorded = (folder / PERTURBATIONS).is_file()
    studies = dict.fromkeys(_study(told, folder, one, recorded) for one in entrant.contender.studies[name])
    try:
        plans = [one for one in map(plan, studies) if told.play in map(play_digest, one.cells)]
    except RlattackError as error:
        raise InvalidInput(f"{where}: {error}") from error
    named = {f"counterexample-{digest([cell.key for cell in one.cells])[:8]}": one for one in plans}
    return Trial(told, recorded, name, entrant.contender.name, named)


def _agents(program: Program) -> Iterator[tuple[Entrant, str, tuple[Cell, ...]]]:
    for entrant in program.entrants:
        for name, cells in entrant.cells.items():
            yield entrant, name, cells


def _is_about(told: Counterexample, cells: Sequence[Cell]) -> bool:
    first = cells[0]
    return first.game.card.id == told.game and [one.identity for one in first.players] == [told.identity]


def _allows(cell: Cell, told: Counterexample) -> bool:
    """Whether the attack of a cell may do at least as much as a counterexample does."""
    if cell.control or len(cell.attacks) != 1:
        return False
    ref, claim = cell.attacks[0], told.claim
    same = (ref.budget.norm, ref.budget.space, ref.schedule) == (claim.norm, claim.space, EVERY)
    return same and ref.budget.eps is not None and ref.budget.eps >= claim.eps


def _unlike(told: Counterexample, cell: Cell) -> str:
    """What differs between the play of a counterexample and that of the grid."""
    pairs = {
        "actions": (told.actions, cell.actions[0]), "sticky": (told.sticky, cell.game.card.protocol.sticky),
        "defence": (" + ".join(told.defence) or "none", " + ".join(cell.players[0].fronts) or "none"),
    }  # fmt: skip
    apart = [f"{name} {was}, and the grid {name} {now}" for name, (was, now) in pairs.items() if was != now]
    return f"plays {apart[0] if apart else 'another game or agent than the grid: its options or versions differ'}"


def _study(told: Counterexample, folder: Path, study: Study, recorded: bool) -> Study:
    """What the grid would have played, had it known the attack: within all that it allows."""
    claim = told.claim
    changes = {
        "attack": (str(told.spec(folder)),), "eps": (claim.eps,), "norm": claim.norm, "space": claim.space,
        "when": (EVERY,), "surrogate": (), "detect": (),
    }  # fmt: skip
    own = {"seed": told.seed, "episodes": told.episodes, "envs": told.envs} if recorded else {}
    return dataclasses.replace(study, **changes, **own)  # type: ignore[arg-type]  # fields of a study
