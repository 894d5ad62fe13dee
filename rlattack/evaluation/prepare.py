"""Fits: what attacks and fronts learn on tuning episodes before anything is measured, kept in the store by key."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from rlattack.attacks import SCHEDULES, Fitted
from rlattack.attacks.imitation import agreement_words, make_imitation
from rlattack.defences import FRONTS
from rlattack.defences.detectors import DETECTORS, check_learned, detector_name, fit_detector
from rlattack.device import on
from rlattack.draws import SharedDraws
from rlattack.errors import InvalidInput, RlattackError, said_by, told_by
from rlattack.evaluation.cell import AttackRef, Cell, DetectorRef
from rlattack.evaluation.code import check_code, foreign_code, front_code
from rlattack.evaluation.detecting import clean_play
from rlattack.evaluation.executor import Executor, Local, Say
from rlattack.evaluation.fits import pack_fit, read_fit, write_fit
from rlattack.evaluation.keys import digest
from rlattack.evaluation.study import EVERY
from rlattack.evaluation.tuning import TUNING, Tuned, Watched, before_front, tuning_of, watched
from rlattack.specs import Spec, canonical, parse_spec, split_spec

_PATIENCE = 5.0
"""Seconds between two lines that say how far a fit is."""


def fit_key(cell: Cell, ref: AttackRef) -> str:
    """Names what an attack learns: by the game, its players, the attack with its budget, and the run's seed."""
    named = dataclasses.replace(ref, fit=None, timing=None, schedule="")
    return digest({"tuning": tuning_of(cell).key, "attack": named.identity})


def timing_key(cell: Cell, ref: AttackRef) -> str:
    """Names what the schedule of an attack learns: the same for all attacks on that seat, crafted on one agent.

    It is the same for all shares of steps too, which are found in the same scores.
    """
    surrogate = ref.surrogate and ref.surrogate.played
    when = parse_spec("schedule", SCHEDULES, canonical("schedule", SCHEDULES, ref.schedule))
    same = SCHEDULES.get(when.name).unlearned
    learns = Spec(when.name, {name: value for name, value in when.parameters.items() if name not in same})
    return digest({"tuning": tuning_of(cell).key, "schedule": str(learns), "seat": ref.seat, "surrogate": surrogate})


def imitation_key(cell: Cell, surrogate: str, seat: int) -> str:
    """Names what a surrogate, by its one spelling, learns of whoever plays in that seat."""
    return digest({"tuning": tuning_of(cell).key, "surrogate": surrogate, "seat": seat})


def detector_ref(cell: Cell, name: str, seat: int) -> DetectorRef:
    """Names a detector of a seat, by its one spelling, and what it learns of clean play there."""
    kind = DETECTORS.get(parse_spec("detector", DETECTORS, name).name)
    code = foreign_code(kind)
    named = {"detector": detector_name(name, learned=True), "seat": seat, "code": code}
    return DetectorRef(name, seat, digest({"tuning": tuning_of(cell).key, **named}), code)


def evaded_ref(cell: Cell, ref: AttackRef) -> DetectorRef | None:
    """Names the detector that an attack evades, if any.

    Raises:
        UnknownName: No such detector or parameter.
        InvalidInput: A value that does not fit, or an attack that is crafted on another agent.
    """
    text = ref.spec.parameters.get("evade")
    if text is not None and ref.surrogate is not None:
        raise InvalidInput(f"attack {ref.spec}: evade= looks at the victim itself: leave --surrogate out")
    return None if text is None else detector_ref(cell, detector_name(text), ref.seat)


def front_key(cell: Cell, seat: int, number: int) -> str:
    """Names what a front of the player of a seat learns: by the play before it, the front, and the run's seed."""
    front = canonical("defence", FRONTS, cell.players[seat].fronts[number])
    tuning = before_front(cell, seat, number).key
    return digest({"tuning": tuning, "defence": front, "code": front_code(front), "seat": seat})


def fronted(cell: Cell) -> Cell:
    """The cell whose players' fronts have keys of what they learn in it, each after those before it."""
    for seat, player in enumerate(cell.players):
        learns = [FRONTS.get(split_spec(text, FRONTS)[0]).fitted for text in player.fronts]
        fits: tuple[str | None, ...] = ()
        for number, one in enumerate(learns if any(learns) else []):
            cell = _with_fits(cell, seat, fits)
            fits = (*fits, front_key(cell, seat, number) if one else None)
        cell = _with_fits(cell, seat, fits)
    return cell


def _with_fits(cell: Cell, seat: int, fits: tuple[str | None, ...]) -> Cell:
    players = list(cell.players)
    players[seat] = dataclasses.replace(players[seat], fits=fits)
    return dataclasses.replace(cell, players=tuple(players))


Learn = Callable[[Path, Say, Say], Fitted]


@dataclass(frozen=True)
class Lesson:
    """What is learned on tuning episodes before anything is measured.

    Attributes:
        key: Names what is learned.
        label: What learns, in a line.
        learn: Learns by the folder of fits; the first that hears is told what there is to say of it, the second how
            far it is.
    """

    key: str
    label: str
    learn: Learn

    def __call__(self, folder: Path, say: Say) -> bytes:
        """Learns, and gives what was learned as a file of a fit."""
        return pack_fit(self.key, self.learn(folder, say, _seldom(say, f"fitting {self.label}")))


def prepare(cells: Sequence[Cell], folder: Path, say: Say, executor: Executor | None = None) -> None:
    """Lets what cells need learn where a folder of fits does not have it, or has it damaged; says in a line what.

    Fronts are first, each after those before it, since all else learns of who plays behind them; then surrogates, since
    attacks and schedules learn by them; detectors before attacks, which may know them. What does not wait for another
    learns beside it.

    Args:
        cells: What is to be played.
        folder: Of fits.
        say: Told in a line what learns, and how far it is.
        executor: Where it learns; in this process by default.

    Raises:
        RlattackError: An attack or a player does not fit, or there is too little to learn from.
        Unwritable: The folder cannot be written.
    """
    for lessons in _courses(cells):
        missing = [lesson for lesson in lessons.values() if _is_missing(lesson, folder, say)]
        with contextlib.closing((executor or Local(1)).each(missing, cells, folder, say)) as learned:
            for number, content in learned:
                write_fit(folder, missing[number].key, content)
    evaded = (ref.evades for cell in cells for ref in cell.attacks if ref.evades is not None)
    for seen in dict.fromkeys((*(ref for cell in cells for ref in cell.detectors), *evaded)):
        check_learned(seen.spec, read_fit(folder, seen.fit))


def _is_missing(lesson: Lesson, folder: Path, say: Say) -> bool:
    """Whether it is not there, or damaged; says that it is learned."""
    try:
        if read_fit(folder, lesson.key) is not None:
            return False
        say(f"fitting {lesson.label} on tuning episodes")
    except ValueError as error:
        say(f"fitting {lesson.label} again: {error}")
    return True


def _courses(cells: Sequence[Cell]) -> list[dict[str, Lesson]]:
    """What is to be learned, by key; those of one table wait for no other of it, only for the tables before."""
    fronts: dict[int, dict[str, Lesson]] = {}
    surrogates: dict[str, Lesson] = {}
    looking: dict[str, Lesson] = {}
    fits: dict[str, Lesson] = {}

    def add(to: dict[str, Lesson], key: str, label: str, learn: Learn) -> None:
        to[key] = Lesson(key, label, learn)

    for cell in cells:
        for seat, player in enumerate(cell.players):
            for number, key in enumerate(player.fits):
                if key is not None:
                    learn = partial(_fit_front, cell, seat, number)
                    add(fronts.setdefault(number, {}), key, player.fronts[number], learn)
        for ref in cell.attacks:
            if ref.surrogate is not None and ref.surrogate.learns:
                add(surrogates, ref.surrogate.identity, ref.surrogate.spec, partial(_imitate, cell, ref))
            if ref.timing is not None:
                add(looking, ref.timing, f"when {ref.schedule}", partial(_fit, cell, ref, True))
            if ref.fit is not None:  # what an attack learns is the same whenever it acts
                label = dataclasses.replace(ref, schedule=EVERY).label
                add(fits, ref.fit, label, partial(_fit, cell, ref, False))
        for seen in (*cell.detectors, *(ref.evades for ref in cell.attacks if ref.evades is not None)):
            add(looking, seen.fit, f"detector {seen.spec}", partial(_watch, cell, seen))
    return [*(fronts[number] for number in sorted(fronts)), surrogates, looking, fits]


def _fit_front(cell: Cell, seat: int, number: int, folder: Path, say: Say, far: Say) -> Fitted:
    """What a front learns of clean play, in one thread of this process, whatever the number of workers."""
    torch.set_num_threads(1)
    check_code(cell)
    with contextlib.closing(Watched(cell, seat, number, far, folder)) as watching, on(cell.device):
        front = watching.front
        own = type(front).__module__.startswith("rlattack.")
        with contextlib.nullcontext() if own else told_by(f"defence {front.name}: fails as it learns"):
            learned = front.fit(watching)
            if told := front.told(learned):
                say(f"{cell.players[seat].fronts[number]} {told}")
    return learned


def _imitate(cell: Cell, ref: AttackRef, folder: Path, say: Say, far: Say) -> Fitted:
    """What a surrogate learns of the player of a seat, which is told only what that one did."""
    torch.set_num_threads(1)
    check_code(cell)
    assert ref.surrogate is not None, "it is what learns"
    victim = watched(cell, ref.seat, folder)
    seat, draws = victim.game.seats[ref.seat], SharedDraws(1, (cell.seed + TUNING) % 2**63)
    with on(cell.device):
        learned = make_imitation(ref.surrogate.spec).fit(victim, cell.envs, seat, draws, far)
    say(f"{ref.surrogate.spec} {agreement_words(learned)}")
    return learned


def _watch(cell: Cell, ref: DetectorRef, folder: Path, say: Say, far: Say) -> Fitted:
    """What a detector learns of the clean play of a seat, in one thread of this process."""
    torch.set_num_threads(1)
    check_code(cell)
    with contextlib.closing(watched(cell, ref.seat, folder)) as opened, on(cell.device):
        play = partial(clean_play, opened, cell.envs)
        if not ref.code:
            return fit_detector(ref.spec, opened.game.seats[ref.seat], play, far)
        with told_by(f"detector {ref.spec}: fails as it learns"):
            return fit_detector(ref.spec, opened.game.seats[ref.seat], play, far)


def _fit(cell: Cell, ref: AttackRef, timing: bool, folder: Path, say: Say, far: Say) -> Fitted:
    """What an attack, or its schedule, learns in one thread of this process, whatever the number of workers."""
    torch.set_num_threads(1)
    check_code(cell)
    tuning = Tuned(cell, cell.attacks.index(ref), far, folder, timing=timing)
    try:
        with on(cell.device):
            learned = (tuning.schedule if timing else tuning.attack).fit(tuning)
        if not timing and (told := tuning.attack.told(learned)):
            say(f"attack {ref.spec.name} {told}")
        return learned
    except RlattackError:
        raise
    except (Exception, SystemExit) as error:
        if not (ref.code or isinstance(error, SystemExit)):
            raise
        raise InvalidInput(f"attack {ref.spec.name}: fails as it learns: {said_by(error)}") from error


def _seldom(say: Say, about: str) -> Say:
    """Says a line about something where the last one was said a while ago."""
    told = time.monotonic()

    def maybe(line: str) -> None:
        nonlocal told
        if time.monotonic() - told >= _PATIENCE:
            told = time.monotonic()
            say(f"{about}: {line}")

    return maybe
