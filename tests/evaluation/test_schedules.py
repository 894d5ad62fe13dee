"""Schedules from the command to the result: how often an attack acts, and beside what it is read."""

import pytest

from rlattack.errors import InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.plan import plan
from tests.kit.games import made  # noqa: F401  # registers the games

BALANCE = {
    "game": "gymnasium/CartPole-v1", "players": ("tests.kit.players:balance",), "attack": ("fgsm",), "eps": (0.02,),
    "space": "raw", "envs": 2, "episodes": 3,
}  # fmt: skip
WHEN = ("timed:share=0.1", "random:share=0.1")


def test_no_more_than_the_share_is_attacked_with_each_control_at_the_steps_of_its_schedule(tmp_path):
    one, two = (evaluate(Study(**BALANCE, when=WHEN), run=tmp_path / str(n), workers=n) for n in (1, 2))
    assert [cell.seats for cell in one.cells] == [cell.seats for cell in two.cells]
    assert one.ok
    _, *attacked = one.cells
    assert [(cell.attack.name, cell.attack.schedule) for cell in attacked] == [
        ("noise", WHEN[0]), ("noise", WHEN[1]), ("fgsm", WHEN[0]), ("fgsm", WHEN[1]),
    ]  # fmt: skip
    assert all(0.05 < cell.attacked.attacked <= 0.1 for cell in attacked)
    timed_noise, noise, timed, random = (cell.attacked for cell in attacked)
    assert (timed_noise.queries, noise.queries) == (1.0, 0.0)
    assert (timed.gradients, random.gradients) == (timed.attacked, random.attacked)


def test_scores_are_learned_once_for_all_shares_and_attacks_and_kept(tmp_path):
    said = []
    shares = ("timed:share=0.1", "timed:share=0.3")
    results = evaluate(Study(**BALANCE, when=(*shares, WHEN[1])), run=tmp_path, workers=1, say=said.append)
    attacked = {cell.attack.schedule: cell.attacked.attacked for cell in results.cells[1:]}
    assert 0.05 < attacked[shares[0]] <= 0.1 < 0.15 < attacked[shares[1]] <= 0.3
    timings = {ref.timing for cell in results.plan.cells for ref in cell.attacks}
    assert said == ["fitting when timed:share=0.3 on tuning episodes"]
    assert [path.stem for path in results.fits.iterdir()] == [key for key in timings if key is not None]


def test_a_threshold_is_found_by_what_the_schedule_may_know_whatever_the_attack_may(tmp_path):
    (_, noise) = evaluate(Study(**BALANCE | {"attack": "noise", "when": WHEN[0]}), run=tmp_path, workers=1).cells
    assert 0.05 < noise.attacked.attacked <= 0.1


def test_a_cell_is_another_by_another_schedule():
    keys = [cell.key for cell in plan(Study(**BALANCE, when=("every", *WHEN, "random:share=0.2"))).cells]
    assert len(set(keys)) == len(keys) == 1 + 2 * 4


def test_random_timing_of_the_same_share_stands_beside_an_attack():
    cells = plan(Study(**BALANCE, when=("timed:share=0.1", "timed:threshold=0.5", "period:n=9"))).cells
    found = [(ref.spec.name, ref.schedule) for cell in cells for ref in cell.attacks]
    asked = ["timed:share=0.1", "timed:threshold=0.5", "period:n=9"]
    beside = ["timed:share=0.1", "random:share=0.1", "timed:threshold=0.5", "period:n=9"]
    assert found == [*(("noise", when) for when in asked), *(("fgsm", when) for when in beside)]


def test_a_schedule_that_needs_discrete_actions_is_refused_before_play():
    rope = BALANCE | {"game": "pull/any", "players": ("zero", "tests.kit.players:puller"), "attack": ("pgd",)}
    with pytest.raises(InvalidInput, match="--when timed: expected discrete actions; use random:share="):
        plan(Study(**rope, when=("timed:share=0.1",)))
    assert len(plan(Study(**rope, when=("random:share=0.1",))).cells) == 3
