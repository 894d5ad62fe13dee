"""Defended agents that learn little: recipes of every regime, as small as they get."""

from rlattack.training import TrainDefended, train
from rlattack.training.defended import Room
from rlattack.training.settings import CONTROL, VECTORS
from tests.kit.learning import Diary

COINS = {"game": "coins/any", "eps": 0.3, "space": "raw"}
TEACHER = {**COINS, "victim": "tests.kit.players:coin", "envs": 8}
ARM = {"game": "gymnasium/Pendulum-v1", "eps": 0.1, "space": "sigma"}
RECIPES = [
    (COINS, "none"),
    (ARM, "smoothed"),
    (COINS, "sa:steps=2"),
    (COINS, "sa:solver=crown-ibp"),
    (COINS, "radial"),
    (COINS, "bar:steps=2"),
    (COINS, "car:solver=convex"),
    (ARM, "wocar:steps=2"),
    (COINS, "atla:kappa=0.1"),
    (ARM, "pa-atla"),
    (COINS, 'adversarial:attack="pgd:steps=2,loss=margin",share=1,pool=50,layer=hidden'),
    (COINS, "natural:changes=missing+delay+action-slip"),
    (TEACHER, "distil:updates=16,batch=8"),
    (
        {**TEACHER, "eps": None},
        "garbage:updates=16,batch=8,rounds=1,evolutions=1,queries=40",
    ),
]
"""Every regime, as small as it gets."""
MORE_RECIPES = [
    (TEACHER, "distil:updates=16,batch=8,solver=pgd"),
    (COINS, "sa:solver=convex"),
    (COINS, "car:steps=2"),
    (COINS, "wocar:steps=2"),
    (COINS, "pa-atla"),
    (ARM, "sa:steps=2"),
    (ARM, "sa:solver=convex"),
    (ARM, "sa:solver=crown-ibp"),
    ({**COINS, "game": "gymnasium/CartPole-v1", "eps": 0.05}, "sa:solver=crown-ibp"),
    (ARM, "radial"),
    (ARM, "car:steps=2"),
    (ARM, "car:solver=convex"),
    (ARM, "bar:steps=2"),
    (ARM, "atla:kappa=0.1"),
    (ARM, "adversarial:attack=noise,pool=50"),
    (ARM, "natural"),
]
"""On the other kind of actions, and by other ways."""


def learn_little(monkeypatch):
    """Small batches, so that little is learned."""
    monkeypatch.setitem(CONTROL, "ppo", CONTROL["ppo"] | {"batch": 64, "minibatches": 2, "n_epochs": 1})
    monkeypatch.setitem(VECTORS, "ppo", VECTORS["ppo"] | {"n_steps": 16, "minibatches": 2, "n_epochs": 2})
    monkeypatch.setitem(VECTORS, "dqn", VECTORS["dqn"] | {"every": 8, "updates": 1, "learning_starts": 16})


def recipe(folder, **values):
    default = {
        **COINS, "defence": "sa:steps=2", "steps": 256, "envs": 4, "checkpoint_every": 128, "episodes": 3, "tuning": 2,
        "agent": "my/own",
    }  # fmt: skip
    return TrainDefended(**default | values, run=folder)


def run(folder, watch=None, **values):
    (shipped,) = train(recipe(folder, **values), watch or Diary(), "rlattack ...")
    return shipped


def learned(folder, watch=None, **values):
    """What a recipe makes of its first seed, which is not scored."""
    room = Room(recipe(folder, **values), "rlattack ...")
    room.regime.begin(room.ground)
    return room.regime.learn(room.ground, 0, watch or Diary())
