import pytest

from rlattack.errors import InvalidInput
from rlattack.policies.folder import AgentCard, read_agent_card, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec
from rlattack.training import match


class TestMatch:
    """Who learns in which seat of a MuJoCo game."""

    @pytest.fixture(autouse=True)
    def _mujoco(self):
        pytest.importorskip("mujoco")

    def agent(self, folder, seat="", game="mujoco/sumo-ants", sizes=(137, 8), **values):
        spec = GaussianSpec(observation=sizes[:1], actions=sizes[1], hidden=(8,), **values)
        card = AgentCard(game=game, role="victim", algorithm="ppo", seat=seat, network=spec)
        save_agent(folder, card, GaussianNetwork(spec))
        return str(folder)

    @pytest.mark.parametrize(
        ("game", "asked", "names"),
        [
            ("mujoco/sumo-ants", None, ["both"]), ("mujoco/sumo-ants", "first", ["first"]),
            ("mujoco/sumo-ants", "both", ["both"]), ("mujoco/sumo-ants", "each", ["first", "second"]),
            ("mujoco/you-shall-not-pass", None, ["blocker", "runner"]),
            ("mujoco/you-shall-not-pass", "both", ["both"]),
        ],
    )  # fmt: skip
    def test_seats_are_named_or_follow_from_the_game(self, game, asked, names):
        found = match(game, seat=asked, envs=2)
        assert [one.name for one in found.learners] == names
        assert len({id(one.duel) for one in found.learners}) == len(names)

    def test_against_fixed_opponents_one_learns(self):
        found = match("mujoco/you-shall-not-pass", opponents=("zero", "random"), envs=2)
        assert [one.name for one in found.learners] == ["runner"]
        assert [one.name for one in found.opponents] == ["zero", "random"]

    def test_an_agent_goes_on_in_its_own_seat(self, tmp_path):
        first = self.agent(tmp_path / "a", "first")
        found = match("mujoco/sumo-ants", init=first, envs=2)
        assert found.learners[0].name == "first"
        assert found.init.sha256 == read_agent_card(tmp_path / "a").sha256

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"seat": "middle"}, "--seat: expected first, second, both or each, got 'middle'"),
            ({"seat": "each", "opponents": ("zero",)}, "--seat each: two learners that meet each other take no"),
            ({"init": "zero"}, "--init: expected an agent, got 'zero', which has no weights"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, values, message):
        with pytest.raises(InvalidInput, match=message):
            match("mujoco/sumo-ants", envs=2, **values)

    def test_a_recurrent_agent_cannot_be_trained(self, tmp_path):
        first = self.agent(tmp_path / "a", memory=4)
        with pytest.raises(InvalidInput, match=r"has a memory \(LSTM\), which is not supported here: it can only be"):
            match("mujoco/sumo-ants", init=first, envs=2)

    def test_seats_of_different_roles_meet_no_past_of_their_own(self):
        with pytest.raises(InvalidInput, match="the seats of mujoco/kick-and-defend are different roles"):
            match("mujoco/kick-and-defend", seat="kicker", envs=2)


def test_a_game_of_one_seat_is_refused():
    with pytest.raises(InvalidInput, match="game gymnasium/CartPole-v1 has one seat"):
        match("gymnasium/CartPole-v1")
