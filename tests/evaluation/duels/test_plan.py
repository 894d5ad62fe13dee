"""What a duel plans to play, and what it refuses before anything is played."""

import sys

import pytest
import torch
from short_duel import duel

from rlattack.errors import BudgetError, InvalidInput, UnknownName
from rlattack.evaluation.duels import plan_duel
from rlattack.policies import ModulePolicy


def test_nothing_is_hidden_from_a_player_that_looks_at_nothing(games, agent):
    masks = ("none", "left", "right", "right:zero")
    planned = plan_duel(duel(players=(("random",), (agent, "zero", "random")), masks=masks))
    assert [(cell.players[1].name == agent, cell.mask_name) for cell in planned.cells] == [
        (True, "none"), (False, "none"), (False, "none"), (True, "right:initial"), (True, "right:zero"),
    ]  # fmt: skip
    assert planned.note == (
        "--mask: random and zero see nothing that could be hidden, so under it 7 pairs are not played again"
    )
    assert plan_duel(duel(players=(("random",), (agent,)), masks=("none", "right"))).note == ""


def test_a_pair_that_was_asked_for_under_a_mask_alone_plays_once_in_the_open(games):
    planned = plan_duel(duel(masks=("left", "left:noise")))
    assert [cell.mask for cell in planned.cells] == [None]
    assert planned.note == "--mask: zero sees nothing that could be hidden, so under it 2 pairs are not played again"


def test_a_seat_s_number_is_as_good_as_its_name(games, agent):
    asked = {"players": ((agent,), (agent,)), "eps": (0.1,)}
    named, numbered = (
        plan_duel(duel(**asked, victim=left, attacked=right, masks=("none", left, f"{right}:zero")))
        for left, right in (("left", "right"), ("0", "1"))
    )
    assert named.cells == numbered.cells
    assert (named.victim, named.configuration) == (numbered.victim, numbered.configuration)
    assert named.configuration["duel"]["masks"] == ["none", "left", "right:zero"]


def test_a_game_that_cannot_hide_says_so_before_any_player_is_loaded():
    pytest.importorskip("pettingzoo.classic")
    with pytest.raises(InvalidInput, match="pettingzoo/tictactoe_v3: only MuJoCo games can hide the other player"):
        plan_duel(duel(game="pettingzoo/tictactoe_v3", players=(("nobody",), ("nobody",)), masks=("none", "1")))


def test_players_named_twice_play_once(tmp_path, games):
    assert len(plan_duel(duel(players=(("zero", "zero"), ("random",)), masks=("right", "right:initial"))).cells) == 1


def test_actions_are_the_cards_unless_they_are_chosen(games):
    assert [plan_duel(duel(actions=how)).cells[0].actions for how in ("card", "greedy")] == ["sampled", "greedy"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"episodes": 0}, InvalidInput, "--episodes: expected at least 1, got 0"),
        ({"envs": 0}, InvalidInput, "--envs: expected at least 1, got 0"),
        ({"seed": -1}, InvalidInput, "--seed: expected 0 or more, got -1"),
        ({"players": (("zero",),)}, InvalidInput, "--players: expected two, .* got zero"),
        ({"players": (("zero",), ("zero",), ("a", "b"))}, InvalidInput, "--players: .* got zero zero a,b"),
        ({"players": (("zero",), ("",))}, InvalidInput, "--players: expected two"),
        ({"victim": "rigth"}, UnknownName, r"--victim: expected left \(0\) or right \(1\), got 'rigth'; .* 'right'"),
        ({"masks": ("up",)}, UnknownName, r"--mask: expected left \(0\) or right \(1\) or none, got 'up'"),
        ({"attacks": ("pgd",)}, InvalidInput, "--eps: expected at least one size, as in --eps 0.05 0.2"),
        ({"attacks": ("pgd",), "eps": (0.1,)}, InvalidInput, "--attack: random looks at nothing, .* --attacked names"),
        ({"eps": (0.1,)}, InvalidInput, "--attack: random looks at nothing"),
        ({"attacks": ("pg",), "eps": (0.1,)}, UnknownName, "no attack 'pg'; did you mean 'pgd'"),
        ({"eps": (0.1,), "attacked": "lef"}, UnknownName, "--attacked: expected left .*, got 'lef'.* 'left'"),
        ({"players": (("zero",), ("nobody",))}, UnknownName, "no agent and no file 'nobody'"),
        ({"attacked": "2"}, UnknownName, "--attacked: expected left .* or right .*, got '2'"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused_before_anything_is_played(games, changes, error, message):
    with pytest.raises(error, match=message):
        plan_duel(duel(**changes))


def test_the_attacked_seat_is_the_victim_s_unless_another_is_named(games, agent):
    cells = [
        plan_duel(duel(players=((agent,), ("zero",)), eps=(0.1,), **named)).cells[1].attacked
        for named in ({"victim": "left"}, {"attacked": "left"})
    ]
    assert cells == [0, 0]


def test_what_the_attack_cannot_do_is_refused_before_anything_is_played(games, agent):
    values = {"players": (("zero",), (agent,)), "eps": (0.1,)}
    with pytest.raises(InvalidInput, match=r"attack fgsm: the divergence .* use pgd"):
        plan_duel(duel(**values, attacks=("fgsm",)))
    with pytest.raises(BudgetError, match="--space unit is for pixels"):
        plan_duel(duel(**values, space="unit"))


def opaque():
    return ModulePolicy(Opaque(), (1,), 3)


class Opaque(torch.nn.Module):
    """Gives no gradient."""

    def forward(self, obs):
        return obs.detach().expand(-1, 3).clone()


def test_a_module_without_gradients_is_refused_for_attacks_that_need_them(games, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "opaques", sys.modules[__name__])
    values = {"game": "pettingzoo/turns", "players": (("zero",), ("opaques:opaque",)), "eps": (0.1,), "trust": True}
    with pytest.raises(InvalidInput, match=r"opaques:opaque gives no gradient .*; fgsm needs one"):
        plan_duel(duel(**values, attacks=("fgsm",)))
    assert len(plan_duel(duel(**values)).cells) == 2


def test_a_game_of_one_seat_is_refused():
    with pytest.raises(InvalidInput, match="gymnasium/CartPole-v1 has one seat: `rlattack attack"):
        plan_duel(duel(game="gymnasium/CartPole-v1"))
