"""Throughput: how fast games are played, attacked, stepped and learned from, each beside a bound or another's loop."""

from rlattack.perf.measure import measure
from rlattack.perf.seating import seat_victim
from rlattack.perf.table import Speed, SpeedTable

__all__ = ["Speed", "SpeedTable", "measure", "seat_victim"]
