"""Looking ahead from the command to the result, and the games in which it cannot be."""

import pytest

from rlattack.errors import InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.plan import plan
from tests.kit.games import made  # noqa: F401  # registers the games
from tests.kit.ledge import FALL

LEDGE = {
    "game": "ledge/any", "players": ("tests.kit.ledge:careful",), "attack": ("pgd:target=planned",), "eps": (2.0,),
    "space": "raw", "envs": 2, "episodes": 6, "actions": "greedy", "when": ("critical:n=2,horizon=4",),
}  # fmt: skip


def test_an_episode_is_lost_by_the_few_steps_that_count_whatever_the_number_of_workers(tmp_path):
    one, two = (evaluate(Study(**LEDGE), run=tmp_path / str(n), workers=n) for n in (1, 2))
    assert [cell.seats for cell in one.cells] == [cell.seats for cell in two.cells]
    assert one.ok
    clean, noise, attacked = one.cells
    starts = [1 + episode.seed % 4 for episode in episodes(one, clean)]
    lost = [start - 1 - FALL if start <= 2 else 6.0 for start in starts]
    assert [episode.seats[0].score for episode in episodes(one, attacked)] == lost
    assert (attacked.attack.looks_ahead, attacked.attack.schedule) == (True, LEDGE["when"][0])
    assert noise.attacked.queries > 0  # those of its schedule


def episodes(results, cell):
    """What was kept of a cell."""
    from rlattack.evaluation.store import Store

    (planned,) = [one for one in results.plan.cells if one.key == cell.cell]
    return Store(results.fits.parent, print).read(planned).episodes


def test_a_player_of_a_duel_is_led_along_a_plan(tmp_path):
    study = Study(
        game="mujoco/you-shall-not-pass", players=("mujoco/you-shall-not-pass/adversary-runner-v1", "random"),
        victim="0", attack="pgd:target=planned", when="enchanting:n=2,horizon=3,plans=4,rounds=1", eps=0.1,
        space="sigma", episodes=1, envs=1, max_steps=3,
    )  # fmt: skip
    clean, noise, led = evaluate(study, run=tmp_path, workers=1).cells
    assert led.ok
    assert led.attacked.name == "blocker"
    assert (clean.attacked.queries, noise.attacked.attacked, led.attacked.attacked) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"game": "coins/any", "players": ("random",)}, "--when critical: game coins/any cannot be played ahead from "),
        (
            {"game": "pettingzoo/connect_four_v3", "players": ("random", "random")},
            "--when critical: game pettingzoo/connect_four_v3 cannot be played ahead .* its seats take turns",
        ),
        ({"attack": ("universal:target=planned",)}, "attack universal learns before anything is planned"),
    ],
)
def test_what_cannot_look_ahead_is_refused_before_play(changed, message):
    with pytest.raises(InvalidInput, match=message):
        plan(Study(**LEDGE | {"when": ("critical",)} | changed))
