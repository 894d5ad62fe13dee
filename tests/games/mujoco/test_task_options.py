"""The numbers of a control task's card, changed by a command."""

import pytest

from rlattack.errors import ContentError
from rlattack.evaluation import Study
from rlattack.games import find_game, with_variant


def changed(**args):
    return with_variant(find_game("mujoco/hopper"), options={"args": args})


def test_a_command_plays_older_rules_and_other_numbers():
    card = changed(rules="v4", healthy=0.5, z=[0.6, 2.0])
    assert (card.task.rules, card.task.healthy, card.task.z) == ("v4", 0.5, (0.6, 2.0))
    assert card.task.gymnasium_id == "Hopper-v4"
    assert card.task.noise == find_game("mujoco/hopper").task.noise
    assert Study(game="mujoco/hopper", players="zero", env_args=("rules=v4",)).options == {"args": {"rules": "v4"}}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"rule": "v4"}, "game mujoco/hopper: options: unknown key 'rule'; did you mean 'rules'"),
        ({"rules": "v3"}, "game mujoco/hopper: options: rules expects .*'v5'.*, got 'v3'"),
        ({"healthy": -1.0}, "game mujoco/hopper: options: healthy: expected"),
    ],
)
def test_a_number_that_is_none_of_the_card_is_refused(args, message):
    with pytest.raises(ContentError, match=message):
        changed(**args)


def test_duels_take_no_numbers():
    with pytest.raises(ContentError, match=r"game mujoco/sumo-ants has no options args: .* for control tasks too"):
        with_variant(find_game("mujoco/sumo-ants"), options={"args": {"rules": "v4"}})
