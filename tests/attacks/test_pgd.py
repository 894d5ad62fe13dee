import pytest
import torch


def loss_of(policy, obs, received):
    return torch.nn.functional.cross_entropy(
        policy(received).actions.scores, policy(obs).actions.greedy, reduction="none"
    )


def margin_of(policy, obs, received):
    scores, label = policy(received).actions.scores, policy(obs).actions.greedy[:, None]
    return scores.scatter(1, label, -torch.inf).amax(1) - scores.gather(1, label)[:, 0]


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_on_a_linear_policy_it_ends_where_one_step_of_the_whole_budget_goes(obs, attack_with, two, norm):
    best = margin_of(two, obs, attack_with(two, "fgsm", norm, 0.01, loss="margin")(obs))
    start = margin_of(two, obs, obs)
    for parameters in ({"random_start": False}, {"steps": 40}):
        found = margin_of(two, obs, attack_with(two, "pgd", norm, 0.01, loss="margin", **parameters)(obs))
        assert ((found - start) > 0.97 * (best - start)).all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_one_step_without_a_random_start_is_fgsm(policy, obs, attack_with, norm):
    once = attack_with(policy, "pgd", norm, 0.01, steps=1, step=0.01, random_start=False)(obs)
    assert torch.equal(once, attack_with(policy, "fgsm", norm, 0.01)(obs))


@pytest.mark.parametrize("levels", [1, 2])
def test_on_the_byte_grid_small_steps_add_up(policy, obs, attack_with, levels):
    received = attack_with(policy, "pgd", "linf", levels / 255, steps=10, grid=True)(obs)
    delta = (received - obs).abs()
    inside = (obs >= levels) & (obs <= 255 - levels)
    assert (delta[inside] == levels).float().mean() > 0.95  # of a linear policy every entry goes all the way
    assert torch.equal(received, received.round())


@pytest.mark.parametrize("grid", [False, True])
def test_more_restarts_are_never_worse(policy, obs, attack_with, grid):
    losses = [
        loss_of(policy, obs, attack_with(policy, "pgd", "linf", 0.02, steps=1, step=0.004, restarts=n, grid=grid)(obs))
        for n in (1, 2, 5)
    ]
    assert (losses[1] >= losses[0]).all()
    assert (losses[2] >= losses[1]).all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_starts_are_random_and_seeded(policy, obs, attack_with, norm):
    def first(**parameters):
        return attack_with(policy, "pgd", norm, 0.02, steps=1, step=1e-6, **parameters)(obs)

    assert torch.equal(first(), first())
    off = (first() - obs).flatten(1)
    assert (off.abs().sum(dim=1) > 1).all()
    assert not torch.equal(off[0], off[1])
    assert (first(random_start=False) - obs).abs().max() < 0.1


def test_the_length_of_a_step_is_a_size_per_entry(policy, obs, attack_with):
    centre = obs * 0 + 100
    for norm in ("linf", "l2"):
        step = attack_with(policy, "pgd", norm, 0.1, steps=1, step=0.02, random_start=False)(centre) - centre
        assert float(step.square().mean().sqrt()) == pytest.approx(255 * 0.02, rel=1e-4)
