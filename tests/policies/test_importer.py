import pytest
import torch

from rlattack.errors import ContentError, InvalidInput, RefusedFile, UnknownName
from rlattack.games.find import game_of
from rlattack.policies.folder import read_agent
from rlattack.policies.importer import guess, import_agent
from rlattack.registry import Registry


@pytest.fixture
def zipped(make_model, tmp_path):
    """A PPO for CartPole."""
    model = make_model("ppo")
    model.save(tmp_path / "ppo.zip")
    return tmp_path / "ppo.zip"


def test_zip_becomes_an_agent(zipped, workplace, make_model):
    folder = import_agent("sb3", zipped, "cartpole/ppo", game="gymnasium/CartPole-v1")
    card, network = read_agent(folder)
    assert folder == workplace / "agents" / "cartpole" / "ppo"
    assert (card.game, card.role, card.algorithm) == ("gymnasium/CartPole-v1", "victim", "ppo")
    assert card.provenance["file"] == "ppo.zip"
    obs = torch.randn(3, 4)
    policy = make_model("ppo").policy
    torch.testing.assert_close(network(obs)[0].log_softmax(dim=1), policy.get_distribution(obs).distribution.logits)


def test_metadata_becomes_provenance(zoo, workplace):
    folder = import_agent("a2c-ppo-acktr", zoo / "pong-ppo.safetensors", "zoo/pong-ppo")
    card, _ = read_agent(folder)
    assert (card.game, card.algorithm) == ("atari/pong", "ppo")
    assert card.provenance["license"] == "MIT (c) 2020 Davide Liu"
    assert card.provenance["env"] == "PongNoFrameskip-v4"
    assert len(card.provenance["source_sha256"]) == 64


def test_game_comes_from_the_id_last(zipped, workplace):
    card, _ = read_agent(import_agent("sb3", zipped, "gymnasium/CartPole-v1/ppo"))
    assert card.game == "gymnasium/CartPole-v1"


def test_game_comes_from_the_name_of_the_file(zipped, workplace):
    path = zipped.rename(zipped.with_name("ppo-BreakoutNoFrameskip-v4.zip"))
    assert read_agent(import_agent("sb3", path, "mine"))[0].game == "atari/breakout"


def test_missing_and_unknown_games_are_refused(zipped, workplace):
    with pytest.raises(InvalidInput, match=r"does not say which game .* --game"):
        import_agent("sb3", zipped, "ppo")
    with pytest.raises(UnknownName):
        import_agent("sb3", zipped, "ppo", game="atari/pnog")
    assert not (workplace / "agents").exists()


def test_importing_again_changes_nothing(zipped, workplace):
    first = import_agent("sb3", zipped, "mine", game="atari/pong")
    written = (first / "agent.toml").stat().st_mtime_ns
    assert import_agent("sb3", zipped, "mine", game="atari/pong") == first
    assert (first / "agent.toml").stat().st_mtime_ns == written


def test_an_equal_card_over_damaged_weights_is_not_equal(zipped, workplace):
    folder = import_agent("sb3", zipped, "mine", game="atari/pong")
    weights = folder / "policy.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + bytes(4))
    with pytest.raises(RefusedFile, match="damaged or replaced"):
        import_agent("sb3", zipped, "mine", game="atari/pong")


def test_one_other_fact_on_the_card_makes_another_agent(zipped, workplace):
    import_agent("sb3", zipped, "mine", game="atari/pong")
    with pytest.raises(
        InvalidInput, match=r"holds another agent \(game differs\), which is not replaced; choose another"
    ):
        import_agent("sb3", zipped, "mine", game="atari/breakout")


def test_another_agent_is_never_overwritten(zipped, workplace, make_agent):
    folder = make_agent("atari/pong/mine")
    before = (folder / "policy.safetensors").read_bytes()
    with pytest.raises(InvalidInput, match=r"holds another agent \(.*network, .* differ\), which is not replaced"):
        import_agent("sb3", zipped, "atari/pong/mine")
    assert (folder / "policy.safetensors").read_bytes() == before


def test_card_that_is_not_ours_is_never_overwritten(zipped, workplace):
    card = workplace / "agents" / "mine" / "agent.toml"
    card.parent.mkdir(parents=True)
    card.write_text("name = 'something else'")
    with pytest.raises(ContentError, match="expected schema"):
        import_agent("sb3", zipped, "mine", game="atari/pong")


@pytest.mark.parametrize("agent_id", ["../mine", "/mine", "mine/", "", "a/../b", "a b", ".hidden"])
def test_wrong_id_is_refused(zipped, workplace, agent_id):
    with pytest.raises(InvalidInput, match="--agent: expected an id"):
        import_agent("sb3", zipped, agent_id, game="atari/pong")


def test_unknown_kind_is_refused(zipped):
    with pytest.raises(UnknownName, match="did you mean 'sb3'"):
        import_agent("sb2", zipped, "mine")


def test_trust_has_no_use_for_a_zip(zipped, workplace):
    with pytest.raises(InvalidInput, match=r"--victim .* --trust"):
        import_agent("sb3", zipped, "mine", game="atari/pong", trust=True)


def test_damaged_file_leaves_nothing(zipped, workplace):
    zipped.write_bytes(zipped.read_bytes()[:-50])
    with pytest.raises(RefusedFile):
        import_agent("sb3", zipped, "mine", game="atari/pong")
    assert not (workplace / "agents").exists()


@pytest.mark.parametrize(
    ("name", "game"),
    [
        ("PongNoFrameskip-v4", "atari/pong"),
        ("dqn-SpaceInvadersNoFrameskip-v4", "atari/space_invaders"),
        ("DQN_MsPacmanNoFrameskip-v4", "atari/ms_pacman"),
        ("ALE/UpNDown-v5", "atari/up_n_down"),
        ("CartPole-v1", ""),
    ],
)
def test_game_of_an_environment(name, game):
    assert game_of(name) == game


def test_an_id_that_begins_with_no_game_says_to_name_one(zipped, workplace):
    with pytest.raises(InvalidInput, match="does not say which game it plays; say it with --game"):
        import_agent("sb3", zipped, "my/agent")


def test_an_importer_of_others_that_cannot_be_imported_is_named_where_none_knows_a_file(zipped, monkeypatch, tmp_path):
    known = Registry("importer", {"lost": "nobodys_importers:IT", "sb3": "rlattack.policies.sb3_zip:SB3"})
    monkeypatch.setattr("rlattack.policies.importer.IMPORTERS", known)
    assert guess(str(zipped)) == "sb3"
    torch.save({"strange.weight": torch.ones(3, 3)}, tmp_path / "strange.pt")
    with pytest.raises(RefusedFile, match=r"no network that is known: .*; importer 'lost' cannot be imported: Module"):
        guess(str(tmp_path / "strange.pt"))
