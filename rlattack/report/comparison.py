"""What is compared with what: settings, and the same players in them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rlattack.budget.words import entries_words, size_words
from rlattack.evaluation.results import AttackResult, Result, SeatResult
from rlattack.specs import Spec

_AIMS = {
    "observation": "what the {} sees",
    "screen": "the screen of the {}",
    "action": "what the {} does",
    "reward": "what the {} is paid",
    "dynamics": "how the world of the {} behaves",
    "opponent": "whom the {} meets",
}


@dataclass(frozen=True)
class Pairing:
    """Cells of the same players who see the same: they differ in what is attacked, and how.

    Attributes:
        clean: The one without an attack, where it was measured.
        attacked: Those with attacks on one seat, controls and failed ones too; at least one.
    """

    clean: Result | None
    attacked: tuple[Result, ...]

    @property
    def seat(self) -> str:
        """Name of the seat that is attacked."""
        return self.attacked[0].attacked.name

    @property
    def before(self) -> SeatResult | None:
        """The attacked seat in the clean cell."""
        return None if self.clean is None else self.clean.seat(self.seat)

    @property
    def good(self) -> list[Result]:
        """The attacks and controls that kept their budget, without the clean cell."""
        return [cell for cell in self.attacked if cell.ok]

    def control(self, cell: Result) -> Result | None:
        """Returns the control of a cell: of its reach and size; of several its own, of its model and schedule."""
        from rlattack.attacks.make import control_of  # who reads names alone makes no attack

        own = [str(control_of(attack.name, attack.parameters)) for attack in cell.attacks]
        same = [one for one in self.good if one.control and (one.spaces, one.eps) == (cell.spaces, cell.eps)]

        def likeness(one: Result) -> int:
            alike = ("model", "grid", "free", "schedule")
            shared = sum(bool(getattr(one.attack, name) == getattr(cell.attack, name)) for name in alike)
            shared += 2 * len(alike) * ([of.eps for of in one.attacks] == [of.eps for of in cell.attacks])
            return shared + len(alike) * (own == [str(Spec(of.name, of.parameters)) for of in one.attacks])

        return max(same, key=likeness, default=None)

    def untimed(self, cell: Result) -> Result | None:
        """Returns the same attack at random steps, as many as the schedule of a cell takes."""
        schedule, _, parameters = ("every" if cell.attack is None else cell.attack.schedule).partition(":")
        share = next((text for text in parameters.split(",") if text.startswith("share=")), None)
        if schedule == "random" or share is None:
            return None
        attacks = tuple(replace(one, schedule=f"random:{share}") for one in cell.attacks)
        return next((one for one in self.good if one.attacks == attacks), None)


@dataclass(frozen=True)
class Setting:
    """Cells of one game and protocol, and in a game of one seat of one victim: only within one are cells compared."""

    results: tuple[Result, ...]

    @property
    def first(self) -> Result:
        """Any of its cells: what they share can be read from it."""
        return self.results[0]

    @property
    def alone(self) -> bool:
        """Whether the game has one seat."""
        return len(self.first.seats) == 1

    @property
    def victim(self) -> str:
        """Name of the seat under study."""
        return self.first.victim_seat.name

    @property
    def opponents(self) -> str:
        """Names of the other seats."""
        return " and ".join(self.first.seats[seat].name for seat in opponents(self.first))

    @property
    def title(self) -> str:
        """What it is about, as a headline."""
        if self.alone:
            return f"{self.first.game}: {full_name(self.first, 0)} under attack"
        return f"{self.first.game}: {self.opponents} against {self.victim}"

    @property
    def clean(self) -> list[Result]:
        """Cells without an attack, in the order in which they were asked for."""
        return [cell for cell in self.results if cell.clean]

    @property
    def good(self) -> list[Result]:
        """Cells that were measured and kept their budget."""
        return [cell for cell in self.results if cell.ok]

    @cached_property
    def pairings(self) -> list[Pairing]:
        """The same players under attack, one a seat that is attacked; those that are not attacked are left out."""
        groups: dict[tuple[object, ...], list[Result]] = {}
        for cell in self.results:
            if not cell.clean:
                groups.setdefault((*_meeting(cell), cell.attacked.name), []).append(cell)
        clean = {_meeting(cell): cell for cell in self.clean}
        return [Pairing(clean.get(_meeting(cells[0])), tuple(cells)) for cells in groups.values()]

    def about(self, pairing: Pairing) -> str:
        """Says who plays, what is attacked and what is hidden; empty where that goes without saying."""
        cell = pairing.attacked[0]
        words = [] if self.alone else [names(cell)]
        words = [": ".join([*words, f"{aim(cell)} is attacked"])] if aim(cell) else words
        return "; ".join([*words, *filter(None, [hidden(cell)])])

    @property
    def protocol(self) -> dict[str, object]:
        """What all its cells share, by name."""
        first = self.first
        who: dict[str, object] = {} if self.alone else {"victims": self.victim, "opponents": self.opponents}
        sticky = first.sticky if self.alone or first.sticky else None
        defence = first.defence if self.alone else None
        protocol = {"actions": first.actions, "sticky": sticky, "episodes": first.episodes, "seed": first.seed}
        return {key: value for key, value in {**who, "defence": defence, **protocol}.items() if value is not None}

    @property
    def key(self) -> dict[str, object]:
        """What tells it from other settings, by name."""
        who = self.first.seats[0].player if self.alone else " - ".join(seat.name for seat in self.first.seats)
        return {"game": self.first.game, "victim": who, **self.protocol}


def settings(results: Iterable[Result]) -> list[Setting]:
    """Groups cells that may be compared, in the order in which they first come."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(repr(Setting((result,)).key), []).append(result)
    return [Setting(tuple(group)) for group in groups.values()]


def distinctions(groups: Sequence[Setting]) -> list[str]:
    """Says of each setting what no other shares: empty when there is only one."""
    keys = [group.key for group in groups]
    every = dict.fromkeys(name for key in keys for name in key)
    apart = [name for name in every if len({repr(key.get(name)) for key in keys}) > 1]
    return [" ".join(f"{name}={key.get(name)}" for name in apart) for key in keys]


def attack_label(result: Result) -> str:
    """Names what is done in a cell, apart from its size: `pgd steps=10 frame grid from atari/pong/a2c`."""
    first = result.attacked.name
    labels = [_label(one) + (f" on the {one.seat}" if one.seat != first else "") for one in result.attacks]
    return " + ".join(labels) or "clean"


def aim(result: Result) -> str:
    """Says what a cell attacks: `what the runner sees`; empty in a game of one seat whose observations it perturbs."""
    aims = dict.fromkeys((one.access, one.seat) for one in result.attacks)
    if len(result.seats) == 1 and all(access == "observation" for access, _ in aims):
        return ""
    return " and ".join(_AIMS.get(access, "the {}").format(seat) for access, seat in aims)


def size(result: Result) -> str:
    """Says the budget of a cell in words: `eps 0.001 (a quarter of a grey level)`, `2 pixels`; empty without one."""
    sized = [one for one in result.attacks if one.eps is not None]
    return " + ".join(dict.fromkeys(size_words(one.eps or 0.0, one.reach or "", one.space or "") for one in sized))


def at(result: Result) -> str:
    """Says how large an attack is and what it attacks, after its name: ` at eps 0.2 on what the runner sees`."""
    return (f" at {size(result)}" if size(result) else "") + (f" on {aim(result)}" if aim(result) else "")


def cell_name(result: Result) -> str:
    """Names a cell in a line: `dqn: fgsm at eps 0.2`, `zero – runner: pgd at eps 0.2 on what the runner sees`."""
    return f"{names(result)}: {deed(result)}"


def deed(result: Result) -> str:
    """Says what is done in a cell, without who plays: `fgsm at eps 0.2`."""
    return ", ".join(filter(None, [f"{attack_label(result)}{at(result)}", hidden(result)]))


def player(result: Result, seat: int) -> str:
    """Who holds a seat, without the id of the game before it, and behind what it defends itself."""
    return full_name(result, seat).removeprefix(f"{result.game}/")


def full_name(result: Result, seat: int) -> str:
    """Who holds a seat, by its id, and behind what it defends itself."""
    name = result.seats[seat].player
    return f"{name} behind {result.defence}" if result.defence and seat == result.victim else name


def opponents(result: Result) -> list[int]:
    """Numbers of the seats beside the victim's."""
    return [seat for seat in range(len(result.seats)) if seat != result.victim]


def names(result: Result, seats: Sequence[int] | None = None, between: str = " – ") -> str:
    """Who plays, in the order of the seats or in some of them: `zero – runner`."""
    return between.join(player(result, seat) for seat in (range(len(result.seats)) if seats is None else seats))


def hidden(result: Result, what: str = ": the other player") -> str:
    """Says what is hidden from whom; empty where nothing is."""
    return "" if result.mask is None else f"hidden from the {result.mask.seat}{what} (mask {result.mask.mode})"


def _meeting(result: Result) -> tuple[object, ...]:
    return tuple(seat.player for seat in result.seats), result.mask, result.defence


def _label(attack: AttackResult) -> str:
    words = [attack.name, *(f"{key}={value}" for key, value in sorted(attack.parameters.items()))]
    words += [attack.model] * (attack.model != "stack") + ["grid"] * (attack.grid and attack.model != "screen")
    words += [f"free {attack.entries or entries_words(attack.free)}"] * bool(attack.free)
    words += [f"when {attack.schedule}"] * (attack.schedule != "every")
    words += ["oblivious"] if attack.oblivious else [f"from {attack.surrogate}"] if attack.surrogate else []
    return " ".join(words)
