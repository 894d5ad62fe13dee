import pytest
import torch

from rlattack.games import find_game
from rlattack.perf.baseline import baselines
from rlattack.policies import load_agent
from rlattack.policies.network import with_torch_gradients


@pytest.fixture
def policy():
    return load_agent("atari/pong/ppo").policy


@pytest.mark.parametrize(("kind", "forwards"), [("clean", 1), ("fgsm", 4)])
# foolbox asks twice: for the gradient, and whether it succeeded; the loop asks before and after
def test_other_loops_ask_the_network_as_torch_computes_it_and_step_the_game_as_often_as_they_count(
    policy, kind, forwards
):
    pytest.importorskip("foolbox")
    rows = []
    policy.module.register_forward_hook(lambda module, shown, _: rows.append((module, len(shown[0]))))
    loop = baselines(find_game("atari/pong"), policy, 2, 1 / 255)[kind]
    loop(0.2)
    assert loop.clock.steps > 0
    assert sum(count for _, count in rows) == forwards * loop.clock.steps
    assert {count for _, count in rows} == {2}
    assert all(module is not policy.module for module, _ in rows)  # a copy without our own gradients
    played = sum(ale.getFrameNumber() for ale in loop.venv.get_attr("ale"))
    assert 4 * loop.clock.steps <= played <= 4 * loop.clock.steps + 2 * 40  # no-ops and FIRE at the start of each game


def test_torch_gradients_are_those_of_the_fast_convolution(policy):
    plain = with_torch_gradients(policy.module)
    assert not any(type(part).__name__ == "_Strided" for part in plain.modules())
    obs = torch.rand(2, 4, 84, 84, generator=torch.Generator().manual_seed(0)).mul_(255).requires_grad_(True)
    ours, theirs = (torch.autograd.grad(module(obs)[0].sum(), obs)[0] for module in (policy.module, plain))
    assert torch.allclose(ours, theirs, atol=1e-6 * float(theirs.abs().max()))
