"""The agents of a run as they lie here: loaded by name, compared by digest, asked anew."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlattack.errors import RlattackError, UnknownName
from rlattack.games.game import Seat
from rlattack.policies.load import Agent, agent_folder, load_agent
from rlattack.policies.placeholders import PLACEHOLDERS
from rlattack.policies.policy import Policy


@dataclass
class Players:
    """Loads agents that a stranger's run names.

    Args:
        trust: Whether code may run for it: a function of a module, a file that holds code.
        fits: Folder of what fronts learned.
    """

    trust: bool
    fits: Path
    _loaded: dict[tuple[str, str, str, str], Agent | str] = field(default_factory=dict)

    def load(self, spec: str, seat: Seat | None, game: str, normaliser: str = "") -> Agent | str:
        """An agent, or why it is not here or must not be loaded.

        Raises:
            RlattackError: It is here, and is none, or another one than its own card says.
        """
        place = spec, "" if seat is None else seat.name, game, normaliser
        if place not in self._loaded:
            self._loaded[place] = self._load(spec, seat, game, normaliser)
        return self._loaded[place]

    def _load(self, spec: str, seat: Seat | None, game: str, normaliser: str) -> Agent | str:
        if not self.trust and self._runs_code(spec):
            return f"{spec} is code of somebody's, which only --trust runs"
        try:
            return load_agent(spec, seat, game=game, trust=self.trust, normaliser=normaliser)
        except UnknownName:
            return f"{spec} is not here"

    @staticmethod
    def _runs_code(spec: str) -> bool:
        if spec in PLACEHOLDERS or spec.startswith("hf:"):
            return False
        with contextlib.suppress(RlattackError):
            return ":" in spec and agent_folder(spec) is None and not Path(spec).expanduser().is_file()
        return False

    def seated(self, told: Mapping[str, Any], identity: list[Any], seat: Seat, game: str) -> Policy | str:
        """Who held a seat, with the fronts that stood before it; or why nobody can be asked.

        Args:
            told: What the ledger tells of the player.
            identity: What decides its play, as the key of its cell has it.
            seat: What it holds.
            game: Id of the game.

        Raises:
            RlattackError: Another agent, or another front, than played.
        """
        agent = self.load(told["spec"], seat, game, told["normaliser"])
        if isinstance(agent, str):
            return agent
        if agent.identity != identity[0]:
            raise Swapped(f"{told['spec']}: another agent than played ({agent.identity[:8]}, not {identity[0][:8]})")
        return self._behind(agent.policy, told, identity[1:], seat) if told["fronts"] else agent.policy

    def _behind(self, policy: Policy, told: Mapping[str, Any], identity: list[Any], seat: Seat) -> Policy | str:
        from rlattack.defences import FRONTS, defend
        from rlattack.evaluation.fits import read_fit
        from rlattack.specs import canonical, split_spec

        fronts, fits = told["fronts"], told["fits"] or [None] * len(told["fronts"])
        if [*(canonical("defence", FRONTS, text) for text in fronts), *filter(None, fits)] != identity:
            raise Swapped(f"{told['spec']}: other fronts than played")
        foreign = [text for text in fronts if split_spec(text, FRONTS)[0] in FRONTS.added]
        if foreign and not self.trust:
            return f"defence {foreign[0]} is code of somebody's, which only --trust runs"
        try:
            learned = [None if key is None else read_fit(self.fits, key) for key in fits]
        except ValueError as error:
            raise Swapped(f"{told['spec']}: {error}") from error
        if any(fit is None and key is not None for fit, key in zip(learned, fits, strict=True)):
            return "what a front learned is not beside the run"
        return defend(policy, fronts, seat, learned)


class Swapped(RlattackError):
    """An agent that is here and not the one that played."""
