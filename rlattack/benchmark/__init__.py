"""Benchmarks: grids of agents and attacks, played into a leaderboard that anybody can check."""

from typing import TYPE_CHECKING

from rlattack.registry import lazily

if TYPE_CHECKING:
    from rlattack.benchmark.board import Leaderboard
    from rlattack.benchmark.counterexample import Counterexample, read_counterexample, write_counterexample
    from rlattack.benchmark.entry import Entry, read_entry, write_entry
    from rlattack.benchmark.grid import Grid
    from rlattack.benchmark.grid_file import read_grid
    from rlattack.benchmark.play import play_grid
    from rlattack.benchmark.program import Program, plan_grid
    from rlattack.benchmark.publish import write_leaderboard
    from rlattack.benchmark.ranking import rank
    from rlattack.benchmark.trials import plan_trials, try_all

__all__ = [
    "Counterexample", "Entry", "Grid", "Leaderboard", "Program", "plan_grid", "plan_trials", "play_grid", "rank",
    "read_counterexample", "read_entry", "read_grid", "try_all", "write_counterexample", "write_entry",
    "write_leaderboard",
]  # fmt: skip

__getattr__ = lazily(
    __name__, counterexample="Counterexample read_counterexample write_counterexample",
    entry="Entry read_entry write_entry", grid="Grid", grid_file="read_grid", ranking="rank",
    play="play_grid", program="Program plan_grid", publish="write_leaderboard", board="Leaderboard",
    trials="plan_trials try_all",
)  # fmt: skip
