"""Lets the tests of this folder import `small_games`, and `small_duels` of the games' tests."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "games")]
