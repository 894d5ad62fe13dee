"""What a study asks for and a game, a seat or an agent cannot give is refused before anything is played."""

import pytest

from rlattack.errors import BudgetError, InvalidInput, UnknownName
from tests.evaluation.plans import cartpole, rope
from tests.kit import cells  # noqa: F401  # registers the film
from tests.kit.games import made


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"eps": ()}, InvalidInput, "--eps: expected at least one size, as in --eps"),
        ({"eps": (0.0,)}, BudgetError, "above 0, got 0"),
        ({"eps": (-0.1,)}, BudgetError, "above 0, got -0.1"),
        ({"eps": (float("nan"),)}, BudgetError, "above 0"),
        ({"space": "unit"}, BudgetError, "use --space raw"),
        ({"space": "sigma"}, BudgetError, "observation statistics"),
        ({"model": "frame"}, InvalidInput, "--model frame is for stacked images"),
        ({"grid": True}, BudgetError, "byte observations"),
        ({"attack": ("fgms",)}, UnknownName, "did you mean 'fgsm'"),
        ({"attack": ("pixel",)}, BudgetError, "has the norms l0, got linf; use --norm l0"),
        ({"attack": ("fgsm:target=7",)}, InvalidInput, "expected an action 0 to 1"),
        ({"game": "gymnasium/CartPol-v1"}, UnknownName, "CartPole-v1"),
        ({"players": ("tests.kit.players:nobody",)}, InvalidInput, "nobody"),
        ({"players": ("nobody",)}, UnknownName, "no agent and no file 'nobody'"),
        ({"game": "gymnasium/Acrobot-v1"}, InvalidInput, r"\(6,\)"),
        ({"sticky": 1.5}, ValueError, "sticky"),
        ({"mask": ("player",)}, InvalidInput, "only MuJoCo games can hide the other player"),
        ({"players": ("zero", "zero")}, InvalidInput, "CartPole-v1 has one seat: `rlattack attack"),
        ({"players": ("zero",)}, InvalidInput, "--attack: zero looks at nothing, so there is nothing to attack$"),
        (
            {"attack": ("none+fgsm",)},
            InvalidInput,
            r"none\+fgsm: expected attacks joined by \+, and `none` is",
        ),
        ({"surrogate": "random"}, InvalidInput, "--surrogate: expected an agent to craft attacks on, and random looks"),
        ({"surrogate": "zero"}, InvalidInput, "--surrogate: expected an agent to craft attacks on, and zero looks"),
        ({"surrogate": "tests.kit.players:namer"}, InvalidInput, r"sees \(1,\) and has 3 actions"),
        ({"victim": "1"}, UnknownName, r"--victim: expected player \(0\), got '1'"),
    ],
)
def test_what_does_not_fit_a_game_of_one_seat_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        cartpole(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"players": ("zero",)}, InvalidInput, "any has two seats: `rlattack duel pull/any --players AGENT AGENT`"),
        (
            {"players": ("zero", "zero", ("a", "b"))},
            InvalidInput,
            "--players: expected two, .* left.* right.*zero zero a,b",
        ),
        ({"victim": "rigth"}, UnknownName, r"--victim: expected left \(0\) or right \(1\), got 'rigth'; .* 'right'"),
        ({"mask": ("up",)}, UnknownName, r"--mask: expected left \(0\) or right \(1\) or none, got 'up'"),
        ({"mask": ("right:zer",)}, InvalidInput, "--mask right:zer: expected right:MODE, one of initial, zero, noise"),
        ({"mask": ("right:",)}, InvalidInput, "--mask right:: expected right:MODE, one of initial, zero, noise"),
        ({"attack": ("pgd",)}, InvalidInput, "--eps: expected at least one size"),
        ({"attack": ("pgd",), "eps": (0.1,)}, InvalidInput, "--attack: random looks at nothing, .* seat by --attacked"),
        ({"eps": (0.1,)}, InvalidInput, "--attack: random looks at nothing"),
        ({"attack": ("pg",), "eps": (0.1,)}, UnknownName, "no attack 'pg'; did you mean 'pgd'"),
        ({"eps": (0.1,), "attacked": "lef"}, UnknownName, "--attacked: expected left .*, got 'lef'.* 'left'"),
        ({"players": ("zero", "nobody")}, UnknownName, "no agent and no file 'nobody'"),
        ({"attacked": "2"}, UnknownName, "--attacked: expected left .* or right .*, got '2'"),
        ({"game": "turns/any", "mask": ("0",)}, InvalidInput, "turns/any: only MuJoCo games can hide the other player"),
    ],
)
def test_what_does_not_fit_a_game_of_two_seats_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        rope(**changes)


def test_what_an_attack_cannot_do_to_a_seat_is_refused(agent):
    values = {"players": ("zero", agent), "eps": (0.1,)}
    with pytest.raises(InvalidInput, match=r"attack fgsm: the divergence .* use pgd"):
        rope(**values, attack=("fgsm",))
    with pytest.raises(BudgetError, match="--space unit is for pixels"):
        rope(**values | {"space": "unit"})


@pytest.mark.parametrize(
    ("game", "players", "who"),
    [
        ("gymnasium/CartPole-v1", ("tests.kit.players:opaque",), "tests.kit.players:opaque"),
        ("turns/any", ("zero", "tests.kit.players:blind_namer"), "tests.kit.players:blind_namer"),
    ],
)
def test_a_module_without_gradients_is_refused_for_attacks_that_need_them(game, players, who):
    ways = "nes or spsa or finite-differences or simba"  # of what it sees, a row of numbers; and no control
    with pytest.raises(InvalidInput, match=rf"{who} gives no gradient .*, and fgsm needs one; use {ways}$"):
        cartpole(game=game, players=players)
    assert len(cartpole(game=game, players=players, attack=()).cells) == 2


def test_a_surrogate_is_asked_for_gradients_in_the_victim_s_place_and_the_control_has_none():
    planned = cartpole(players=("tests.kit.players:opaque",), surrogate="tests.kit.players:memory")
    _, noise, fgsm = planned.cells
    assert noise.attacks[0].surrogate is None
    assert fgsm.attacks[0].surrogate.name == "tests.kit.players:memory"
    with pytest.raises(InvalidInput, match=r"tests.kit.players:opaque gives no gradient"):
        cartpole(surrogate="tests.kit.players:opaque")


def test_two_attacks_that_change_the_same_of_a_seat_are_refused():
    with pytest.raises(InvalidInput, match=r"--attack fgsm\+noise: both change the observation of player"):
        cartpole(attack=("fgsm+noise",))


def test_every_mask_is_tried_on_the_game_before_anything_is_played():
    made.clear()
    rope(players=("tests.kit.players:puller",) * 2, mask=("none", "left", "right:zero"))
    hidden = [game.variant.hidden for game in made]
    assert hidden[-3:] == [(), ((0, "initial"),), ((1, "zero"),)]
    assert all(game.closed for game in made)
