"""Films and pictures of a run folder as a page holds them: inside it, as data."""

from dataclasses import dataclass
from pathlib import Path

from rlattack.evaluation.results import Result
from rlattack.report.clip import read_frames, render, still
from rlattack.report.comparison import Setting, at, attack_label, hidden, names, opponents, player
from rlattack.report.encoding import Film, data_url, find_film
from rlattack.report.findings import strongest, title
from rlattack.report.lines import BUDGET, lines
from rlattack.report.runs import RunRecord

_MOST_STILLS = 8
_MOST_FILMS = 6


@dataclass(frozen=True)
class Clip:
    """What a victim sees in an attacked episode.

    Attributes:
        returns: Of the attacked seat, over all episodes of the cell.
        factor: By how much the perturbation is magnified.
        step: The one that `still` shows.
        bars: Whether the victim's action distributions are shown, and not its continuous actions.
        film: Of the strongest attack alone.
    """

    title: str
    returns: str
    factor: str
    step: int
    steps: int
    still: str
    bars: bool
    film: Film | None = None


def clips(setting: Setting, run: RunRecord) -> list[Clip]:
    """The film of the strongest attack that has a clip, and one still a line of the others, strongest first."""
    actions = run.action_names(setting.first.game)
    noise = [
        cell
        for pairing in setting.pairings
        for line in lines(BUDGET, pairing.good)
        if line.control
        for cell in line.cells[::-1]
    ]
    shown: dict[tuple[object, ...], Clip] = {}
    for cell in [*strongest(setting), *noise]:
        kind = (attack_label(cell), *cell.spaces, *(seat.player for seat in cell.seats), cell.mask)
        path = run.folder / "clips" / f"{cell.cell}.npz"
        if kind not in shown and len(shown) <= _MOST_STILLS and path.is_file():
            shown[kind] = _clip(cell, path, actions, filmed=not shown)
    return list(shown.values())


def films(setting: Setting, run: RunRecord) -> list[tuple[str, Film]]:
    """Episode 0 of some cells with what it shows, those with the strongest opponents and attacks first."""

    def strength(cell: Result) -> tuple[bool, float]:  # nothing hidden above; then beaten most often, or paid least
        wins = None if setting.alone else cell.victim_seat.loss
        return cell.mask is None, -cell.attacked.returns.mean if wins is None else wins.rate

    shown: list[tuple[str, Film]] = []
    for cell in sorted(setting.good, key=strength, reverse=True):
        path = find_film(run.folder / "videos", cell.cell)
        if path is not None and len(shown) < _MOST_FILMS:
            shown.append((meeting(cell), Film(path.read_bytes(), path.suffix)))
    return shown


def meeting(cell: Result) -> str:
    """Who plays, what is hidden and attacked: `zero against runner; pgd at eps 0.2 on what the runner sees`."""
    words = []
    if len(cell.seats) > 1:
        words.append(f"{names(cell, opponents(cell), ' and ')} against {player(cell, cell.victim)}")
        words += filter(None, [hidden(cell, "")])
    if cell.attacks:
        words.append(f"{attack_label(cell)}{at(cell)}")
    return "; ".join(words) or "no attack"


def _clip(cell: Result, path: Path, actions: list[str] | None, *, filmed: bool) -> Clip:
    frames = read_frames(path)
    about = f"{title(cell)}{at(cell)}" if len(cell.seats) == 1 else meeting(cell)
    return Clip(
        title=about,
        returns=f"{cell.attacked.returns.mean:.4g}",
        factor=f"{frames.magnification:g}",
        step=frames.farthest + 1,
        steps=len(frames.clean),
        still=data_url(still(frames, actions, frames.farthest), "image/png"),
        bars=frames.probabilities is not None,
        film=render(frames, actions) if filmed else None,
    )
