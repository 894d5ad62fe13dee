"""An ensemble of attacks that nobody has to tune, as AutoAttack is for classifiers (Croce and Hein 2020, sec. 5).

Members are diverse: `search` and, of continuous actions, `sarsa`, which lower the return and learn on tuning episodes;
APGD on two losses, with restarts; Square, which asks for outputs alone. All have the same size in the same space. Where
the classifier's ensemble takes the strongest attack for every input, here the strongest one for a *victim* is chosen,
since who attacks a running episode cannot try it twice: by the mean return on the same tuning episodes. From then on
the ensemble is that member, which others score on fresh episodes.
"""

import contextlib
import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from torch import Tensor

from rlattack.arrays import IntArray
from rlattack.attacks.attack import ObservationAttack, Setting
from rlattack.attacks.ensemble import Ensemble, Member
from rlattack.attacks.make import make_attack, parse_attack
from rlattack.attacks.probes import GRADIENTS, look
from rlattack.attacks.race import Race
from rlattack.attacks.search import SearchConfig
from rlattack.attacks.target import Target
from rlattack.attacks.tuning import FEWEST, Tuning
from rlattack.attacks.words import Fitted, Work
from rlattack.budget import Ball, Budget
from rlattack.draws import Draws
from rlattack.errors import InvalidInput, RlattackError
from rlattack.policies.distributions import Categorical, kinds
from rlattack.policies.load import Agent
from rlattack.specs import Range, Spec

_STARTS, _SEARCH, _SEARCH_PICTURES = 6, 800_000, 200_000
"""Searches that are begun, and steps of the victim in which rules are searched for: fewer where pictures take long."""
_ROLLOUT, _UPDATES = 40_000, 800
_STEPS, _RESTARTS, _QUERIES = 20, 2, 100
_EPISODES, _FIRST = 12, 2_000_000
"""Tuning episodes of each member, and the number of the first."""
_STATES = 256
"""Observations in which gradients are probed."""


@dataclass(frozen=True, kw_only=True)
class AutoAttackConfig:
    """Parameters of `autoattack`, which needs none."""

    effort: Annotated[float, Range(above=0, most=10)] = 1.0
    """How much work members are given: their steps, queries and roll-outs, times this."""
    also: str = ""
    """One more member, as `--attack` takes it, in double quotes where it has a comma: a trained adversary, as in
    `also=pa-ad:agent=my/adversary`."""


class AutoAttack(ObservationAttack[AutoAttackConfig, Ball]):
    """Is the attack that leaves this victim least, of several of the same size that were tried on tuning episodes."""

    name = "autoattack"
    title = "AutoAttack"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2")
    fitted = True
    members: ClassVar[tuple[str, ...]] = ("also",)
    config_type = AutoAttackConfig

    def __init__(self, budget: Budget, config: AutoAttackConfig) -> None:
        super().__init__(budget, config)
        self._setting: Setting | None = None
        self._also: ObservationAttack[Any, Any] | None = None
        self._played: ObservationAttack[Any, Any] | None = None

    @property
    def asks_critic(self) -> bool:
        """Whether the member that plays does."""
        return "ensemble" in self.learned.facts and self._playing.asks_critic

    def check(self, setting: Setting) -> None:
        """Notes where it works.

        Raises:
            RlattackError: The further member does not fit.
        """
        self._setting, self._played = setting, None
        if self.config.also and parse_attack(self.config.also).name == self.name:
            raise InvalidInput(f"attack {self.name}: also: expected one more attack, got {self.config.also}")
        self._also = self._made(parse_attack(self.config.also)) if self.config.also else None

    def check_victim(self, victim: Agent) -> None:
        """Refuses a victim that the further member was not trained on.

        Raises:
            InvalidInput: It was trained on another one.
        """
        if self._also is not None:
            self._also.check_victim(victim)

    def restart(self, slots: IntArray) -> None:
        """Forgets the episodes that ended in these slots."""
        if self._played is not None:
            self._played.restart(slots)

    def fit(self, tuning: Tuning) -> Fitted:
        """Lets every member learn and play the same tuning episodes, and takes the one that leaves the victim least."""
        found = [self._tried(spec, tuning) for spec in (*self._learners, *self._climbers)]
        tuning.say("probing gradients")
        setting, states = self._known_setting, max(1, round(_STATES * min(1.0, self.config.effort)))
        looks = look(tuning, self.budget, setting, states, _QUERIES)
        chosen, learned = min(found, key=lambda one: one[0].returns)
        ensemble = Ensemble(
            plays=chosen.attack, members=tuple(member for member, _ in found), episodes=_EPISODES,
            probes=looks.probes, states=looks.states, flat=looks.flat, random=setting.random,
        )  # fmt: skip
        return Fitted(learned.tensors, {"ensemble": dataclasses.asdict(ensemble), "member": dict(learned.facts)})

    def work(self, length: float) -> Work:
        """What members learn in, the episodes in which each is tried, and the states in which gradients are probed."""
        members, played = self._members, _EPISODES * length
        probes = Work(queries=_QUERIES, gradients=GRADIENTS) * (_STATES * min(1.0, self.config.effort))
        return sum((one.work(length) + one.step_work * played for one in members), probes)

    @property
    def step_work(self) -> Work:
        """The mean of its members: which of them plays is found first."""
        return sum((one.step_work for one in self._members), Work()) * (1 / len(self._members))

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Does what the chosen member does.

        Raises:
            InvalidInput: None was chosen yet.
        """
        return self._playing.perturb(victim, obs, reach, draws)

    @property
    def _playing(self) -> ObservationAttack[Any, Any]:
        """The member that was chosen, with what it learned."""
        if "ensemble" not in self.learned.facts:
            raise InvalidInput(f"attack {self.name} learns on tuning episodes first: play it by `rlattack.evaluate`")
        if self._played is None:
            self._played = self._made(parse_attack(self.learned.facts["ensemble"]["plays"]))
            self._played.learned = Fitted(self.learned.tensors, self.learned.facts["member"])
        return self._played

    @property
    def _members(self) -> list[ObservationAttack[Any, Any]]:
        """All that are tried; nothing was learned yet."""
        return list(map(self._made, (*self._learners, *self._climbers)))

    @property
    def _learners(self) -> list[Spec]:
        """Members that learn, and the one that was asked for beside."""
        numbers = len(self._known_setting.observation) == 1
        steps = self._worth(_SEARCH if numbers else _SEARCH_PICTURES, SearchConfig().shortest)
        rules = [
            Spec("search", {"starts": _STARTS if numbers else 1, "steps": steps}),
            *[Spec("search", {"kind": "linear", "steps": steps})] * numbers,
        ]
        sarsa = Spec("sarsa", {"rollout": self._worth(_ROLLOUT, FEWEST), "updates": self._worth(_UPDATES)})
        also = [parse_attack(self.config.also)] if self.config.also else []
        return [*filter(self._fits, (*rules, sarsa)), *also]

    @property
    def _climbers(self) -> list[Spec]:
        """Members that climb in every step, with restarts."""
        setting = self._known_setting
        losses = ("ce", "margin") if isinstance(setting.actions, Categorical) else ("mad", "q", "value")
        specs = [Spec("apgd", {"loss": loss, "steps": self._worth(_STEPS), "restarts": _RESTARTS}) for loss in losses]
        square = Spec("square", {"queries": self._worth(_QUERIES)})
        return [*[spec for spec in specs if self._fits(spec)][:2], *filter(self._fits, (square,))]

    def _tried(self, spec: Spec, tuning: Tuning) -> tuple[Member, Fitted]:
        """What a member leaves the victim in tuning episodes, and what it learned before."""
        attack = self._made(spec)
        if attack.fitted:
            tuning.say(f"{spec} learns")
            attack.learned = attack.fit(tuning)
        with contextlib.closing(tuning.rehearse(attack, _EPISODES)) as rehearsal:
            race = Race(rehearsal, _EPISODES, lambda rows: None)
            (earned,) = race.run(np.zeros((1, 1)), range(_FIRST, _FIRST + _EPISODES), 1)
            queries, gradients = (asked / max(race.steps, 1) for asked in rehearsal.asked)
        tuning.say(f"{spec} leaves the victim {earned:,.0f}")
        steps, name = int(attack.learned.facts.get("steps", 0)), str(Spec(spec.name, attack.parameters))
        return Member(name, float(earned), queries, gradients, steps), attack.learned

    def _made(self, spec: Spec) -> ObservationAttack[Any, Any]:
        """A member, where it is to work.

        Raises:
            RlattackError: It does not fit.
        """
        attack, setting = make_attack(spec.name, self.budget, **spec.parameters), self._known_setting
        if not isinstance(attack, ObservationAttack):
            raise InvalidInput(f"{spec.name}: expected an attack on what this victim sees")
        if not attack.works_on(setting.actions):
            raise InvalidInput(f"attack {spec.name}: expected {kinds(attack.needs)} actions")
        attack.check(setting)
        return attack

    def _fits(self, spec: Spec) -> bool:
        """Whether a member is one for that victim and reach."""
        try:
            self._made(spec)
        except RlattackError:
            return False
        return True

    def _worth(self, count: int, least: int = 1) -> int:
        return max(least, round(count * self.config.effort))

    @property
    def _known_setting(self) -> Setting:
        assert self._setting is not None, "checked before it learns or plays"
        return self._setting
