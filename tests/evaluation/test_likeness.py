"""How like a target's what a victim does is, by actions that are known by hand."""

import numpy as np
import pytest
import torch

from rlattack.errors import InvalidInput
from rlattack.evaluation.likeness import CLEAN, DOES, Likeness, LikenessConfig, alike
from rlattack.evaluation.observer import Moment
from rlattack.evaluation.observers import check_observers, code_of_observer
from rlattack.games import Seat
from rlattack.policies.distributions import Categorical, Choices, Point
from rlattack.policies.load import load_agent
from rlattack.policies.policy import Output
from tests.kit.agents import CARTPOLE, gaussian_policy, linear_policy

DQN = "gymnasium/CartPole-v1/dqn"


def see(observer, actions, clean, acting=(True, True), seat=0, shown=None):
    scores = torch.nn.functional.one_hot(torch.tensor(clean), 3).float()
    out, did = Output(Categorical(scores)), torch.tensor(actions)
    shown = torch.zeros(2, 4) if shown is None else shown
    observer.see(
        Moment(
            seat=seat, acting=np.asarray(acting), episode=np.zeros(2, dtype=np.int64), shown=shown.numpy(),
            received=shown, before=None, out=out, chosen=did, action=did, legal=None, ask=lambda: out,
        )
    )  # fmt: skip


def test_it_counts_what_was_done_and_what_would_have_been_done_unattacked():
    observer = Likeness(0, 2, LikenessConfig(target=2))
    see(observer, (2, 0), (2, 2))
    see(observer, (1, 2), (2, 0), acting=(True, False))
    see(observer, (2, 2), (0, 0), seat=1)
    assert observer.collect(0) == {DOES: 0.5, CLEAN: 1.0}
    assert observer.collect(1) == {DOES: 0.0, CLEAN: 1.0}
    assert observer.collect(1) == {DOES: None, CLEAN: None}


def test_an_agent_is_asked_about_what_is_truly_shown():
    policy = load_agent(DQN).policy
    shown = torch.tensor([[0.0, 0.0, 0.1, 1.0], [0.0, 0.0, -0.1, -1.0]])
    first, second = policy(shown, None).actions.greedy.tolist()
    assert first != second
    observer = Likeness(0, 2, LikenessConfig(target=f"agent:{DQN}"))
    see(observer, (first, first), (first, second), shown=shown)
    assert (observer.collect(0), observer.collect(1)) == ({DOES: 1.0, CLEAN: 1.0}, {DOES: 0.0, CLEAN: 1.0})


def test_numbers_are_as_like_as_they_are_near_and_several_choices_as_many_as_agree():
    low, high = torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 4.0])
    point = Point(torch.zeros(2, 2), low, high)
    like = alike(torch.tensor([[1.0, 4.0], [0.0, 1.0]]), torch.tensor([[-1.0, 0.0], [0.0, 2.0]]), point)
    assert like.tolist() == [0.0, 0.875]
    choices = Choices(torch.zeros(1, 5), (2, 3))
    assert alike(torch.tensor([[1, 2]]), torch.tensor([[1, 0]]), choices).tolist() == [0.5]


@pytest.mark.parametrize(
    ("target", "policy", "message"),
    [
        ("2", linear_policy(torch.zeros(2, 4)), "target: expected an action 0 to 1, or agent:NAME, got 2"),
        ("0", gaussian_policy(4), "target: expected agent:NAME of an agent of such actions, got 0"),
        (f"agent:{DQN}", gaussian_policy(4), "expected an agent that sees"),
        ("agent:zero", linear_policy(torch.zeros(2, 4)), "expected an agent that looks at the game"),
    ],
)
def test_a_target_that_does_not_fit_is_refused(target, policy, message):
    with pytest.raises(InvalidInput, match=message):
        check_observers((f"likeness:target={target}",), policy, Seat("it", CARTPOLE.observation, policy.action))


def test_what_was_measured_beside_another_agent_is_not_taken_for_this_one(tmp_path):
    with_it = code_of_observer(f"likeness:target=agent:{DQN}")
    assert with_it == load_agent(DQN).identity
    assert code_of_observer("likeness:target=1") == code_of_observer("margins") == ""
