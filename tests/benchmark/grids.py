"""Grids of games that are known by hand, as files, and what was made of them."""

import json

import torch

from rlattack.benchmark import plan_grid, play_grid, rank, read_grid, write_leaderboard
from rlattack.benchmark.tables import stable
from rlattack.policies.network import Network, NetworkSpec
from tests.kit.agents import save_network
from tests.kit.games import made  # noqa: F401  # registers the games that are named here

COINS = """
schema = "rlattack/grid/1"
title = "Coins"

[defaults]
episodes = 6
envs = 4
space = "raw"

[[tables]]
games = ["coins/any"]
victims = ["tests.kit.players:coin"]
attack = ["fgsm:loss=margin", "pgd:steps=2,loss=margin"]
eps = [0.5, 1.5]
"""


def written(folder, text=COINS, name="coins"):
    """A grid's file."""
    path = folder / f"{name}.toml"
    path.write_text(text)
    return str(path)


def planned(folder, text=COINS, **more):
    return plan_grid(read_grid(written(folder, text, **more)))


def silent(name, plan):
    return lambda episode, kept: None, lambda cell, steps: None, lambda: None


def played(program, folder, **more):
    """What is left in the folder of a grid: its leaderboard, and that of its file without speeds."""
    board = rank(program, play_grid(program, folder, watch=silent, workers=1, **more))
    write_leaderboard(board, folder)
    return board, stable(json.loads((folder / "leaderboard.json").read_text()))


def chooser(folder, seed, scale=1.0):
    """An agent of `coins/any` with random weights."""
    torch.manual_seed(seed)
    network = Network(NetworkSpec(observation=(2,), actions=2, head="q", scale=1.0, actor=(4,)))
    for tensor in network.parameters():
        tensor.data *= scale
    return save_network(folder, "coins/any", network)


def two(folder, text=COINS):
    """The grid of one more agent, of random weights."""
    other = chooser(folder / "other", 0, scale=20.0)
    return text.replace('["tests.kit.players:coin"]', json.dumps(["tests.kit.players:coin", other]))
