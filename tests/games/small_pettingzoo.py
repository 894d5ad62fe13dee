"""Small PettingZoo games, each with a habit that a wrapper has to cope with."""

import numpy as np
import pettingzoo
from gymnasium import spaces


class Bids(pettingzoo.ParallelEnv):
    """Both bid 1 to 3 at once and earn their bids; over after `rounds`."""

    possible_agents = ("low", "high")
    seen = (spaces.Box(-10, 10, (2,), np.float64), spaces.Dict({"observation": spaces.Discrete(5, start=3)}))
    done = spaces.Discrete(3, start=1)
    rounds, end = 3, "rule"

    def observation_space(self, agent):
        return self.seen[self.possible_agents.index(agent)]

    def action_space(self, agent):
        return self.done

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        self.luck = np.random.default_rng(seed)
        self.round = 0
        return self._seen(), {agent: {} for agent in self.agents}

    def step(self, actions):
        assert set(actions) == set(self.agents)
        assert all(self.done.contains(action) for action in actions.values())
        self.round += 1
        over = self.round == self.rounds
        ends = dict.fromkeys(self.agents, over)
        none = dict.fromkeys(self.agents, False)
        rewards = {agent: float(np.sum(action)) for agent, action in actions.items()}
        flags = {"rule": (ends, none), "time": (none, ends), "rule and time": (ends, ends)}[self.end]
        result = self._seen(), rewards, *flags, {agent: {} for agent in actions}
        if over:
            self.agents = []
        return result

    def _seen(self):
        return {"low": np.array([self.round, self.luck.normal()]), "high": {"observation": 3 + self.round}}


class Cut(Bids):
    end = "time"


class Last(Bids):
    end = "rule and time"


class Push(Bids):
    done = spaces.Box(-1, 1, (2,), np.float32)


class Bytes(Bids):
    seen = (spaces.Box(0, 255, (2,), np.uint8),) * 2

    def _seen(self):
        return dict.fromkeys(self.possible_agents, np.array([self.round, 255]))


class Deserted(Bids):
    """`low` leaves after the first round; `high` goes on alone and is cut."""

    def step(self, actions):
        assert set(actions) == set(self.agents)
        self.round += 1
        here = list(self.agents)
        if self.round == 1:
            ends, cuts = {"low": True, "high": False}, {"low": False, "high": False}
        else:
            ends, cuts = {"high": False}, {"high": self.round == 3}
        self.agents = [agent for agent in here if not (ends[agent] or cuts[agent])]
        rewards = {agent: float(actions[agent]) for agent in here}
        return {agent: self._seen()[agent] for agent in here}, rewards, ends, cuts, {agent: {} for agent in here}


class Sticks(pettingzoo.AECEnv):
    """Five sticks, one or two a move; the taker of the last wins. Every move gives the other 0.25. Mask in `infos`."""

    possible_agents = ("a", "b")

    def observation_space(self, agent):
        return spaces.Box(0, 5, (1,), np.int8)

    def action_space(self, agent):
        return spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        self.left = 5
        self.agent_selection = "ab"[seed % 2]
        self.rewards = dict.fromkeys("ab", 0.0)
        self._cumulative_rewards = dict.fromkeys("ab", 0.0)
        self.terminations = dict.fromkeys("ab", False)
        self.truncations = dict.fromkeys("ab", False)
        self._tell()

    def observe(self, agent):
        return np.array([self.left], np.int8)

    def step(self, action):
        if self.terminations[self.agent_selection] or self.truncations[self.agent_selection]:
            self._was_dead_step(action)
            return
        actor = self.agent_selection
        other = "ba"["ab".index(actor)]
        assert 0 <= action < 2
        assert action + 1 <= self.left, "an illegal move"
        self.left -= action + 1
        self._cumulative_rewards[actor] = 0.0
        self.rewards = {actor: 0.0, other: 0.25}
        if self.left == 0:
            self.rewards = {actor: 1.0, other: -1.0}
            self.terminations = dict.fromkeys("ab", True)
        self.agent_selection = other
        self._tell()
        self._accumulate_rewards()

    def _tell(self):
        self.infos = {agent: {"action_mask": np.array([1, self.left > 1], np.int8)} for agent in "ab"}


class Abandoned(Sticks):
    """`a` drops out with the first move; whoever is left takes all the other sticks."""

    def step(self, action):
        if self.left == 5 and action is not None:
            super().step(action)
            self.terminations["a"] = True
            self.agent_selection = "b"
            self._deads_step_first()  # `a` is to say None before
        elif action is None:
            self._was_dead_step(action)
        else:
            assert self.agent_selection == "b"
            self.left -= action + 1
            self.rewards = {"b": 1.0}
            self.terminations["b"] = self.left <= 0
            self._tell()


class Mute(Sticks):
    """Says once that nothing is allowed."""

    def _tell(self):
        self.infos = {agent: {"action_mask": np.zeros(2, np.int8)} for agent in "ab"}


class Crowd(Bids):
    seen = (spaces.Discrete(5),) * 3
    possible_agents = ("one", "two", "three")

    def _seen(self):
        return dict.fromkeys(self.possible_agents, self.round)


class Alone(Crowd):
    possible_agents = ("one",)


class Bits(Bids):
    seen = (spaces.MultiBinary(3),) * 2


class Number(Bids):
    seen = (spaces.Box(0, 1, ()),) * 2


class Buttons(Bids):
    done = spaces.MultiDiscrete([2, 2])


class Fussy(Bids):
    def __init__(self):
        raise RuntimeError("no licence\nsecond line")


class Needy(Bids):
    def __init__(self):
        import a_package_of_nobody  # noqa: F401


class Changing(Sticks):
    """Does not know who will play."""

    possible_agents = ()


AT_ONCE = (Bids, Cut, Last, Push, Bytes, Deserted, Crowd, Alone, Bits, Number, Buttons, Fussy, Needy)
IN_TURNS = (Sticks, Abandoned, Mute, Changing)
