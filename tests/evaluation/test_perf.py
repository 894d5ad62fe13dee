import pytest
import torch

from rlattack.evaluation.baseline import baselines
from rlattack.evaluation.cell import AgentRef
from rlattack.evaluation.perf import Play, measure
from rlattack.games import find_game
from rlattack.policies import load_policy
from rlattack.policies.network import with_torch_gradients


def test_share_is_play_over_its_bound():
    assert Play(steps_per_second=80, bound=100, resets_per_step=0).share == 0.8


def test_every_part_and_play_of_a_plain_game_is_measured_and_no_bound_is_above_its_slowest_part():
    agent = AgentRef("gymnasium/CartPole-v1/dqn", "", "")
    found = measure(find_game("gymnasium/CartPole-v1"), agent, envs=2, workers=2, seconds=0.08)
    assert found.parts.keys() == {"environment", "forward", "gradient", "reset"}
    assert min(found.parts.values()) > 0
    assert found.plays.keys() == {"clean", "fgsm", "pgd-10"}
    for play in found.plays.values():
        assert 0 < play.bound < found.parts["environment"]
    # ten gradients and a forward more
    assert found.plays["pgd-10"].bound < found.plays["fgsm"].bound < found.plays["clean"].bound
    assert found.others == {}


def test_other_loops_play_the_network_as_torch_computes_it_and_count_their_steps():
    pytest.importorskip("foolbox")
    policy = load_policy("atari/pong/ppo").policy
    card = find_game("atari/pong")
    for loop in baselines(card, policy, 2, 1 / 255).values():
        loop(0.05)
        assert loop.speed > 0


def test_torch_gradients_are_those_of_the_fast_convolution():
    policy = load_policy("atari/pong/ppo").policy
    plain = with_torch_gradients(policy.module)
    assert not any(type(part).__name__ == "_Strided" for part in plain.modules())
    obs = torch.rand(2, 4, 84, 84, generator=torch.Generator().manual_seed(0)).mul_(255).requires_grad_(True)
    ours, theirs = (torch.autograd.grad(module(obs)[0].sum(), obs)[0] for module in (policy.module, plain))
    assert torch.allclose(ours, theirs, atol=1e-6 * float(theirs.abs().max()))
