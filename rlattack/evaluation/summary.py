"""From the episodes of a cell to its result: rates, returns, drops, sizes and effort, a seat at a time."""

import functools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from rlattack.arrays import FloatArray
from rlattack.attacks import ATTACKS
from rlattack.attacks.ensemble import Ensemble
from rlattack.evaluation.cell import AttackRef, Cell
from rlattack.evaluation.certified import broken as certificates_broken
from rlattack.evaluation.detection import detections
from rlattack.evaluation.episode import CUT, Episode, SeatEpisode, a_step
from rlattack.evaluation.observers import over_all
from rlattack.evaluation.results import (
    UNSTABLE,
    AttackResult,
    Drop,
    FrontResult,
    MaskResult,
    Mean,
    Rate,
    Result,
    ScoreResult,
    SeatResult,
    WinRule,
)
from rlattack.evaluation.statistics import bca, iqm, paired_rates, wilson
from rlattack.games.card import Outcome
from rlattack.specs import configured


def outcome(cell: Cell, seat: SeatEpisode) -> Outcome | None:
    """Who has won, by the game's own rules or else by the rule of its card; None where there is neither."""
    win = cell.game.card.win
    return seat.outcome if seat.outcome is not None or win is None else win.outcome(seat.score)


def summarise(
    cell: Cell, episodes: Sequence[Episode], clean: Sequence[Episode], radii: Sequence[float], seconds: float,
    notes: Sequence[str] = (), facts: Sequence[Mapping[str, Any]] = (),
    fronts: Mapping[str, Mapping[str, Any]] | None = None,
) -> Result:  # fmt: skip
    """Builds the result of a cell.

    Args:
        cell: What was played.
        episodes: Its episodes, in order.
        clean: The same episodes without an attack, in order.
        radii: What the budget of each attack allows, in its norm; infinite without a size.
        seconds: Spent by all workers together.
        notes: What each attack says of its parameters there.
        facts: What each attack learned on tuning episodes, as far as it is facts.
        fronts: The same of the victim's fronts, by the key of what they learned.
    """
    steps = sum(episode.length for episode in episodes)
    endings = Counter(episode.ending for episode in episodes)
    return Result(
        cell=cell.key,
        status=_status(episodes),
        game=cell.game.card.id,
        victim=cell.victim,
        seats=tuple(_seat(cell, number, episodes, clean) for number in range(len(cell.seats))),
        attacks=_attacks(cell, radii, notes, facts),
        mask=next((MaskResult(cell.seats[seat], mode) for seat, mode in cell.game.hidden), None),
        win_rule=_win_rule(cell, episodes),
        actions=cell.actions[cell.victim],
        sticky=cell.game.card.protocol.sticky,
        device=_device(cell),
        defence=" + ".join(cell.players[cell.victim].fronts) or None,
        fronts=_fronts(cell, fronts or {}),
        claim=cell.players[cell.victim].claim,
        published=None if cell.attacks else _published(cell, episodes),
        seed=cell.seed,
        episodes=len(episodes),
        length=_mean(np.asarray([float(episode.length) for episode in episodes])),
        endings=dict(sorted(endings.items())),
        distinct=len({episode.trajectory for episode in episodes}),
        stalled=sum(episode.stalled for episode in episodes),
        truncated=sum(episode.truncated for episode in episodes),
        unstable=endings[UNSTABLE],
        steps=steps,
        steps_per_second=round(steps / seconds, 1) if seconds > 0 else None,
    )


def _attacks(
    cell: Cell, radii: Sequence[float], notes: Sequence[str], facts: Sequence[Mapping[str, Any]]
) -> tuple[AttackResult, ...]:
    told, learned = notes or [""] * len(radii), facts or [{}] * len(radii)
    return tuple(_attack(cell, *one) for one in zip(cell.attacks, radii, told, learned, strict=True))


def _fronts(cell: Cell, facts: Mapping[str, Mapping[str, Any]]) -> tuple[FrontResult, ...]:
    player = cell.players[cell.victim]
    fits = player.fits or (None,) * len(player.fronts)
    pairs = zip(player.fronts, fits, strict=True)
    return tuple(FrontResult(name, fit, dict(facts.get(fit or "", {}))) for name, fit in pairs)


def _status(episodes: Sequence[Episode]) -> str:
    judged = [seat.judged for episode in episodes for seat in episode.seats if seat.judged is not None]
    broken, steps = sum(one.broken for one in judged), sum(one.steps for one in judged)
    wrong = sum(certificates_broken(seat.measured) for episode in episodes for seat in episode.seats)
    if broken:  # what it did beyond, says nothing of a certificate
        return f"failed: the attack left its budget in {broken} of {steps} steps"
    if wrong:
        return f"failed: an attack changed {wrong:.0f} actions that were certified: the certificate is wrong"
    return "ok"


def _published(cell: Cell, episodes: Sequence[Episode]) -> ScoreResult | None:
    """What is stated of the victim, where it plays alone, behind no other fronts and to the end."""
    player = cell.players[cell.victim]
    said, cut = player.published, any(episode.ending == CUT for episode in episodes)
    if said is None or len(cell.players) > 1 or cut or said.sticky not in (None, _sticky(cell)):
        return None
    if player.fronts and player.fronts != said.fronts:
        return None
    returns = _mean(_scores([episode.seats[cell.victim] for episode in episodes]))
    if said.holds(*returns.ci):
        return ScoreResult(said.mean, said.deviation, said.source)
    mode = cell.actions[cell.victim]
    ways = ["--normaliser none leaves out its statistics"] * (player.normaliser == "none")
    ways += [f"that score is behind --defence {' '.join(said.fronts)}"] * (player.fronts != said.fronts)
    ways += [f"that score is of {said.actions} actions: --actions {said.actions}"] * (said.actions not in ("", mode))
    way = "; ".join(ways) or "another version of the game, other wrappers, or missing statistics do that"
    note = (
        f"{player.name} scores {returns.mean:.4g} [{returns.ci[0]:.4g}, {returns.ci[1]:.4g}] clean, {said.source} says "
        f"{said.mean:.4g} (sd {said.deviation:.3g}): it does not play as it did there; {way}"
    )
    return ScoreResult(said.mean, said.deviation, said.source, note)


def _device(cell: Cell) -> str:
    return f"{cell.device} ({cell.code['device']})" if "device" in cell.code else cell.device


def _sticky(cell: Cell) -> float:
    return cell.game.card.protocol.sticky


def _win_rule(cell: Cell, episodes: Sequence[Episode]) -> WinRule | None:
    if any(seat.outcome is not None for episode in episodes for seat in episode.seats):
        return WinRule("game")
    win = cell.game.card.win
    return None if win is None else WinRule(win.rule, win.score)


def _seat(cell: Cell, number: int, episodes: Sequence[Episode], clean: Sequence[Episode]) -> SeatResult:
    own, before = ([episode.seats[number] for episode in of] for of in (episodes, clean))
    scores, outcomes = _scores(own), _outcomes(cell, own)
    rates = {kind: _rate(outcomes, kind) for kind in ("win", "tie", "loss")} if outcomes else {}
    judged = [seat.judged for seat in own if seat.judged is not None]
    return SeatResult(
        name=cell.seats[number],
        player=cell.players[number].name,
        role="victim" if number == cell.victim else "opponent",
        returns=_mean(scores, middle=True),
        win=rates.get("win"),
        tie=rates.get("tie"),
        loss=rates.get("loss"),
        drop=_drop(cell, before, own) if judged else None,
        **({} if not judged else a_step(judged)),  # type: ignore[arg-type]  # fields of `SeatResult`
        observed=_observed(own) | _over_all(cell, number, episodes),
        detection=detections(cell, number, own, before),
    )


def _observed(own: Sequence[SeatEpisode]) -> dict[str, Mean]:
    """Means of what was measured in all episodes, as far as an episode had any."""
    names = set(own[0].measured).intersection(*(seat.measured for seat in own))  # more episodes may measure less
    found = {name: [seat.measured[name] for seat in own] for name in sorted(names)}
    there = {
        name: [value for value in values if value is not None]
        for name, values in found.items()
        if not name.startswith("_")
    }
    return {name: _mean(np.asarray(values)) for name, values in there.items() if values}


def _over_all(cell: Cell, number: int, episodes: Sequence[Episode]) -> dict[str, Mean]:
    """What observers of the victim say of all episodes together."""
    if number != cell.victim or not cell.observers:
        return {}
    own, lengths = [episode.seats[number] for episode in episodes], [episode.length for episode in episodes]
    return over_all(cell.observers, own, lengths)


def _outcomes(cell: Cell, own: Sequence[SeatEpisode]) -> list[Outcome]:
    """Who has won, an episode each; none where nothing says so. What was cut before the rules decided it is a tie."""
    found = [outcome(cell, seat) for seat in own]
    return [one or "tie" for one in found] if any(found) else []


def _drop(cell: Cell, before: Sequence[SeatEpisode], after: Sequence[SeatEpisode]) -> Drop:
    returns = _mean(_scores(before) - _scores(after))
    first, second = (
        np.asarray([outcome(cell, seat) == "win" for seat in of], dtype=np.float64) for of in (before, after)
    )
    if not (_outcomes(cell, before) or _outcomes(cell, after)):
        return Drop(returns)
    return Drop(returns, Rate(float(first.mean() - second.mean()), paired_rates(first, second)))


def _attack(cell: Cell, ref: AttackRef, radius: float, note: str, facts: Mapping[str, Any]) -> AttackResult:
    kind, budget, spec = ATTACKS.get(ref.spec.name), ref.budget, ref.spec
    knows = kind.knows(configured("attack", spec.name, kind, spec.parameters))
    return AttackResult(
        name=ref.spec.name,
        seat=cell.seats[ref.seat],
        access=ref.access,
        knowledge=knows if ref.surrogate is None else "decision" if ref.surrogate.learns else "none",
        control=ref.control,
        parameters=dict(ref.spec.parameters),
        reach=budget.norm,
        eps=budget.eps,
        radius=radius if math.isfinite(radius) else None,
        space=budget.space,
        model=ref.model,
        grid=budget.grid,
        free=budget.free,
        entries=ref.entries,
        schedule=ref.schedule,
        looks_ahead=ref.looks_ahead,
        surrogate=None if ref.surrogate is None else ref.surrogate.name,
        oblivious=cell.oblivious(ref),
        fit=ref.fit,
        note=note,
        ensemble=_ensembles().validate_python(facts["ensemble"]) if "ensemble" in facts else None,
    )


@functools.cache
def _ensembles() -> TypeAdapter[Ensemble]:
    return TypeAdapter(Ensemble)


def _scores(seats: Sequence[SeatEpisode]) -> FloatArray:
    return np.asarray([seat.score for seat in seats])


def _rate(outcomes: Sequence[Outcome], kind: Outcome) -> Rate:
    count, total = outcomes.count(kind), len(outcomes)
    return Rate(count / total, wilson(count, total))


def _mean(values: FloatArray, *, middle: bool = False) -> Mean:
    return Mean(float(values.mean()), bca(values), bool(np.ptp(values) == 0), iqm(values) if middle else None)
