"""A game as a study plays it, with everybody who may sit there: what of it is to be played, and what is refused."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from rlattack.attacks import ATTACKS, AttackSpec, make_schedule
from rlattack.attacks.attack import Setting
from rlattack.attacks.imitation import learns_by_watching, surrogate_name
from rlattack.attacks.leader import is_agent, leader_name
from rlattack.attacks.make import check_gradient, check_together, replacements
from rlattack.attacks.natural import NATURAL
from rlattack.budget import CHANGES, NORMS, Budget
from rlattack.defences import make_front, outline
from rlattack.defences.detectors import check_detectors, check_evaded, detector_name
from rlattack.errors import BudgetError, InvalidInput
from rlattack.evaluation.asked import Asked, check_ahead, space_of, with_sizes
from rlattack.evaluation.cell import AgentRef, AttackRef, Cell
from rlattack.evaluation.code import attack_code, attack_files, playing_code
from rlattack.evaluation.loading import load_surrogate
from rlattack.evaluation.memory import check_memory
from rlattack.evaluation.observers import check_observers
from rlattack.evaluation.player import make_attacker
from rlattack.evaluation.prepare import detector_ref, evaded_ref, fit_key, fronted, imitation_key, timing_key
from rlattack.evaluation.seats import Hidden, check_players, free_entries, free_words, parse_mask, seat_number
from rlattack.evaluation.study import BARE, EVERY, NO_MASK, SELF, Study
from rlattack.games import find_game, make_game, with_variant
from rlattack.games.card import ActionMode, GameCard, Variant
from rlattack.games.game import Seat
from rlattack.policies.load import Agent, agent_options, load_agent


@dataclass(frozen=True)
class Table:
    """The game as a study plays it, opened once to see its seats, with everybody who may sit there."""

    study: Study
    card: GameCard
    seats: tuple[Seat, ...]
    agents: tuple[dict[str, Agent], ...]
    """Who may take each seat, by what was typed."""
    surrogates: dict[str, Agent]
    """What attacks are crafted on beside the victim, by what was typed; those that learn have learned nothing yet."""
    victim: int
    attacked_seat: int
    action_names: list[str] | None
    code: dict[str, str]
    known: dict[str, tuple[float, str]] = field(default_factory=dict, repr=False, compare=False)
    """What was found of attacks before: the same on every seed."""

    @classmethod
    def lay(cls, study: Study) -> "Table":
        """Applies what the command and the card of a victim that plays alone say of the game, and loads the players."""
        options = agent_options(study.candidates[0][0]) if len(study.candidates) == 1 else {}
        card = with_variant(
            find_game(study.game), sticky=study.sticky, options={**options, **study.options}, max_steps=study.max_steps
        )
        game = make_game(card, 1)
        try:
            seats, action_names = game.seats, getattr(game, "action_names", None)
        finally:
            game.close()
        check_memory(study.envs, seats, screens=study.model == "screen")
        names = tuple(seat.name for seat in seats)
        check_players(study, card, names)
        victim = seat_number("--victim", study.victim, names) if study.victim else len(seats) - 1
        attacked = seat_number("--attacked", study.attacked, names) if study.attacked else victim
        agents = tuple(
            {name: load_agent(name, seat, game=card.id, trust=study.trust, normaliser=seen) for name in of}
            for seat, of, seen in zip(seats, study.candidates, study.normalisers(victim), strict=True)
        )
        rows = study.envs * math.prod(make_front(text, seats[victim]).copies for text in study.fronts)
        check_memory(rows, seats[victim : victim + 1], "--defence", apiece=0)
        for agent in agents[victim].values():  # so that a front or an observer that does not fit is told now
            check_observers(study.observe, outline(agent.policy, study.fronts, seats[victim]), seats[victim])
        for agent in agents[attacked].values():
            fronts = study.fronts if attacked == victim else ()
            check_detectors(study.detect, outline(agent.policy, fronts, seats[attacked]), seats[attacked])
        surrogates = {
            name: load_surrogate(name, card.id, seats[attacked], study.trust)
            for name in map(surrogate_name, study.crafted_on)
            if name not in (SELF, BARE)
        }
        code = playing_code(card, study.fronts, study.plugin, study.device)
        return cls(study, card, seats, agents, surrogates, victim, attacked, action_names, code)

    def on(self, seed: int) -> "Table":
        """The same for the study on another seed."""
        return dataclasses.replace(self, study=dataclasses.replace(self.study, seed=seed))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the seats."""
        return tuple(seat.name for seat in self.seats)

    @property
    def refs(self) -> list[list[AgentRef]]:
        """Who may take each seat, as cells name them."""
        trust, fronts = self.study.trust, {self.victim: self.study.fronts}
        normalisers = self.study.normalisers(self.victim)
        return [
            [AgentRef.of(spec, agent, trust, fronts.get(seat, ()), normalisers[seat]) for spec, agent in of.items()]
            for seat, of in enumerate(self.agents)
        ]

    @property
    def everybody(self) -> list[Agent]:
        """All agents, surrogates included."""
        return [*(agent for of in self.agents for agent in of.values()), *self.surrogates.values()]

    @functools.cached_property
    def pairs(self) -> list[Cell]:
        """Who meets whom under every mask, with nothing attacked."""
        masks = list(dict.fromkeys(parse_mask(text, self.names) for text in self.study.mask or (NO_MASK,)))
        for hidden in masks:  # so that one that cannot be hidden is told now
            make_game(Variant(self.card, hidden), 1).close()
        return [self.clean(hidden, players) for hidden in masks for players in itertools.product(*self.refs)]

    @property
    def cells(self) -> list[Cell]:
        """What is to be played of all pairs, each once: in the open or hidden, its controls, its attacks."""
        played = {cell.key: cell for cell in map(self.sighted, self.pairs)}
        return [cell for pair in played.values() for cell in (pair, *self.attacked(pair))]

    def clean(self, hidden: Hidden, players: tuple[AgentRef, ...]) -> Cell:
        """The cell in which these players meet and nothing is attacked."""
        modes = tuple(self.mode(of[ref.spec]) for of, ref in zip(self.agents, players, strict=True))
        cell = Cell(
            game=Variant(self.card, hidden), seats=self.names, players=players, victim=self.victim, actions=modes,
            seed=self.study.seed, episodes=self.study.episodes, envs=self.study.envs, device=self.study.device,
            observers=self.study.observe, ledger=self.study.ledger, code=self.code,
        )  # fmt: skip
        cell = fronted(cell)
        refs = [detector_ref(cell, name, self.attacked_seat) for name in map(detector_name, self.study.detect)]
        return dataclasses.replace(cell, detectors=tuple(dict.fromkeys(refs)))

    def sighted(self, cell: Cell) -> Cell:
        """The cell with nothing hidden from a player that looks at nothing: the same episodes."""
        blind = [seat for seat, _ in cell.game.hidden if not self.agents[seat][cell.players[seat].spec].looks]
        return fronted(dataclasses.replace(cell, game=Variant(self.card))) if blind else cell

    def attacked(self, base: Cell) -> list[Cell]:
        """The controls and the attacks at every size and schedule, each once, controls first."""
        check_ahead(base.game, self.study.asked, self.study.when)
        asked = self.asked
        for one in asked:
            check_together(one.specs, self.names[self.attacked_seat])
        controls = [tuple(ATTACKS.get(spec.name).control_of(spec.parameters) for spec in one.specs) for one in asked]
        beside = list(zip(controls, asked, strict=True))
        noise = (AttackSpec("noise"),)
        cells: dict[str, Cell] = {}
        crafted_on = list(map(surrogate_name, self.study.crafted_on or (SELF,)))
        played = [*beside, *((one.specs, one) for one in asked)] or [(noise, Asked(noise, self.study.sizes))]
        for specs, like in played:
            sizes = like.sizes if any(ATTACKS.get(spec.name).sized for spec in specs) else (None,)
            reaches = [self._reach(spec, norm) for spec, (_, norm) in zip(like.specs, like.each, strict=True)]
            whens = self.study.when if all(ATTACKS.get(spec.name).is_control for spec in specs) else self._whens
            for eps, when, on in itertools.product(sizes, whens, crafted_on):
                about = zip(specs, reaches, like.each, strict=True)
                armed = [
                    self._armed(base, spec, norm, eps if own is None else own, self._when(spec, when, specs), on)
                    for spec, norm, (own, _) in about
                ]
                cell = dataclasses.replace(base, attacks=tuple(armed))
                cells.setdefault(cell.key, cell)
        return list(cells.values())

    def _when(self, spec: AttackSpec, when: str, specs: Sequence[AttackSpec]) -> str:
        """When an attack acts: beside others that act at times, a world is what it is all the time."""
        lasts = len(specs) > 1 and ATTACKS.get(spec.name).access == "dynamics"
        return EVERY if lasts else when

    @functools.cached_property
    def _whens(self) -> list[str]:
        """The schedules that were asked for, each with the one that it is read beside."""
        pairs = ((when, make_schedule(when).control) for when in self.study.when)
        return list(dict.fromkeys(when for pair in pairs for when in pair if when is not None))

    @functools.cached_property
    def asked(self) -> list[Asked]:
        """The attacks that are compared with their sizes: those that were given, or standard ones of the attack."""
        return with_sizes(self.study.asked, self.study.sizes, lambda: self.natural)

    @functools.cached_property
    def natural(self) -> list[AttackSpec]:
        """The natural changes that there are of what the attacked seat sees and does."""
        return [spec for spec in map(AttackSpec, NATURAL) if self._fits(spec)]

    @property
    def left_out(self) -> list[str]:
        """The natural changes that `natural:all` asks for and that are none here."""
        return [name for name in NATURAL if AttackSpec(name) not in self.natural] if self.asks_all else []

    @property
    def asks_all(self) -> bool:
        """Whether `natural:all` was asked for."""
        return any(one.all_natural for one in self.study.asked)

    def checked(self, cells: Sequence[Cell]) -> dict[str, list[tuple[float, str]]]:
        """What the budgets of cells allow in the game and what their attacks say of it; what cannot work is refused."""
        attacks_first = sorted(cells, key=lambda cell: cell.control)  # so that refusals name what was asked for
        return {cell.key: [self._found(cell, ref) for ref in cell.attacks] for cell in attacks_first}

    def _found(self, cell: Cell, ref: AttackRef) -> tuple[float, str]:
        like = repr((dataclasses.replace(ref, fit=None, timing=None), cell.players[ref.seat]))
        if like not in self.known:
            self.known[like] = self._check(cell, ref)
        return self.known[like]

    def _fits(self, spec: AttackSpec) -> bool:
        """Whether a natural change is one of what the attacked seat sees or does, whoever sits there."""
        kind, number = ATTACKS.get(spec.name), self.attacked_seat
        seat, norm = self.seats[number], self._reach(spec)
        budget = Budget(norm=norm, eps=max(kind.standard), space=space_of(self.study.space, norm))
        ref = AttackRef(spec=spec, seat=number, budget=budget, model=self.study.model)
        try:
            for agent in self.agents[number].values():
                make_attacker(ref, agent.policy, None, seat, 1)
        except BudgetError:
            return False
        return True

    def _reach(self, spec: AttackSpec, norm: str = "") -> str:
        """What an attack and its control may change: a ball of the norm that was asked for, or a change of its own."""
        kinds = ATTACKS.get(spec.name).reaches
        return (norm or self.study.norm) if set(kinds) & set(NORMS) else kinds[0]

    def _armed(self, base: Cell, spec: AttackSpec, norm: str, eps: float | None, when: str, on: str) -> AttackRef:
        study, kind = self.study, ATTACKS.get(spec.name)
        space = space_of(self.study.space, norm)
        grid = study.grid and (norm in NORMS or kind.access == "observation")  # natural changes of actions have none
        grid |= study.model == "screen" and kind.access == "observation"
        seat = self.seats[self.attacked_seat]
        free = free_entries(study.free, study.keys, seat) if kind.access == "observation" else ()
        surrogate = None if kind.is_control else self._crafted_on(base, on)
        ref = AttackRef(
            spec=spec, seat=self.attacked_seat, model=study.model, schedule=when, surrogate=surrogate,
            entries=free_words(free, seat),
            budget=Budget(
                norm=norm, eps=eps if kind.sized else None, space=space, grid=grid, free=free,
                stand_in=self.card.stand_in if norm in CHANGES else 0.0,
            ),
        )  # fmt: skip
        for name in filter(is_agent, map(spec.parameters.get, kind.agents)):  # of this game, and not another
            load_agent(leader_name(str(name)), seat, game=self.card.id, way_out="target=agent:NAME takes agents of it")
        for name in filter(None, map(spec.parameters.get, kind.adversaries)):
            load_agent(str(name), game=self.card.id)
        ref = dataclasses.replace(ref, code=attack_code(ref), files=attack_files(ref), evades=evaded_ref(base, ref))
        timing = timing_key(base, ref) if make_schedule(when).learns else None
        return dataclasses.replace(ref, fit=fit_key(base, ref) if kind.fitted else None, timing=timing)

    def _crafted_on(self, base: Cell, name: str) -> AgentRef | None:
        """What an attack is crafted on; None for the victim itself, by whichever name."""
        if name == SELF:
            return None
        player = base.players[self.attacked_seat]
        if name == BARE and not player.fronts:
            raise InvalidInput("--surrogate bare: expected a --defence, nothing stands before whom the attack is on")
        if name == BARE:
            return player.behind(0)
        if learns_by_watching(name):
            return AgentRef(name, imitation_key(base, name, self.attacked_seat), name)
        ref = AgentRef.of(name, self.surrogates[name], self.study.trust)
        return None if ref.played == player.played else ref

    def _check(self, cell: Cell, ref: AttackRef) -> tuple[float, str]:
        agent = self.agents[ref.seat][cell.players[ref.seat].spec]
        if not agent.looks:
            raise InvalidInput(
                f"--attack: {agent.name} looks at nothing, so there is nothing to attack"
                + ("; name the other seat by --attacked" if len(self.seats) > 1 else "")
            )
        seat, other = self.seats[ref.seat], ref.surrogate
        surrogate = None if other is None else agent if cell.oblivious(ref) else self.surrogates[other.spec]
        victim = outline(agent.policy, cell.players[ref.seat].fronts, seat)
        if ref.evades is not None:
            check_evaded(ref.evades.spec, victim, seat)
        made = make_attacker(ref, victim, surrogate.policy if surrogate else None, seat, 1)
        made.attack.check_victim(surrogate or agent)
        if made.attack.knows(made.attack.config) == "white":
            on = surrogate.policy if surrogate else victim

            def ways() -> list[str]:
                return replacements(made.attack, Setting.of(on, seat.observation), blind=True)

            check_gradient(on, (surrogate or agent).name, made.attack.name, ways)
        return made.reach.radius, made.note

    def mode(self, agent: Agent) -> ActionMode:
        """How an agent chooses, as the command, the agent or the game's card says."""
        if agent.policy.acts == "sampled":  # chance
            return "sampled"
        asked = self.study.actions
        return (agent.policy.acts or self.card.protocol.actions) if asked == "card" else asked
