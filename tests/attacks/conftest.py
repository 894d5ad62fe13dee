"""Attackers of a policy whose worst perturbation is known by hand."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import ATTACKS, Attacker, TuningStep, make_attack
from rlattack.attacks.oracle import Oracle
from rlattack.attacks.target import Target
from rlattack.budget import Budget
from rlattack.draws import SharedDraws
from rlattack.evaluation.judge import Judge
from rlattack.evaluation.observer import Moment
from rlattack.policies.network import Network, NetworkSpec
from tests.kit.agents import perturber_agent, random_linear_policy

SPACE = Box(0, 255, (3, 6, 6), np.uint8)
FEW_QUERIES = {
    "redraws": {"queries": 4}, "simba": {"queries": 6}, "square": {"queries": 6},
    **{name: {"queries": 14, "directions": 2} for name in ("nes", "spsa", "finite-differences")},
    **{name: {"queries": 50} for name in ("boundary", "hop-skip-jump")},
}  # fmt: skip
"""Attacks that ask the victim again and again, so that a test is quick."""


@pytest.fixture
def policy():
    return random_linear_policy(SPACE.shape)


@pytest.fixture
def two():
    """Of two actions, so that one direction is worst everywhere."""
    return random_linear_policy(SPACE.shape, actions=2)


@pytest.fixture
def obs():
    return torch.randint(0, 256, (4, *SPACE.shape), generator=torch.Generator().manual_seed(3)).float()


@pytest.fixture(scope="session")
def adversary(tmp_path_factory):
    """A director of three actions that sees the small space, by its folder."""
    spec = NetworkSpec(observation=SPACE.shape, actions=2, head="actor-critic", hidden=(8,))
    torch.manual_seed(0)
    return perturber_agent(tmp_path_factory.mktemp("adversary"), "any/game", Network(spec), "pa-ad")


@pytest.fixture
def attack_with(adversary):
    """Makes an attacker of a policy on the small space; fitted where it must be, without a size where it needs none."""

    def make(policy, name, norm, eps, slots=4, model="stack", grid=False, schedule=None, **parameters):
        parameters |= dict.fromkeys(ATTACKS.get(name).adversaries, adversary)
        eps = eps if ATTACKS.get(name).sized else None
        attack = make_attack(name, Budget(norm=norm, eps=eps, grid=grid), **parameters)
        attacker = Attacker(attack, policy, SPACE, slots, model=model, schedule=schedule)
        if attack.fitted:
            attack.learned = attack.fit(RandomTuning(attacker, policy))
        attacker.restart(np.arange(slots), [np.random.SeedSequence(seed) for seed in range(slots)])
        return attacker

    return make


class RandomTuning:
    """Tuning episodes in which random bytes are shown, or batches that are given."""

    def __init__(self, attacker, policy, shown=None):
        self.reach, self._shown = attacker.reach, shown
        self._attacker, self._policy = attacker, policy
        self._oracle = Oracle(policy, attacker.slots, attacker.attack.knows(attacker.attack.config))
        self.victim = Target(self._oracle)
        self.draws = SharedDraws(attacker.slots, 0)
        self.steps = 0

    def begin(self, obs):
        """Makes these the clean observations."""
        self._oracle.begin(obs, np.ones(len(obs), dtype=np.bool_))

    def observations(self, count):
        """Yields that many batches, as of a step each."""
        for batch in self._batches(count):
            self.steps += self.victim.slots
            yield batch

    def _batches(self, count):
        generator = torch.Generator().manual_seed(5)
        for number in range(count):
            if self._shown is not None:
                yield self._shown[number % len(self._shown)]
            else:
                yield torch.randint(0, 256, (self.victim.slots, *SPACE.shape), generator=generator).float()

    def rehearse(self, attack, slots, *, sampled=False):
        """Opens episodes of three of these batches, in which what the victim does first is what it is paid."""
        made = attack and Attacker(attack, self._policy, self._attacker.space, slots, model=self._attacker.model)
        return RandomRehearsal(made, self._policy, list(self._batches(3)), slots, sampled)

    def say(self, line):
        """Tells nobody."""


class RandomRehearsal:
    """Three batches are shown, each as the first of an episode, cut to the number of slots or with rows repeated."""

    def __init__(self, attacker, policy, shown, slots, sampled):
        self._attacker, self._policy = attacker, policy
        self._shown = [np.resize(one.numpy(), (slots, *one.shape[1:])) for one in shown]
        self._draws = SharedDraws(slots, 7) if sampled else None

    @property
    def asked(self):
        """What the attack asked for."""
        if self._attacker is None:
            return 0, 0
        return self._attacker.oracle.queries.sum(), self._attacker.oracle.gradients.sum()

    def round(self, take):
        """Plays one episode a slot."""
        slots = np.arange(len(self._shown[0]))
        active = np.asarray([take(slot) is not None for slot in slots])
        for shown in self._shown:
            received = torch.from_numpy(shown)
            if self._attacker is not None:
                self._attacker.restart(slots, [np.random.SeedSequence(int(slot)) for slot in slots])
                received = self._attacker(received, active)
            actions = self._policy(received, self._policy.initial_state(len(active))).actions
            action = actions.greedy if self._draws is None else actions.sample(self._draws)
            reward = action.numpy().reshape(len(active), -1)[:, 0].astype(np.float64)
            ended = active & (shown is self._shown[-1])
            yield TuningStep(active, shown, received, action, reward, ended, ended)

    def stop(self, slots):
        """Changes nothing: the episodes are short."""

    def close(self):
        """Holds nothing."""


class Watched:
    """An attacker beside its judge, as both are in play: the judge looks at the game's own bytes."""

    def __init__(self, attacker, policy):
        self.attacker, self.policy, self.judge = attacker, policy, Judge(0, [attacker])

    def __call__(self, shown, active=None):
        """Shows bytes, shape (slots, *observation), and returns what the victim received."""
        active = np.ones(self.attacker.slots, dtype=bool) if active is None else active
        clean = torch.from_numpy(shown.astype(np.float32))
        received = self.attacker(clean, active)
        out, known = self.policy(received), self.attacker.oracle.known_clean_output
        self.judge.see(
            Moment(
                seat=0, acting=active, episode=np.zeros(len(shown), dtype=np.int64), shown=shown, received=received,
                before=None, out=out, chosen=out.actions.greedy, action=out.actions.greedy, legal=None,
                ask=lambda: self.policy(clean) if known is None else known,
            )
        )  # fmt: skip
        return received


@pytest.fixture
def watched():
    return Watched
