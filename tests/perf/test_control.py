import sys

import pytest

from rlattack.errors import MissingExtra
from rlattack.games import find_game
from rlattack.perf.control import measure_control

pytest.importorskip("mujoco")


def test_a_control_task_stands_beside_gymnasium_s_own():
    pytest.importorskip("imageio", reason="Gymnasium's own tasks import it")
    found = measure_control(find_game("mujoco/hopper"), seconds=0.01, slots=4, processes=1)
    (random,), (training,) = found["random"].speeds, found["training"].speeds
    assert found["random"].setting == {"slots": 4}
    assert found["training"].setting == {"slots": 4, "processes of SubprocVecEnv": 1}
    assert (random.name, random.beside) == ("random play in slots", "Gymnasium's SyncVectorEnv")
    assert (training.name, training.beside) == ("training in slots", "single games in SubprocVecEnv")
    assert min(random.per_second, random.reference, training.per_second, training.reference) > 0


def test_without_what_gymnasium_s_own_needs_it_is_said_which(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio", None)
    for name in [name for name in sys.modules if name.startswith("gymnasium.envs.mujoco")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtra, match=r"beside Gymnasium's own Hopper-v5: .*imageio"):
        measure_control(find_game("mujoco/hopper"), seconds=0.01)
