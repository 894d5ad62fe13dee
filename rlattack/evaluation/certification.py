"""The study that certifies a victim: certificates look on at clean and attacked play of every size."""

import dataclasses
from collections.abc import Sequence

from gymnasium.spaces import Discrete

from rlattack.budget import Budget
from rlattack.defences.certificates.region import NORMS
from rlattack.errors import InvalidInput
from rlattack.evaluation.seats import free_entries
from rlattack.evaluation.smoothed import SMOOTH
from rlattack.evaluation.study import Options, Study
from rlattack.games import find_game, make_game, with_variant
from rlattack.games.game import Seat
from rlattack.policies.load import agent_options

_DISCRETE = ("pgd:loss=margin,steps=20,restarts=2", "gwc")
_SEVERAL = ("pgd:steps=20,restarts=2",)
"""Of several choices at once, and of continuous actions."""
_NOISED = "pgd"
"""Of whoever acts behind noise."""


def certification(options: Options, victims: Sequence[str], methods: Sequence[str], looks: str = "") -> Study:
    """A study of greedy play with a certificate of every size, and the attacks that stand beside it.

    Args:
        options: What a command has; without attacks, those that fit the actions.
        victims: Who is certified.
        methods: By which bounds.
        looks: More parameters of the observer `certified`.

    Raises:
        InvalidInput: No size, or actions that are drawn.
    """
    sizes = options.eps if isinstance(options.eps, Sequence) else (options.eps,)
    if not sizes:
        raise InvalidInput("--eps: expected at least one size to certify, as in --eps 0.001 0.004")
    if options.actions == "sampled":
        raise InvalidInput("--actions: certificates are of greedy actions, got sampled")
    if options.norm not in NORMS:
        raise InvalidInput(f"--norm: certificates are of {', '.join(NORMS)}, got {options.norm}")
    for eps in sizes:
        Budget(norm=options.norm, eps=eps, space=options.space)  # which refuses what is no size
    if options.defence and str(options.defence[0]).partition(":")[0] == SMOOTH:
        return _behind_noise(options, victims, sizes)
    seat = _seat(options, victims)
    attacks = options.attack or (_DISCRETE if isinstance(seat.action, Discrete) else _SEVERAL)
    free = ",".join(map(str, free_entries(options.free, options.keys, seat)))
    looks = ",".join([*[f'free="{free}"'] * bool(free), *[looks] * bool(looks)])
    looked = [
        f"certified:eps={eps!r},norm={options.norm},space={options.space},method={method}{',' if looks else ''}{looks}"
        for method in dict.fromkeys(methods) for eps in dict.fromkeys(sizes)
    ]  # fmt: skip
    return _looked_at(options, victims, attacks, looked)


def _behind_noise(options: Options, victims: Sequence[str], sizes: Sequence[float]) -> Study:
    """The same of victims behind the front `smooth`: radii of states and, of cut episodes, bounds of returns."""
    if options.norm != "l2":
        raise InvalidInput(f"--norm: what noise makes certain is counted in l2, got {options.norm}")
    looked = [f"smoothed:eps={eps!r},space={options.space}" for eps in dict.fromkeys(sizes)]
    if options.max_steps is not None:
        looked += [f"return-bound:eps={eps!r},steps={options.max_steps}" for eps in dict.fromkeys(sizes)]
    return _looked_at(options, victims, options.attack or (_NOISED,), looked)


def _looked_at(options: Options, victims: Sequence[str], attacks: Sequence[str], looked: Sequence[str]) -> Study:
    observe = (*options.observe, *looked)
    changed = dataclasses.replace(options, observe=observe, attack=tuple(attacks), actions="greedy")
    return Study.of(changed, players=(tuple(victims),))


def _seat(options: Options, victims: Sequence[str]) -> Seat:
    """The victims' seat."""
    asked = Study.of(options, players=(tuple(victims),)).options
    game = make_game(with_variant(find_game(options.game), options={**agent_options(victims[0]), **asked}), 1)
    game.close()
    return game.seats[-1]
