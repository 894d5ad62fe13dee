"""Counterexamples: what lowers an entry, in a folder that anybody replays before it counts.

It holds the perturbations of whole episodes, which need no attack to be given again, or an adversary that learned what
to show the victim.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from rlattack.attacks import ATTACKS, AttackSpec, parse_attack
from rlattack.attacks.recording import Recording, recording_bytes
from rlattack.benchmark.arrivals import played_again
from rlattack.benchmark.foreign import Form, check_stated, refuse_taken
from rlattack.budget import NORMS
from rlattack.errors import ContentError, InvalidInput, RefusedFile, RunConflict
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.estimates import Interval
from rlattack.evaluation.executor import Local
from rlattack.evaluation.keys import digest
from rlattack.evaluation.prepare import prepare
from rlattack.evaluation.results import Result
from rlattack.files import write_whole
from rlattack.games.table import parse_table
from rlattack.policies.archive import LARGEST
from rlattack.policies.folder import WEIGHTS, read_agent, read_agent_card
from rlattack.policies.load import agent_folder

SCHEMA = "rlattack/counterexample/1"
CARD, PERTURBATIONS, ADVERSARY = "counterexample.toml", "perturbations.npz", "adversary"
_FORM = Form(
    what="a counterexample", card=CARD, schema=SCHEMA, agent=ADVERSARY, largest=LARGEST,
    files=(CARD, PERTURBATIONS, f"{ADVERSARY}/agent.toml", f"{ADVERSARY}/{WEIGHTS}", "README.md", "LICENSE"),
    way_out="rlattack benchmark --counterexample RUN",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Left:
    """What the authors of a counterexample state that it left the victim.

    Attributes:
        eps: The size of its perturbations, per entry in units of `space`.
        mean: Mean return.
        low: Lower end of its 95 % interval.
        high: Upper end.
        norm: In which norm the size is.
        space: In which units.
    """

    eps: float
    mean: float
    low: float
    high: float
    norm: str = "linf"
    space: str = "unit"


@dataclass(frozen=True, kw_only=True)
class Counterexample:
    """A counterexample, as it was read or is to be written.

    Attributes:
        game: Id of the game.
        victim: What the victim was called.
        identity: Digest of the victim, as a leaderboard has it.
        play: Digest of all that decides play without an attack: game and its options, victim, fronts, actions.
        actions: How the victim chose.
        sticky: Probability that the emulator repeated an action.
        defence: Fronts that stood before the victim, in order.
        seed: Of the run.
        episodes: How many, from 0.
        envs: Episodes at once, by which networks round.
        attack: In words; of an adversary as `--attack` takes it, without its agent.
        licence: Of the perturbations or the adversary, an SPDX identifier as MIT.
        claim: What it left.
        authors: Who found it.
        source: Where it is described.
        sha256: Of the perturbations, or of the adversary's weights.
    """

    game: str
    victim: str
    identity: str
    play: str
    actions: str
    sticky: float = 0.0
    defence: tuple[str, ...] = ()
    seed: int
    episodes: int
    envs: int
    attack: str
    licence: str
    claim: Left
    authors: str = ""
    source: str = ""
    sha256: str = ""

    def spec(self, folder: Path) -> AttackSpec:
        """The attack that plays it from its folder.

        Raises:
            RlattackError: Its attack is none that plays an adversary.
        """
        if (folder / PERTURBATIONS).is_file():
            return AttackSpec("recorded", {"file": str(folder / PERTURBATIONS)})
        spec = parse_attack(self.attack)
        names = () if spec.name not in ATTACKS else ATTACKS.get(spec.name).adversaries
        if not names or any(spec.parameters.get(name) for name in names):
            raise ContentError(f"{folder / CARD}: attack: expected one that plays the adversary, got {self.attack!r}")
        return AttackSpec(spec.name, {names[0]: str(folder / ADVERSARY), **spec.parameters})


def play_digest(cell: Cell) -> str:
    """Names all that decides play in a cell without its attacks, on whatever seeds and by whatever versions.

    What fronts learn is left out: each run seed has tuning episodes of its own.
    """
    players = [dataclasses.replace(player, fits=()).played for player in cell.players]
    return digest({"game": cell.identity["game"], "players": players, "actions": cell.actions})


def write_counterexample(
    cell: Cell, result: Result, folder: Path, fits: Path, *, licence: str, authors: str = "", source: str = "",
    workers: int = 1, say: Callable[[str], None] = lambda line: None,
) -> Counterexample:  # fmt: skip
    """Makes a counterexample of a cell that was played: copies its adversary, or plays it again to keep what arrives.

    Args:
        cell: What was played.
        result: What came of it.
        folder: Where to.
        fits: Folder of what attacks learned; what is missing there is learned again.
        licence: Of what is written.
        authors: Who found it.
        source: Where it is described.
        workers: Processes; changes nothing.
        say: Told in a line what is played or learned.

    Raises:
        InvalidInput: A cell of which none can be made.
        RunConflict: Played again, it earns something else.
        ContentError: A place that is taken.
        Unwritable: The folder cannot be written.
    """
    refuse_taken(folder, "the counterexample")
    _check_cell(cell, result)
    ref, player, returns = cell.attacks[0], cell.players[0], result.victim_seat.returns
    adversary = next((name for name in ATTACKS.get(ref.spec.name).adversaries if ref.spec.parameters.get(name)), None)
    parameters = {name: value for name, value in ref.spec.parameters.items() if name != adversary}
    low, high = returns.ci
    made = Counterexample(
        game=cell.game.card.id, victim=player.name, identity=player.identity, play=play_digest(cell),
        actions=cell.actions[0], sticky=result.sticky, defence=player.fronts, seed=cell.seed, episodes=cell.episodes,
        envs=cell.envs, attack=str(AttackSpec(ref.spec.name, parameters)), licence=licence, authors=authors,
        source=source,
        claim=Left(
            eps=ref.budget.size, norm=ref.budget.norm, space=ref.budget.space, mean=returns.mean, low=low, high=high
        ),
    )  # fmt: skip
    _check(made, "--counterexample")
    if adversary is None:
        raw = _recorded(cell, returns.mean, returns.ci, fits, workers, say)
        write_whole(folder / PERTURBATIONS, raw)
        made = dataclasses.replace(made, sha256=hashlib.sha256(raw).hexdigest())
    else:
        made = dataclasses.replace(made, sha256=_copied(str(ref.spec.parameters[adversary]), folder / ADVERSARY))
    table = {name: value for name, value in dataclasses.asdict(made).items() if value not in ("", ())}
    write_whole(folder / CARD, tomli_w.dumps({"schema": SCHEMA, **table}).encode())
    return read_counterexample(folder)


def read_counterexample(folder: Path) -> Counterexample:
    """Reads a counterexample that may be anybody's; runs no code of it.

    Raises:
        ContentError: A card that does not hold what it must.
        RefusedFile: A file that does not belong there or lies elsewhere, or perturbations that are not those stated.
        InvalidInput: No licence, or a size that is none.
    """
    table, where = _FORM.read(folder), str(folder / CARD)
    claim = parse_table(Left, table.get("claim"), f"{where}: [claim]")
    found = parse_table(Counterexample, table | {"claim": claim}, where)
    _check(found, where)
    recorded, learned = (folder / PERTURBATIONS).is_file(), (folder / ADVERSARY).is_dir()
    if recorded == learned:
        raise ContentError(f"{folder}: expected {PERTURBATIONS} or the folder {ADVERSARY}, and not both")
    sha256 = _check_recording(folder, found) if recorded else read_agent(folder / ADVERSARY)[0].sha256
    if sha256 != found.sha256:
        raise RefusedFile(f"{folder}: what it holds has the sha256 {sha256[:12]}, it states {found.sha256[:12]}")
    found.spec(folder)
    return found


def _check_recording(folder: Path, found: Counterexample) -> str:
    recording = Recording.read(folder / PERTURBATIONS)
    if (recording.seed, recording.episodes) != (found.seed, tuple(range(found.episodes))):
        raise RefusedFile(
            f"{folder / PERTURBATIONS}: expected {found.episodes} episodes of seed {found.seed} from 0, got "
            f"{len(recording.episodes)} of seed {recording.seed}"
        )
    return recording.sha256


def _check(found: Counterexample, where: str) -> None:
    claim = found.claim
    check_stated(found.licence, "what it holds", claim.norm, claim.space, claim.eps, where)
    if found.seed < 0 or found.episodes < 1 or found.envs < 1:
        raise ContentError(f"{where}: expected a seed of 0 or more, and at least one of episodes and envs")


def _check_cell(cell: Cell, result: Result) -> None:
    """Refuses a cell that a leaderboard could not replay."""
    what = f"--counterexample: {cell.label}"
    if not result.ok:
        raise InvalidInput(f"{what}: {result.status}")
    if len(cell.players) > 1 or len(cell.attacks) > 1 or cell.attacks[0].spec.name == "recorded":
        raise InvalidInput(f"{what}: expected one attack of its own, in a game of one seat")
    ref = cell.attacks[0]
    if ref.budget.eps is None or ref.budget.norm not in NORMS or ref.access != "observation":
        raise InvalidInput(
            f"{what}: expected an attack on what is seen with an --eps in a norm, as entries claim one: "
            f"{', '.join(NORMS)}"
        )


def _recorded(
    cell: Cell, mean: float, ci: Interval, fits: Path, workers: int, say: Callable[[str], None]
) -> bytes:  # fmt: skip
    say(f"plays {cell.episodes} episodes again, to keep what arrives: {cell.label}")
    prepare([cell], fits, say, Local(workers))
    episodes, pages = played_again(cell, fits, workers)
    scores = [one.seats[0].score for one in episodes]
    again = sum(scores) / len(scores)
    if abs(again - mean) > 1e-9 * max(1.0, abs(mean)):
        raise RunConflict(
            f"--counterexample: played again, {cell.label} leaves {again:.6g}, and the run says {mean:.6g} "
            f"[{ci[0]:.6g}, {ci[1]:.6g}]: play the run again"
        )
    return recording_bytes(cell.seed, pages)


def _copied(agent: str, folder: Path) -> str:
    """Copies the adversary, an agent folder, and returns the digest of its weights."""
    place = agent_folder(agent)
    if place is None:
        raise InvalidInput(f"--counterexample: {agent}: expected an adversary that is an agent folder")
    read_agent_card(place)
    for file in ("agent.toml", WEIGHTS):
        write_whole(folder / file, (place / file).read_bytes())
    return read_agent(folder)[0].sha256
