"""Benchmarks: grids of agents and attacks, played into a leaderboard that anybody can check."""

from rlattack.benchmark.grid import Grid, read_grid
from rlattack.benchmark.leaderboard import rank
from rlattack.benchmark.play import play_grid
from rlattack.benchmark.program import Program, plan_grid
from rlattack.benchmark.publish import write_leaderboard
from rlattack.benchmark.standing import Leaderboard

__all__ = ["Grid", "Leaderboard", "Program", "plan_grid", "play_grid", "rank", "read_grid", "write_leaderboard"]
