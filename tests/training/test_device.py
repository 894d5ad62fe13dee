"""Learning on another device: what is learned there is what is learned here."""

import pytest
import torch

from rlattack.errors import InvalidInput
from rlattack.policies.folder import read_agent
from rlattack.training import train
from rlattack.training.algorithms import make_learner
from rlattack.training.defended import Room as Hardening
from rlattack.training.export import export
from rlattack.training.perturber import Room
from rlattack.training.recipes import TrainDefended, TrainPerturber, TrainRounds, TrainSingle, TrainVictim
from rlattack.training.settings import VECTORS
from rlattack.training.watch import Watch
from tests.kit.agents import gaussian_agent
from tests.kit.learning import vec
from tests.kit.second_device import SECOND, second_device


def learned(device, algo, space, action=None):
    recipe = TrainSingle(game="test", algo=algo, steps=1024, envs=2, device=device)
    model = make_learner(recipe, vec(space, recipe.envs, action), recipe.seed)
    before, model = weights(model), model.learn(512)
    assert any(not torch.equal(before[name], one) for name, one in weights(model).items())
    return model, weights(model)


def weights(model):
    return {name: one.clone() for name, one in export(model).state_dict().items()}


def assert_alike(there, here, rtol, atol):
    for name, tensor in here.items():
        torch.testing.assert_close(there[name], tensor, rtol=rtol, atol=atol, msg=lambda said: f"{name}: {said}")  # noqa: B023  # used at once


def assert_learns_alike(learns, rtol, atol):
    """What is learned on a device, by its name, is the same on both, and something comes back from the second."""
    here = learns("cpu")
    with second_device() as crossings:
        there = learns(SECOND)
    assert crossings.back
    assert_alike(there, here, rtol, atol)


@pytest.mark.parametrize(("algo", "space"), [("ppo", "vectors"), ("a2c", "vectors"), ("dqn", "vectors")])
def test_a_learner_learns_there_what_it_learns_here(algo, space):
    _, here = learned("cpu", algo, space)
    with second_device() as crossings:
        model, there = learned(SECOND, algo, space)
        assert {one.device.type for one in model.policy.parameters()} == {SECOND}
        assert all(one.device.type == "cpu" for one in there.values())
    assert crossings.back
    assert_alike(there, here, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("attack", "towards"), [("pa-ad", False), ("sa-rl", False), ("sa-rl", True)])
def test_a_perturber_learns_there_what_it_learns_here(working_folder, attack, towards):
    victim = gaussian_agent(working_folder / "victim", "tug/any", 3, seat="right", clip=5.0)
    target = gaussian_agent(working_folder / "target", "tug/any", 3, seat="right", clip=5.0, seed=1)

    def perturbs(device):
        recipe = TrainPerturber(
            game="tug/any", victim=victim, opponent="tests.kit.learning:weak", attack=attack, eps=0.5, space="sigma",
            batch=32, minibatch=16, envs=2, device=device, towards=target if towards else None,
        )  # fmt: skip
        return weights(Room(recipe, "").learner(0).make(0).learn(96))

    assert_learns_alike(perturbs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("defence", "algo"),
    [
        ("sa:steps=2", "ppo"), ("sa:solver=convex", "dqn"), ("radial", "ppo"), ("car:steps=2", "dqn"), ("wocar", "ppo"),
        ("adversarial:pool=20", "ppo"), ("atla", "ppo"), ("smoothed", "ppo"), ("natural:changes=missing", "ppo"),
        ("sa:solver=crown-ibp", "ppo"),
    ],
)  # fmt: skip
def test_a_regime_hardens_there_as_here(tmp_path, monkeypatch, defence, algo):
    monkeypatch.setitem(VECTORS, "ppo", VECTORS["ppo"] | {"n_steps": 16, "n_epochs": 2})
    monkeypatch.setitem(VECTORS, "dqn", VECTORS["dqn"] | {"every": 16, "updates": 4, "learning_starts": 16})

    def hardened(device):
        recipe = TrainDefended(
            game="gymnasium/CartPole-v1", eps=0.1, space="raw", defence=defence, algo=algo, steps=64, envs=2,
            device=device, run=tmp_path,
        )  # fmt: skip
        return weights(Hardening(recipe, "").ground.learner(0).make(0).learn(64))

    assert_learns_alike(hardened, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("defence", ["distil:updates=40,batch=8", "distil:updates=40,batch=8,solver=pgd"])
def test_a_student_learns_there_what_it_learns_here(tmp_path, monkeypatch, defence):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a second CPU")

    def taught(device):
        recipe = TrainDefended(
            game="coins/any", eps=0.1, space="raw", defence=defence, victim="tests.kit.players:coin", steps=64,
            checkpoint_every=32, seeds=(3,), device=device, run=tmp_path / device,
        )  # fmt: skip
        room = Hardening(recipe, "")
        trained = room.regime.learn(room.ground, 3, Watch())
        return read_agent(trained.folder)[1].state_dict()

    assert_learns_alike(taught, rtol=1e-4, atol=1e-5)


def test_no_gpu_is_said_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match="--device cuda:99: "):
        train(TrainVictim(game="gymnasium/CartPole-v1", steps=100, device="cuda:99"))
    assert not list(tmp_path.iterdir())


def test_rounds_hand_the_device_on():
    recipe = TrainRounds(game="mujoco/sumo-ants", victim="some", device="cuda")
    assert recipe.attack(1).device == recipe.defence(1).device == "cuda"


@pytest.mark.gpu
def test_a_learner_learns_on_a_gpu(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (shipped,) = train(TrainVictim(game="gymnasium/CartPole-v1", algo="ppo", steps=2000, device="cuda", episodes=2))
    assert shipped.score.table["mean"] > 0
