"""Environments that misbehave are told in one line, and are no fault of an attack."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.errors import InvalidInput
from rlattack.evaluation import Study, evaluate


class Bad(gymnasium.Env):
    """Three steps of one number; does one thing wrong."""

    observation_space, action_space = Box(-1.0, 1.0, (2,), np.float32), Discrete(2)

    def __init__(self, wrong: str) -> None:
        self.wrong, self.steps = wrong, 0

    def shown(self):
        value = {"shows nothing": np.nan, "shows more": 3.0}.get(self.wrong, 0.5) if self.steps else 0.5
        return np.full(2, value, dtype=np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.shown(), {}

    def step(self, action):
        self.steps += 1
        if self.wrong == "fails" and self.steps == 2:
            raise ValueError("the cat sat on the keyboard")
        reward = np.inf if self.wrong == "pays more" and self.steps == 2 else 1.0
        return self.shown(), reward, self.steps == 3, False, {}


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(wrong, **changes):
        name = f"Bad{wrong.title().replace(' ', '')}-v0"
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=Bad, kwargs={"wrong": wrong})
        return Study(
            game=f"gymnasium/{name}", players=("tests.evaluation.test_bad_games:first",), episodes=2, envs=2, **changes
        )

    return make


def first():
    """A policy that chooses by its first number."""
    module = torch.nn.Linear(2, 2)
    with torch.no_grad():
        module.weight.copy_(torch.eye(2))
        module.bias.zero_()
    return module


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("shows nothing", r"game gymnasium/BadShowsNothing-v0: shows what is no finite number"),
        ("pays more", r"game gymnasium/BadPaysMore-v0: pays what is no finite number"),
        ("fails", r"fails in play: ValueError: the cat sat on the keyboard"),
    ],
)
def test_a_game_that_misbehaves_is_one_line(study, wrong, said):
    with pytest.raises(InvalidInput, match=said):
        evaluate(study(wrong), workers=1)


def test_values_outside_the_space_of_a_game_are_not_blamed_on_the_attack(study):
    clean, *attacked = evaluate(study("shows more", attack=("noise",), eps=(0.1,), space="raw"), workers=1).cells
    assert clean.ok
    (status,) = (cell.status for cell in attacked)
    assert status == "failed: the game showed values outside its own space in 4 of 6 steps"
