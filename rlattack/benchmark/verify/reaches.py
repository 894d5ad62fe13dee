"""Measures anew, by what was shown and received, how far attacks went; knows reaches and no attack."""

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import Array, BoolArray
from rlattack.benchmark.verify.account import Account, region_of
from rlattack.budget import NORMS, Budget, Reach, World
from rlattack.budget.norms import LinfBall
from rlattack.draws import Streams, attack_seed
from rlattack.errors import BudgetError
from rlattack.games.game import Seat
from rlattack.policies.policy import Policy

_ROUNDING = 1e-5
"""By how much a size may differ when it is measured again, relative and absolute."""
_NOISE = ("noise",)
"""Controls that are a random direction as far as the budget goes, and nothing else."""
CONTROLS = ("action-noise", "direction", "gwc-noise", "noise", "random-patch", "random-world", "redraws")
"""All attacks that stand beside others without their wits."""
_AT_ONCE = 256
_LEVEL = 1.0
"""By how much more than a screen a frame of it may change: means of it are rounded to whole bytes."""
_UNTOLD = {
    "shared": ("windows of steps share a budget, and a ledger samples single steps", 2),
    "chance": ("in which steps chance struck stands in no ledger", 1),
}
"""Why sizes of a kind of reach are not measured anew, and how many it has."""


class Reaches:
    """The attacks of an account, by what they may do.

    Args:
        account: Of the cell.
        seats: Of the game.
        policies: Who holds each seat; None for who cannot be asked, and has no statistics to count sizes in.
    """

    def __init__(self, account: Account, seats: tuple[Seat, ...], policies: list[Policy | None]) -> None:
        self._account, self._seats, self._policies = account, seats, policies
        self.unlike: list[str] = []
        """What was measured otherwise, or is out of reach."""
        self.outside: list[str] = []
        """What was out of the range, or no whole byte."""
        self.skipped: dict[str, None] = {}
        """What cannot be measured anew, and why."""
        self.not_noise: list[str] = []
        """Where noise is not what the seed draws."""
        self.noise_drawn = False
        self.radii: list[float | None] = []
        """What the budget of each attack allows, in its norm; None where that is not known."""

    def measure(self) -> None:
        """Measures every sampled step of every seat."""
        for seat in range(len(self._seats)):
            on = [(number, one) for number, one in self._account.attacks if one["seat"] == seat]
            if any(self._access(number) in ("observation", "screen") for number, _ in on):
                self._check_range(seat)
            else:
                self._check_untouched(seat)
        places = dict.fromkeys(range(len(self._seats)), 0)
        for number, one in self._account.attacks:
            seat = int(one["seat"])
            places[seat] = self._measure(number, seat, places[seat])

    def _access(self, number: int) -> str:
        return str(self._account.about["attacks"][number]["access"])

    def _check_untouched(self, seat: int) -> None:
        acting = self._account.acting(seat)
        if not len(acting):
            return
        shown = self._account.array(f"shown.{seat}").astype(np.float32)
        other = (self._account.received(seat) != shown).reshape(len(acting), -1).any(axis=1) & acting
        self._say(self.unlike, other, f"{self._seats[seat].name} is not attacked, and received something else")

    def _check_range(self, seat: int) -> None:
        space, acting = self._seats[seat].observation, self._account.acting(seat)
        grids = [one["budget"]["grid"] for _, one in self._account.attacks if one["seat"] == seat]
        if not len(acting):
            return
        shown, received = self._account.array(f"shown.{seat}").astype(np.float32), self._account.received(seat)
        low, high = (np.asarray(getattr(space, end), dtype=np.float32) for end in ("low", "high"))
        wrong = (received < np.minimum(low, shown)) | (received > np.maximum(high, shown))
        self._say(self.outside, wrong.reshape(len(wrong), -1).any(axis=1) & acting, "received is out of the range")
        if any(grids):
            broken = (received != np.floor(received)).reshape(len(wrong), -1).any(axis=1) & acting
            self._say(self.outside, broken, "received is no whole byte")

    def _measure(self, number: int, seat: int, place: int) -> int:
        """Measures an attack; returns the place of the sizes of the next one on that seat."""
        told = self._account.attacks[number][1]
        norm, remembers = told["budget"]["norm"], "natural changes count from what was settled, which no ledger holds"
        if self._access(number) == "dynamics":
            return self._measure_world(number, seat, place)
        if norm not in (*NORMS, "patch", "mix"):
            why, count = _UNTOLD.get(norm, (remembers, 1))
            self.skipped[f"{norm}: {why}"] = None
            self.radii.append(None)
            return place + count
        try:
            reach = self._reach(number, seat)
        except BudgetError as error:
            self.skipped[str(error)] = None
            self.radii.append(None)
            return place + len(NORMS)
        self.radii.append(reach.radius if np.isfinite(reach.radius) else None)
        self._compare(number, seat, place, reach)
        on_screen = self._access(number) == "screen"
        if told["spec"]["name"] in _NOISE and told["schedule"] == "every" and norm != "patch" and not on_screen:
            self._draw_noise(number, seat, reach)
        return place + len(reach.names)

    def _measure_world(self, number: int, seat: int, place: int) -> int:
        """Compares worlds with the box that was played, in every step."""
        told, account = self._account.attacks[number][1], self._account
        region = region_of(told)
        values, acting = account.array(f"world.{seat}"), account.array(f"acting.{seat}")
        reach = World(told["budget"]["eps"], region.low, region.high, [one.usual for one in region.parameters])
        found = reach.measure(torch.as_tensor(values), reach.usual)
        said = account.array(f"sizes.{seat}")[:, place]
        if (acting & (np.abs(found.values[:, 0] - said) > _ROUNDING * (1 + np.abs(said)))).any():
            self.unlike.append(f"{told['spec']['name']}: other sizes of worlds are measured than the ledger says")
        if (acting & ~found.legal).any():
            self.unlike.append(f"{told['spec']['name']}: a world is out of the box")
        self.radii.append(reach.radius)
        return place + 1

    def _reach(self, number: int, seat: int) -> Reach:
        told = self._account.attacks[number][1]
        budget = Budget(**told["budget"])
        if self._access(number) == "action":
            return budget.reach(self._seats[seat].action)
        policy = self._policies[seat]
        if budget.space == "sigma" and policy is None:
            raise BudgetError("sizes in deviations need the agent, which cannot be asked")
        normaliser = None if policy is None else policy.normaliser
        deviation = None if normaliser is None else normaliser.unit
        space = self._seats[seat].observation
        if self._access(number) == "screen":
            screen = self._seats[seat].screen
            if screen is None:
                raise BudgetError("the game has no screen of an emulator, which is said to be changed")
            space = screen.space
        return budget.reach(space, newest=told["model"] == "frame", deviation=deviation)

    def _compare(self, number: int, seat: int, place: int, reach: Reach) -> None:
        """Compares the sizes of all steps with the budget, and those of sampled ones with what is measured."""
        told, account = self._account.attacks[number][1], self._account
        names = slice(place, place + len(reach.names))
        sizes = account.array(f"sizes.{seat}")[:, names]
        own = sizes[:, list(reach.names).index(reach.kind)]
        beyond = account.array(f"acting.{seat}") & (own > reach.radius * (1 + _ROUNDING) + _ROUNDING)
        if beyond.any():
            largest = float(own[beyond].max())
            self.unlike.append(f"{told['spec']['name']} goes {largest:g} far, {reach.radius:g} are allowed")
        if self._access(number) == "screen":
            self._check_frames(seat, reach)
            return
        acting = account.acting(seat)
        for first in range(0, len(acting), _AT_ONCE):
            rows = np.arange(first, min(first + _AT_ONCE, len(acting)))
            after, before = self._pair(number, seat, rows)
            if told["model"] == "frame":
                after, before = after[:, -1:], before[:, -1:]
            measured = reach.measure(after, before)
            apart = np.abs(measured.values - sizes[account.rows[rows]])
            other = (apart > _ROUNDING * (1 + np.abs(measured.values))).any(axis=1) & acting[rows]
            self._say(self.unlike, other, "other sizes are measured than the ledger says", rows)
            self._say(self.unlike, ~measured.legal & acting[rows], "it is out of reach", rows)
        if told["model"] == "frame":
            self.skipped["of held frames only the newest: older ones came between sampled steps"] = None

    def _check_frames(self, seat: int, reach: Reach) -> None:
        """Checks that frames are no further off than a screen within the budget makes them, where that is known."""
        what = "no ledger holds what a screen showed: of changes there only the sizes that were stated"
        if not isinstance(reach, LinfBall):
            self.skipped[what] = None
            return
        self.skipped[f"{what}, and that frames are no further off"] = None
        account, acting = self._account, self._account.acting(seat)
        if not len(acting):
            return
        newest, clean = account.received(seat)[:, -1], account.array(f"shown.{seat}")[:, -1].astype(np.float32)
        apart = np.abs(newest - clean).reshape(len(acting), -1).max(axis=1)
        beyond = apart > reach.radius * float(reach.scale) + _LEVEL
        self._say(self.unlike, beyond & acting, "a screen within the budget makes no such frame")

    def _pair(self, number: int, seat: int, rows: Array) -> tuple[Tensor, Tensor]:
        """What was changed, after and before, in some sampled steps."""
        account = self._account
        if self._access(number) != "action":
            return torch.as_tensor(account.received(seat)[rows]), torch.as_tensor(account.array(f"shown.{seat}")[rows])
        done = torch.as_tensor(account.array(f"action.{seat}")[account.rows[rows]])
        space = self._seats[seat].action
        low, high = (torch.as_tensor(getattr(space, end, end == "high") * 1.0).float() for end in ("low", "high"))
        return done, torch.as_tensor(account.array(f"chosen.{seat}")[rows]).clamp(low, high)

    def _draw_noise(self, number: int, seat: int, reach: Reach) -> None:
        """Draws noise anew from the seed, as whoever played did: a random direction in every step."""
        account, draws = self._account, Streams(1)
        shown, received, acting = account.array(f"shown.{seat}"), account.received(seat), account.acting(seat)
        place = dict(zip(account.rows.tolist(), range(len(acting)), strict=True))
        still = torch.as_tensor(shown[:1]).float()
        self.noise_drawn = True
        for one in account.episodes if len(acting) else ():
            draws.restart(0, attack_seed(account.seed, one.episode, number))
            first, last = account.begins[one.episode : one.episode + 2].tolist()
            for row in first + np.flatnonzero(account.array(f"acting.{seat}")[first:last]):
                sample = place.get(int(row))
                clean = still if sample is None else torch.as_tensor(shown[sample : sample + 1]).float()
                wanted = reach.random(clean, draws)
                if sample is None:
                    continue
                apart = np.abs(reach.settle(wanted, clean).numpy() - received[sample : sample + 1]).max()
                if apart > 1e-4 * max(1.0, float(np.abs(received[sample]).max())):
                    self.not_noise.append(f"episode {one.episode}, step {row - first}: not the noise of the seed")

    def _say(self, said: list[str], wrong: BoolArray, what: str, rows: Array | None = None) -> None:
        sampled = self._account.array("sampled")
        for place in np.flatnonzero(wrong):
            episode, step = sampled[int(place) if rows is None else int(rows[place])]
            said.append(f"episode {episode}, step {step}: {what}")
