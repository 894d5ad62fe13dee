"""What every detector keeps to: its fit, its rows, its memory and its slope."""

import math

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.attacks import Fitted
from rlattack.defences.detectors import (
    DETECTORS,
    Clean,
    Detection,
    Look,
    fit_detector,
    make_detection,
)
from rlattack.games.game import Seat
from rlattack.policies import ModulePolicy
from tests.kit.looks import look

ALL = [name for name in DETECTORS if name not in DETECTORS.added]
NUMBERS = Seat("player", Box(-np.inf, np.inf, (2,), np.float32), Discrete(2))


def network():
    torch.manual_seed(0)
    return ModulePolicy(Hidden(), (2,), 2)


class Hidden(torch.nn.Module):
    """A network that tells its last hidden layer, and has a class of garbage."""

    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Linear(2, 8), torch.nn.Linear(8, 2)

    def forward(self, obs):
        hidden = self.first(obs).tanh()
        return self.last(hidden), None, None, hidden, hidden.sum(dim=1)


SMALL = {
    "squeeze": "squeeze:rate=0.1", "mahalanobis": "mahalanobis:rate=0.1", "mixture": "mixture:rate=0.1,components=2",
    "foresight": "foresight:rate=0.1,epochs=1,states=100", "ad3": "ad3:rate=0.1,skip=3,window=4",
    "garbage": "garbage:rate=0.1",
}  # fmt: skip


def play(policy, slots=3):
    """Clean play of a policy of numbers, in slots whose episodes take turns."""

    def steps(episodes, first):
        for begin in range(first, first + episodes, slots):
            numbers = np.arange(begin, begin + slots)
            rngs = [np.random.default_rng(int(number)) for number in numbers]
            for _ in range(60):
                obs = torch.as_tensor(np.stack([rng.normal(size=2) for rng in rngs]), dtype=torch.float32)
                out = policy(obs)
                acting = numbers < first + episodes
                yield Clean(Look(obs, out, policy, acting, out.actions.greedy), np.where(acting, numbers, -1))

    return steps


@pytest.fixture(scope="module")
def learned():
    pytest.importorskip("sklearn")
    policy = network()
    return {name: fit_detector(SMALL[name], NUMBERS, play(policy), lambda line: None) for name in ALL}


@pytest.mark.parametrize("name", ALL)
def test_a_fit_is_the_same_each_time_and_finds_its_threshold_on_other_episodes(name, learned):
    again = fit_detector(SMALL[name], NUMBERS, play(network()), lambda line: None)
    assert again.tensors.keys() == learned[name].tensors.keys()
    for key, one in learned[name].tensors.items():
        assert torch.allclose(one, again.tensors[key], rtol=0, atol=0, equal_nan=True)
    assert learned[name].tensors["clean episode"].min() >= 1_000_000
    assert len(learned[name].tensors["clean scores"]) == 8 * 60


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("alarm", ["step", "cusum", "mad"])
def test_rows_do_not_mix_and_what_is_remembered_is_all_there_is(name, alarm, learned):
    """Each row alone, one after the other, gives what all of them give together."""
    policy, text = network(), f"{SMALL[name]},alarm={alarm}"
    looks = [one.look for one in play(policy)(3, 77)]

    def over(rows):
        detection = make_detection(text, NUMBERS, learned[name])
        memory, found = detection.memory(len(rows)), []
        for one in looks:
            part = Look(one.obs[rows], policy(one.obs[rows]), policy, one.acting[rows], one.action[rows])
            evidence, memory = detection(part, memory)
            memory = detection.after(part, memory)
            found.append(evidence)
        return torch.stack(found)

    together = over([0, 1, 2])
    apart = torch.cat([over([row]) for row in range(3)], dim=1)
    assert torch.allclose(together, apart, atol=1e-3, rtol=1e-3, equal_nan=True)
    assert together.isfinite().any()


@pytest.mark.parametrize("name", ALL)
def test_a_score_has_a_slope_where_it_says_so(name, learned):
    policy = network()
    detection = make_detection(SMALL[name], NUMBERS, learned[name])
    first = look(torch.zeros(2, 2), hidden=policy(torch.zeros(2, 2)).hidden, action=torch.zeros(2, dtype=torch.int64))
    memory = detection.after(first, detection.memory(2))
    point = (20 * torch.randn(2, 2, generator=torch.Generator().manual_seed(1))).requires_grad_(True)
    out = policy(point)
    scores = detection.detector.score(Look(point, out, policy, np.ones(2, dtype=np.bool_)), memory)
    assert scores.requires_grad == DETECTORS.get(name).smooth


def test_suspicion_is_how_far_a_score_is_above_the_usual_ones_in_deviations():
    class Sum(DETECTORS.get("squeeze")):
        name = "sum"

        def score(self, look, memory):
            return look.obs.sum(dim=1)

    scores = torch.cat([torch.zeros(50), torch.full((50,), 2.0)])  # deviation 1, and the highest usual ones are 2
    found = Fitted({"clean scores": scores, "clean episode": torch.zeros(100, dtype=torch.int64)})
    detection = Detection(Sum(Sum.config_type(rate=0.1), NUMBERS), found)
    asked = look(torch.tensor([[1.0, 1.0], [3.0, 2.0], [-9.0, 0.0], [math.nan, 0.0]]))
    assert detection.suspicion(asked, None).tolist() == [0.0, 3.0, 0.0, 0.0]
    assert detection(asked, None)[0][:3].tolist() == [0.0, 3.0, -11.0]
