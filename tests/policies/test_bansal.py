import hashlib
import pickle

import numpy as np
import pytest
import torch
from bansal_files import RUNNER, SIZES, converted_agent, flat_agent, write
from safetensors.torch import load_file, save_file

from rlattack.cli.main import main
from rlattack.errors import InvalidInput, RefusedFile
from rlattack.games.find import find_game, make_game
from rlattack.policies.bansal import import_bansal
from rlattack.policies.folder import read_agent
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.policies.importer import import_agent
from rlattack.policies.zoo import ZOO, ZooFile


class Reference:
    """The network as facts/games.md, section 6, writes it: double precision, TensorFlow's matrices and gates."""

    def __init__(self, flat: np.ndarray) -> None:
        self.rest = flat.astype(np.float64)
        entries, actions = SIZES[len(flat)]
        self.returns, self.seen = self.statistics(()), self.statistics((entries,))
        if len(flat) > 100_000:
            size = 128
            layers = [(entries, size), (size,), (2 * size, 4 * size), (4 * size,)]
            self.nets = [[self.take(s) for s in (*layers, (size, n), (n,))] for n in (1, actions)]
            self.state = np.zeros((2, 2, 1, size))
        else:
            layers = [(entries, 64), (64,), (64, 64), (64,)]
            self.nets = [[self.take(s) for s in (*layers, (64, n), (n,))] for n in (1, actions)]
            self.state = None
        self.log_std = self.take((actions,))
        assert len(self.rest) == 0

    def take(self, shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape))
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken.reshape(shape)

    def statistics(self, shape):
        total, squares, count = self.take(shape), self.take(shape), self.take(())
        mean = total / count
        return mean, np.sqrt(np.maximum(squares / count - mean**2, 0.01))

    def head(self, number: int, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        w1, b1, w2, b2, w3, b3 = self.nets[number]
        if self.state is None:
            hidden = np.tanh(np.tanh(x @ w1 + b1) @ w2 + b2)
            return hidden, hidden @ w3 + b3
        c, h = self.state[number]
        i, j, f, o = np.split(np.concatenate([np.maximum(x @ w1 + b1, 0), h], axis=1) @ w2 + b2, 4, axis=1)

        def sigmoid(z: np.ndarray) -> np.ndarray:
            return 1 / (1 + np.exp(-z))

        c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
        h = sigmoid(o) * np.tanh(c)
        self.state[number] = c, h
        return h, h @ w3 + b3

    def __call__(self, obs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Mean action, value, last hidden layer."""
        x = np.clip((obs - self.seen[0]) / self.seen[1], -5, 5)
        hidden, mean = self.head(1, x)
        return mean, self.head(0, x)[1][:, 0] * self.returns[1] + self.returns[0], hidden


@pytest.fixture
def originals(zoo):
    return zoo.parent / "originals"


@pytest.fixture
def converted(zoo):
    return zoo.parent / "mujoco"


@pytest.mark.parametrize("floats", SIZES)
def test_outputs_are_those_of_the_flat_network(tmp_path, floats):
    flat = flat_agent(floats)
    _, network = import_bansal(str(write(tmp_path / "agent.pkl", flat)), False)
    policy, reference = GaussianPolicy(network), Reference(flat)
    rng = np.random.default_rng(1)
    state = critic = policy.initial_state(1)
    for _ in range(4):
        obs = 3 * rng.standard_normal((1, SIZES[floats][0])).astype(np.float32)
        out = policy(torch.from_numpy(obs), state)
        values, critic = network.values(torch.from_numpy(obs), critic)
        state = out.state
        for got, expected in zip(
            (out.actions.mean, values, out.hidden), reference(obs.astype(np.float64)), strict=True
        ):
            np.testing.assert_allclose(got.numpy(), expected, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(out.actions.deviation.numpy(), np.exp(reference.log_std), rtol=1e-6)
    if state is not None:
        states = torch.stack([critic, state]).reshape(2, 2, 1, 128)
        np.testing.assert_allclose(states.numpy(), reference.state, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("original", "twin"),
    [
        ("sumo-ants-agent_parameters-v1.pkl", "sumo-ants/agent-v1.safetensors"),
        ("you-shall-not-pass-agent2_parameters-v1.pkl", "you-shall-not-pass/runner-v1.safetensors"),
    ],
)
def test_an_original_is_its_converted_twin_to_the_bit(originals, converted, original, twin):
    card, network = import_bansal(str(originals / original), False)
    twin_card, twin_network = import_bansal(str(converted / twin), False)
    assert (card.game, card.seat, card.network) == (twin_card.game, twin_card.seat, twin_card.network)
    tensors, twins = network.state_dict(), twin_network.state_dict()
    assert {name for name in tensors if not tensors[name].equal(twins[name])} == set()
    one, other = GaussianPolicy(network), GaussianPolicy(twin_network)
    state = other_state = one.initial_state(3)
    for obs in torch.randn(20, 3, *one.observation):
        out, other_out = one(obs, state), other(obs, other_state)
        state, other_state = out.state, other_out.state
        assert out.actions.mean.equal(other_out.actions.mean)
        assert network.values(obs)[0].equal(twin_network.values(obs)[0])


def test_every_converted_agent_fits_its_seat(converted):
    for path in sorted(converted.rglob("*.safetensors")):
        card, network = import_bansal(str(path), False)
        seats = make_game(find_game(card.game), 1).seats
        assert card.game == f"mujoco/{path.parent.name}"
        assert network.spec.observation == seats[0].observation.shape
        assert (network.spec.actions,) == seats[0].action.shape
        assert card.seat in [seat.name for seat in seats] or (card.seat == "" and path.stem.startswith("agent-"))
        kept = load_file(path)
        assert network.obs_std.equal(kept["obs_std"])
        assert network.value_mean.equal(kept["ret_mean"])


def test_the_card_tells_where_the_runner_comes_from(originals, workplace):
    path = originals / "you-shall-not-pass-agent2_parameters-v1.pkl"
    card, network = read_agent(import_agent("bansal", path, "zoo/runner"))
    assert (card.game, card.seat, card.role, card.algorithm) == (
        "mujoco/you-shall-not-pass", "runner", "victim", "ppo",
    )  # fmt: skip
    assert card.provenance == {
        "source": "github.com/openai/multiagent-competition, agent-zoo/you-shall-not-pass/agent2_parameters-v1.pkl "
        "(Bansal et al. 2018)",
        "license": "the repository names none",
        "zoo": "you-shall-not-pass/runner-v1",
        "version": "v1",
        "file": path.name,
        "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "origin": "sha256 is that of the zoo's file",
    }
    kept = import_bansal(str(path), False)[1].state_dict()
    assert all(tensor.equal(kept[name]) for name, tensor in network.state_dict().items())


def test_importing_again_changes_nothing(originals, workplace, capsys):
    path = str(originals / "sumo-ants-agent_parameters-v1.pkl")
    for words in ("can now be named as zoo/sumo", "was there already and is equal: nothing was written"):
        assert main(["import", "bansal", path, "--agent", "zoo/sumo"]) == 0
        assert words in capsys.readouterr().out
    card, _ = read_agent(workplace / "agents" / "zoo" / "sumo")
    assert (card.game, card.seat) == ("mujoco/sumo-ants", "")


def test_an_unknown_file_of_known_length_says_so(tmp_path, workplace):
    folder = import_agent("bansal", write(tmp_path / "agent.pkl", flat_agent(364_839)), "mine")
    card, _ = read_agent(folder)
    assert (card.game, card.seat) == ("mujoco/kick-and-defend", "")
    assert card.provenance["origin"] == "unknown: sha256 is of none of the zoo's files"
    assert "source" not in card.provenance


def test_two_games_of_one_length_need_to_be_told_apart(tmp_path, workplace):
    path = write(tmp_path / "agent.pkl", flat_agent(59_039))
    with pytest.raises(InvalidInput, match="say it with --game, such as --game mujoco/hopper"):
        import_agent("bansal", path, "mine")
    for game in ("run-to-goal-humans", "you-shall-not-pass"):
        card, _ = read_agent(import_agent("bansal", path, f"mine/{game}", game=f"mujoco/{game}"))
        assert card.game == f"mujoco/{game}"


def test_the_id_can_name_the_game(tmp_path, workplace):
    path = write(tmp_path / "agent.pkl", flat_agent(59_039))
    assert read_agent(import_agent("bansal", path, "mujoco/run-to-goal-humans/mine"))[0].game.endswith("goal-humans")


def test_a_variant_of_the_game_is_a_game_for_it(tmp_path, workplace):
    source = find_source("mujoco/kick-and-defend")
    variant = workplace / "envs" / "mujoco" / "far-post.toml"
    variant.parent.mkdir(parents=True)
    variant.write_text(source.replace("post = 3.0", "post = 4.0"))
    path = write(tmp_path / "agent.pkl", flat_agent(364_839))
    assert read_agent(import_agent("bansal", path, "mine", game="mujoco/far-post"))[0].game == "mujoco/far-post"


def find_source(game):
    from rlattack.content import find_card
    from rlattack.games.card import SCHEMA

    return find_card("envs", "*.toml", SCHEMA, game)[0].read_text()


def test_a_converted_file_without_metadata_is_of_unknown_origin(tmp_path):
    save_file(converted_agent(), tmp_path / "agent.safetensors")
    card, network = import_bansal(str(tmp_path / "agent.safetensors"), False)
    assert (card.game, card.seat) == ("mujoco/run-to-goal-ants", "")
    assert card.provenance["origin"] == "unknown"
    assert network.pi.out.weight.equal(converted_agent()["pi.2.weight"])


def test_a_download_becomes_an_agent(server, workplace, monkeypatch):
    base, files = server
    raw = pickle.dumps(flat_agent(59_039), protocol=3)
    known = ZooFile(ZOO[RUNNER].path, hashlib.sha256(raw).hexdigest())
    files[f"/{known.path}"] = raw
    monkeypatch.setitem(ZOO, RUNNER, known)
    card, network = import_bansal(RUNNER, False, base=base)
    assert (card.game, card.seat, card.provenance["zoo"]) == ("mujoco/you-shall-not-pass", "runner", RUNNER)
    folder = import_agent("bansal", f"{base}/{known.path}", "zoo/runner")
    kept, same = read_agent(folder)
    assert kept.provenance == card.provenance
    assert same.log_std.equal(network.log_std)
    files[f"/{known.path}"] = raw[:-1]
    with pytest.raises(RefusedFile, match="damaged or replaced"):
        import_bansal(RUNNER, False, base=base)
