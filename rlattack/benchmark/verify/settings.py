"""Whether results.json says of a cell what its ledger says was played, and of an agent what its card says."""

from collections.abc import Mapping, Sequence
from typing import Any

from rlattack.benchmark.verify.account import Account
from rlattack.benchmark.verify.figures import same
from rlattack.benchmark.verify.reaches import CONTROLS
from rlattack.evaluation.results import AttackResult, Result
from rlattack.policies.claim import claim_of
from rlattack.policies.load import Agent

_AS_PLAYED = {"eps": "eps", "space": "space", "grid": "grid", "free": "free", "reach": "norm"}
"""Fields of a result's attack, and of the budget that was played."""


def unlike_account(result: Result, account: Account, radii: Sequence[float | None]) -> list[str]:
    """What a result says otherwise than was played.

    Args:
        result: As results.json has it.
        account: What its ledger says.
        radii: What the budget of each attack allows, as far as that was found.
    """
    told, played = account.about, account.identity
    victim = told["victim"]
    expected: dict[str, tuple[object, object]] = {
        "game": (result.game, played["game"]["id"]), "seed": (result.seed, played["seed"]),
        "victim": (result.victim, victim), "actions": (result.actions, played["actions"][victim]),
        "sticky": (result.sticky, played["game"]["sticky"]),
        "seats": ([seat.name for seat in result.seats], list(told["seats"])),
        "players": ([seat.player for seat in result.seats], [one["name"] for one in told["players"]]),
        "defence": (result.defence, " + ".join(told["players"][victim]["fronts"]) or None),
        "mask": (None if result.mask is None else result.mask.seat, _hidden(account)),
        "roles": (
            [seat.role for seat in result.seats],
            ["victim" if number == victim else "opponent" for number in range(len(told["seats"]))],
        ),
        "device": (result.device.partition(" ")[0], told["device"]),
        "attacks": (len(result.attacks), len(played["attacks"])),
    }  # fmt: skip
    problems = [
        f"{name}: {was} in results.json, {now} was played" for name, (was, now) in expected.items() if was != now
    ]
    problems += _win_rule(result, account)
    for number, said in enumerate(result.attacks[: len(played["attacks"])]):
        radius = radii[number] if number < len(radii) else None
        problems += _attack(said, played["attacks"][number], told["attacks"][number], told["seats"], radius)
    return problems


def unlike_card(result: Result, agent: Agent) -> list[str]:
    """What a result says otherwise of its victim than the card of that agent does."""
    problems = []
    if not same(result.claim, claim_of(agent.card)):
        problems.append("claim: another one than the agent's card makes")
    if result.published is not None and agent.published is not None:
        said = (result.published.mean, result.published.deviation)
        if not same(said, (agent.published.mean, agent.published.deviation)):
            problems.append(f"published: {said[0]:g} in results.json, {agent.published.mean:g} on the agent's card")
    return problems


def _hidden(account: Account) -> str | None:
    return next((account.seats[seat] for seat, _ in account.game.hidden), None)


def _win_rule(result: Result, account: Account) -> list[str]:
    """What is wrong with the rule of who has won: the game's own, or that of its card here."""
    by_game = any(seat.outcome is not None for one in account.episodes for seat in one.seats)
    win = account.game.card.win
    expected = ("game", None) if by_game else None if win is None else (win.rule, win.score)
    said = None if result.win_rule is None else (result.win_rule.rule, result.win_rule.threshold)
    return [] if said == expected else [f"win_rule: {said} in results.json, {expected} by the game's card"]


def _attack(
    said: AttackResult, played: Mapping[str, Any], told: Mapping[str, Any], seats: Sequence[str], radius: float | None
) -> list[str]:
    budget, parameters = played["budget"], played["spec"]["parameters"]
    expected: dict[str, tuple[object, object]] = {
        "attack": (said.name, played["spec"]["name"]), "seat": (said.seat, seats[played["seat"]]),
        "model": (said.model, played["model"]), "schedule": (said.schedule, told["schedule"]),
        "schedule's kind": (said.schedule.partition(":")[0], played["schedule"].partition(":")[0]),
        "access": (said.access, told["access"]), "control": (said.control, played["spec"]["name"] in CONTROLS),
        "fit": (said.fit, played["fit"]), "surrogate": (said.surrogate is None, played["surrogate"] is None),
        **{name: (getattr(said, name), budget[other]) for name, other in _AS_PLAYED.items()},
        "parameters": (
            {name: said.parameters[name] for name in said.parameters},
            {name: parameters.get(name) for name in said.parameters},
        ),
    }  # fmt: skip
    expected |= {} if radius is None else {"radius": (said.radius, radius)}
    return [
        f"{said.name} {name}: {was} in results.json, {now} was played"
        for name, (was, now) in expected.items()
        if not same(was, now) and not (name == "parameters" and _digested(was, now, played))
    ]


def _digested(was: Any, now: Any, played: Mapping[str, Any]) -> bool:
    """Whether parameters differ only where files stand for themselves by their digests."""
    files = {name.rpartition(" ")[2] for name, _ in played["files"]}
    return all(same(was[name], now[name]) for name in was if name not in files)
