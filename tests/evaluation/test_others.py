"""Agents that others trained and published play what they are said to, and their adversaries harm them as measured."""

from pathlib import Path

import pytest

from rlattack.evaluation import Study, evaluate

pytest.importorskip("mujoco")
_CONTROL, _SB3 = (Path(__file__).parents[2] / "../shared/zoo" / name for name in ("control/hopper", "sb3"))


def played(tmp_path, agent, game="mujoco/hopper", **options):
    """Cells of Hopper, eight episodes."""
    if not agent.is_file():
        pytest.skip("the agents that others trained are not on this machine")
    study = Study(game=game, players=(str(agent),), actions="greedy", episodes=8, seed=5, **options)
    return evaluate(study, run=tmp_path / "run").cells


@pytest.mark.slow
def test_a_published_adversary_takes_from_its_victim_what_an_independent_script_measured(tmp_path):
    """PPO of Zhang et al. 2021, in v4: 566 (sd 23) of 1808, where noise leaves 1810."""
    agent, adversary = _CONTROL / "model-ppo-hopper.model", _CONTROL / "attack-ppo-hopper.model"
    attack = f'perturber:agent="{adversary}",transfer=true'
    cells = played(tmp_path, agent, "gymnasium/Hopper-v4", attack=(attack,), eps=0.075, space="sigma")
    clean, noise, attacked = (cell.victim_seat for cell in cells)
    assert attacked.returns.mean == pytest.approx(566, abs=4 * 23)
    assert attacked.sizes["linf"] == pytest.approx(0.075, rel=1e-4)
    assert min(clean.returns.mean, noise.returns.mean) > 1200


@pytest.mark.slow
def test_a_zip_with_statistics_scores_what_is_published_beside_it_and_nothing_without_them(tmp_path):
    """TRPO of the zoo of Stable-Baselines3: 3618 by its benchmark, 3562 (sd 492) by its own last evaluation."""
    agent = _SB3 / "trpo" / "Hopper-v3_1" / "Hopper-v3.zip"
    (clean,) = played(tmp_path, agent, attack=("none",))
    assert (clean.published.mean, clean.published.note) == (pytest.approx(3561.6, abs=0.1), "")
    assert clean.victim_seat.returns.mean == pytest.approx(3618, abs=2 * 492)
    (without,) = played(tmp_path / "without", agent, attack=("none",), normaliser="none")
    assert without.victim_seat.returns.mean < 1000
    assert "--normaliser none leaves out its statistics" in without.published.note
