"""Gymnasium environments of every kind of space, and ones that misbehave, each in one way; importing registers them.

As a user's own package has them: `gymnasium/tests.kit.environments:Maze-v0`.
"""

import copy
import os
import sys
from typing import Any, ClassVar

import gymnasium
import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple

PACKAGE = "gymnasium/tests.kit.environments:"


class Shown(gymnasium.Env):
    """Shows what it draws from its space for `length` steps; `done` keeps the actions that it was given."""

    observation_space: Space = Box(-1.0, 1.0, (4,), np.float32)
    action_space: Space = Discrete(2)

    def __init__(self, length: int = 3) -> None:
        self.length, self.time = length, 0
        self.observation_space = copy.deepcopy(self.observation_space)  # draws of its own
        self.done: list[Any] = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.time = 0
        return self.observation_space.sample(), {}

    def step(self, action):
        self.time += 1
        self.done.append(action)
        return self.observation_space.sample(), 1.0, self.time >= self.length, False, {}


class Maze(Shown):
    """A picture with its channels last, a choice, a text and a Dict in the Dict, in that order."""

    observation_space = Dict(
        picture=Box(0, 255, (5, 4, 3), np.uint8), compass=Discrete(4, start=1), mission=Text(20),
        body=Dict(speed=Box(-2.0, 2.0, (2,), np.float32)),
    )  # fmt: skip


class Cards(Shown):
    """Nothing but choices."""

    observation_space = Tuple([Discrete(3), MultiDiscrete([2, 3]), MultiBinary(2)])


class Picture(Shown):
    """A picture with its channels last, whose bytes count the steps."""

    observation_space = Box(0, 255, (16, 14, 3), np.uint8)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.full((16, 14, 3), 10, dtype=np.uint8), {}

    def step(self, action):
        _, *rest = super().step(action)
        return np.full((16, 14, 3), 10 + self.time, dtype=np.uint8), *rest


class Arm(Shown):
    """Continuous actions, one range an entry."""

    action_space = Box(np.float32([-1, -2]), np.float32([1, 0.5]))

    def step(self, action):
        assert self.action_space.contains(action), f"{action} is out of range"
        return super().step(action)


class Grid(Shown):
    """Continuous actions on two axes."""

    action_space = Box(-1.0, 1.0, (2, 3), np.float64)


class Buttons(Shown):
    """Several choices at once, the second of which counts from 5."""

    action_space = MultiDiscrete([2, 3], start=[0, 5])


class Switches(Shown):
    """Several switches at once."""

    action_space = MultiBinary(3)


class Masked(Shown):
    """Of three actions only the one of the step's number is legal."""

    action_space = Discrete(3)

    def action_masks(self):
        return np.arange(3) == self.time % 3

    def step(self, action):
        assert action == self.time % 3, "illegal"
        return super().step(action)


class Mismasked(Masked):
    """Tells of two of its three actions."""

    def action_masks(self):
        return np.ones(2)


class Beyond(Shown):
    """Shows numbers up to 50 beyond what it declares."""

    def step(self, action):
        obs, *rest = super().step(action)
        return obs + np.float32([50, -50, 0, 0]), *rest


class Bad(Shown):
    """Does one thing wrong in its second step, or in its reset."""

    def __init__(self, wrong: str) -> None:
        super().__init__()
        self.wrong = wrong

    def reset(self, *, seed=None, options=None):
        if self.wrong == "reset":
            raise RuntimeError("no world\ntoday")
        if self.wrong == "reset-old":
            return super().reset(seed=seed)[0]
        return super().reset(seed=seed)

    def step(self, action):
        found = super().step(action)
        return found if self.time < 2 else self.misbehave(*found)

    def misbehave(self, obs, reward, *rest):
        match self.wrong:
            case "step":
                raise ValueError("the cat sat\non the keyboard")
            case "exit":
                os._exit(3)
            case "leave":
                sys.exit("bye")
            case "silence":
                raise StopIteration
            case "nothing" | "three":
                return None if self.wrong == "nothing" else (obs, reward, False)
            case "old":
                return obs, reward, False, {}
            case "shape":
                return np.zeros(5, np.float32), reward, *rest
            case "complex-shown" | "text-shown":
                return obs.astype(complex if self.wrong == "complex-shown" else str), reward, *rest
            case "nan-shown" | "inf-shown":
                return np.full(4, np.nan if self.wrong == "nan-shown" else np.inf, np.float32), reward, *rest
            case _:
                paid = {"nan": np.nan, "inf": -np.inf, "none": None, "huge": 1e200, "two": np.ones(2), "text": "much"}
                return obs, paid[self.wrong.removesuffix("-paid")], *rest


class Endless(Shown):
    """Never ends."""

    def step(self, action):
        obs, reward, *_ = super().step(action)
        return obs, reward, False, False, {}


class Keyless(Maze):
    """Shows no picture in its second step."""

    wrong: ClassVar[str] = "picture"

    def step(self, action):
        obs, *rest = super().step(action)
        return {key: value for key, value in obs.items() if self.time < 2 or key != self.wrong}, *rest


WRONG = {
    "reset": "fails in reset: RuntimeError: no world today",
    "reset-old": r"its reset gives no \(observation, info\), as one of the old Gym",
    "step": "fails in step: ValueError: the cat sat on the keyboard",
    "old": "its step gives 4 values, expected 5: observation, reward, terminated, truncated, info",
    "leave": "fails in step: SystemExit: bye(;|$)", "silence": "fails in step: StopIteration(;|$)",
    "nothing": "its step gives NoneType, expected 5", "three": "its step gives 3 values, expected 5: .*, info(;|$)",
    "complex-shown": "shows observations of complex128 that are no float32, which its space declares",
    "text-shown": "shows observations of <U32 that are no float32", "huge-paid": "pays what is no finite number",
    "two-paid": r"pays float64 of shape \(2,\), expected one number",
    "text-paid": r"pays <U4 of shape \(\), expected one number",
    "shape": r"shows observations of shape \(5,\), its space declares \(4,\)",
    "nan-shown": "shows what is no finite number of 32 bits", "inf-shown": "shows what is no finite number of 32 bits",
    "nan-paid": "pays what is no finite number of 32 bits", "inf-paid": "pays what is no finite number of 32 bits",
    "none-paid": "pays what is no finite number of 32 bits",
}  # fmt: skip
"""What `Bad-<key>-v0` is to be told."""

for _kind in (
    Shown, Maze, Cards, Picture, Arm, Grid, Buttons, Switches, Masked, Mismasked, Beyond, Endless, Keyless,
):  # fmt: skip
    gymnasium.register(f"{_kind.__name__}-v0", f"tests.kit.environments:{_kind.__name__}")
for _wrong in (*WRONG, "exit"):
    gymnasium.register(f"Bad-{_wrong}-v0", "tests.kit.environments:Bad", kwargs={"wrong": _wrong})


def first_of_four() -> torch.nn.Module:
    """A policy that acts by the sign of the first of four numbers."""
    module = torch.nn.Linear(4, 2, bias=False)
    module.weight.data = torch.tensor([[0.0, 0, 0, 0], [0.03, 0, 0, 0]])
    return module


def of_the_maze() -> torch.nn.Module:
    """A policy that acts by all numbers of a flattened `Maze`."""
    module = torch.nn.Linear(66, 2, bias=False)
    module.weight.data = torch.stack([torch.zeros(66), torch.linspace(-1, 1, 66)])
    return module


def of_the_cards() -> torch.nn.Module:
    """A policy of the ten numbers of a flattened `Cards`."""
    module = torch.nn.Linear(10, 2, bias=False)
    module.weight.data = torch.ones(2, 10)
    return module
