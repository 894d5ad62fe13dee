"""Lets the tests of this folder and below import `small_duels` and the like."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
