import pickle
import subprocess
import sys

import pytest
import safetensors.torch
import torch

import rlattack
from rlattack.errors import ContentError, InvalidInput, RefusedFile, UnknownName
from rlattack.policies import LoadedAgent, ModulePolicy, agent_options, load_policy

MINE = "atari/pong/mine"


@pytest.fixture
def script(workplace, monkeypatch):
    """Writes ./agent_of_mine.py; it is forgotten after the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "agent_of_mine", raising=False)

    def write(text: str) -> str:
        (workplace / "agent_of_mine.py").write_text(text)
        return "agent_of_mine:make"

    yield write
    sys.modules.pop("agent_of_mine", None)


def test_id_and_folder_name_the_same_agent(make_agent):
    folder = make_agent(MINE)
    by_id, by_folder = load_policy(MINE, observation=(4, 84, 84), actions=6), load_policy(str(folder))
    obs = torch.rand(2, 4, 84, 84) * 255
    assert by_id.policy(obs).scores.equal(by_folder.policy(obs).scores)
    assert by_id.sha256 == by_folder.sha256 == by_id.card.sha256
    assert (by_id.name, by_folder.name, by_id.algorithm) == (MINE, str(folder), "ppo")


def test_package_offers_it():
    assert rlattack.load_policy is load_policy


def test_importing_the_package_loads_no_learner():
    code = "import sys, rlattack.policies; from rlattack.policies import load_policy; "
    code += "print('stable_baselines3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_temperature_of_the_card_is_used(make_agent, vector):
    make_agent("mine", vector, temperature=0.5)
    out = load_policy("mine").policy(torch.ones(1, 4))
    assert out.scores.equal(out.q / 0.5)


def test_options_of_the_card_are_told(make_agent):
    make_agent(MINE, options={"noop_max": 0})
    assert agent_options(MINE) == {"noop_max": 0}
    assert agent_options("module:function") == {}


def test_unknown_id_names_the_nearest(make_agent):
    make_agent(MINE)
    with pytest.raises(
        UnknownName, match=r"no agent and no file 'atari/pong/mien'; did you mean 'atari/pong/mine'.*list"
    ):
        load_policy("atari/pong/mien")


def test_agent_of_another_shape_is_refused_with_the_difference(make_agent):
    make_agent(MINE)
    message = (
        r"agent atari/pong/mine sees \(4, 84, 84\) and has 6 actions; "
        r"game atari/breakout shows \(4, 84, 84\) and takes 4; the agent was trained for atari/pong"
    )
    with pytest.raises(InvalidInput, match=message):
        load_policy(MINE, game="atari/breakout", observation=(4, 84, 84), actions=4)
    with pytest.raises(InvalidInput, match=r"sees \(4, 84, 84\).*the game shows \(4,\) and takes 6"):
        load_policy(MINE, observation=(4,), actions=6)


def test_agent_of_another_game_is_refused_whatever_its_shape(make_agent):
    make_agent(MINE)
    with pytest.raises(InvalidInput, match="agent atari/pong/mine was trained for atari/pong, not for atari/qbert"):
        load_policy(MINE, game="atari/qbert", observation=(4, 84, 84), actions=6)


def test_agent_plays_variants_of_its_game(make_agent, workplace):
    make_agent(MINE)
    card = workplace / "envs" / "atari" / "pong-variant.toml"
    card.parent.mkdir(parents=True)
    card.write_text('schema = "rlattack/game/1"\ntitle = "Pong"\nrom = "pong"\n')
    assert load_policy(MINE, game="atari/pong-variant").card.game == "atari/pong"


def test_agent_of_a_game_that_is_not_here_is_refused(make_agent):
    make_agent(MINE, game="atari/no-such-game")
    with pytest.raises(InvalidInput, match="was trained for atari/no-such-game"):
        load_policy(MINE, game="atari/pong")


def test_folder_without_a_card_is_refused(workplace):
    (workplace / "empty").mkdir()
    with pytest.raises(ContentError, match="expected an agent folder"):
        load_policy("empty")


def test_zip_is_loaded(make_model, workplace):
    model = make_model("dqn")
    model.save("model.zip")
    agent = load_policy("model.zip", observation=(4,), actions=2)
    assert (agent.name, agent.algorithm, agent.card) == ("model.zip", "dqn", None)
    assert len(agent.sha256) == 64


def test_zip_of_another_shape_is_refused(make_model, workplace):
    make_model("dqn").save("model.zip")
    with pytest.raises(InvalidInput, match=r"agent model.zip sees \(4,\) and has 2 actions; the game shows \(3,\)"):
        load_policy("model.zip", observation=(3,), actions=2)


def test_trust_is_for_what_cannot_be_read(make_model, workplace):
    model = make_model("recurrent-ppo", lstm_hidden_size=8)
    model.save("model.zip")
    with pytest.raises(RefusedFile, match="--trust"):
        load_policy("model.zip")
    agent = load_policy("model.zip", observation=(4,), actions=2, trust=True)
    assert (agent.algorithm, len(agent.sha256)) == ("recurrent-ppo", 64)
    assert agent.policy.initial_state(5).shape == (5, 2, 1, 8)


def test_truncated_zip_is_refused_trusted_or_not(make_model, workplace):
    make_model("ppo").save("model.zip")
    (workplace / "model.zip").write_bytes((workplace / "model.zip").read_bytes()[:-100])
    for trust in (False, True):
        with pytest.raises(RefusedFile, match="truncated"):
            load_policy("model.zip", trust=trust)


@pytest.mark.parametrize("suffix", ["pkl", "pickle", "joblib", "pth", "pt", "zip", "bin", ""])
def test_payload_does_not_run(workplace, payload, mark, suffix):
    (workplace / f"agent.{suffix}").write_bytes(payload)
    with pytest.raises(RefusedFile, match=r"runs code|more than tensors|not a zip"):
        load_policy(f"agent.{suffix}")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_tensors_alone_are_no_agent(workplace, suffix):
    save = torch.save if suffix == "pth" else safetensors.torch.save_file
    save({"conv1.weight": torch.ones(2, 2)}, f"agent.{suffix}")
    with pytest.raises(InvalidInput, match="tensors without their network: `rlattack import`"):
        load_policy(f"agent.{suffix}")


@pytest.mark.parametrize("suffix", ["pth", "pkl"])
def test_trusted_pickle_of_a_module_is_loaded(workplace, suffix):
    module = torch.nn.Linear(4, 2)
    if suffix == "pth":
        torch.save(module, "agent.pth")
    else:
        (workplace / "agent.pkl").write_bytes(pickle.dumps(module))
    agent = load_policy(f"agent.{suffix}", observation=(4,), actions=2, trust=True)
    assert agent.policy(torch.ones(1, 4)).scores.equal(module(torch.ones(1, 4)))


def test_trusted_pickle_of_something_else_is_refused(workplace):
    (workplace / "agent.pkl").write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(InvalidInput, match=r"agent.pkl: expected a Policy, a torch.nn.Module .* got dict"):
        load_policy("agent.pkl", trust=True)
    (workplace / "agent.pkl").write_bytes(b"nonsense")
    with pytest.raises(RefusedFile, match=r"agent.pkl: cannot be loaded"):
        load_policy("agent.pkl", trust=True)


LINEAR = """
import torch
def make():
    torch.manual_seed(0)
    return torch.nn.Linear(4, 2)
"""


def test_function_that_returns_a_module_is_loaded(script):
    agent = load_policy(script(LINEAR), observation=(4,), actions=2)
    torch.manual_seed(0)
    assert agent.policy(torch.ones(1, 4)).scores.equal(torch.nn.Linear(4, 2)(torch.ones(1, 4)))
    assert (agent.name, agent.algorithm, agent.policy.actions) == ("agent_of_mine:make", "module", 2)


def test_digest_of_a_module_is_that_of_its_tensors(script):
    spec = script(LINEAR)
    first, again = (load_policy(spec, observation=(4,)) for _ in range(2))
    torch.manual_seed(1)
    sys.modules["agent_of_mine"].make = lambda: torch.nn.Linear(4, 2)
    assert first.sha256 == again.sha256 != load_policy(spec, observation=(4,)).sha256


def test_function_that_returns_a_policy_is_loaded(script):
    spec = script(
        "import torch\nfrom rlattack.policies import ModulePolicy\n"
        "def make():\n    return ModulePolicy(torch.nn.Linear(4, 2), (4,), 2, value_based=True)"
    )
    agent = load_policy(spec, observation=(4,), actions=2)
    assert isinstance(agent, LoadedAgent)
    assert isinstance(agent.policy, ModulePolicy)
    assert agent.policy.value_based
    assert len(agent.sha256) == 64


def test_function_that_returns_a_model_is_loaded(script):
    spec = script(
        "from stable_baselines3 import PPO\n"
        "def make():\n    return PPO('MlpPolicy', 'CartPole-v1', n_steps=8, batch_size=8, device='cpu')"
    )
    assert load_policy(spec, observation=(4,), actions=2).policy(torch.ones(3, 4)).scores.shape == (3, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def make():\n    raise RuntimeError('two\\nlines')", "agent_of_mine:make: RuntimeError: two lines"),
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("def make(:", "SyntaxError"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("def other(): pass", "AttributeError: .*no attribute 'make'"),
        ("def make(argument): pass", "TypeError: .*argument"),
        ("def make():\n    return 3", "expected a Policy, a torch.nn.Module or a Stable-Baselines3 model, got int"),
        (LINEAR.replace("4, 2", "5, 2"), r"fails on observations of shape \(4,\)"),
        (LINEAR.replace("4, 2", "4, 3"), r"sees \(4,\) and has 3 actions; the game shows \(4,\) and takes 2"),
        (LINEAR.replace("Linear(4, 2)", "Flatten(0)"), r"expected scores of shape \(2, actions\)"),
    ],
)
def test_function_that_fails_is_one_line(script, text, message):
    with pytest.raises(InvalidInput, match=message) as caught:
        load_policy(script(text), observation=(4,), actions=2)
    assert "\n" not in str(caught.value)


def test_module_without_a_game_is_refused(script):
    with pytest.raises(InvalidInput, match="does not say what it sees"):
        load_policy(script(LINEAR))


def test_unknown_module_is_one_line(workplace):
    with pytest.raises(InvalidInput, match="ModuleNotFoundError: No module named 'no_such_module'"):
        load_policy("no_such_module:make")


def test_module_that_changes_what_it_sees_is_refused(script):
    text = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 2)
    def forward(self, x):
        x /= 255
        return self.linear(x)
make = Net
"""
    with pytest.raises(InvalidInput, match=r"changes what it is shown in place.*; write x = x / 255"):
        load_policy(script(text), observation=(4,), actions=2)


def test_identity_is_of_all_that_play_depends_on(make_agent, vector):
    one, same, warm = (
        load_policy(make_agent(f"mine/{name}", vector, temperature=temperature).as_posix())
        for name, temperature in (("one", 1.0), ("same", 1.0), ("warm", 0.01))
    )
    assert one.sha256 == same.sha256 == warm.sha256
    assert one.identity == same.identity != warm.identity


@pytest.mark.parametrize("spec", ["a" * 300, "~nosuchuser/agent", "a\0b"])
def test_what_cannot_be_a_path_is_no_agent(workplace, spec):
    with pytest.raises(UnknownName, match="no agent and no file"):
        load_policy(spec)


def test_zip_that_is_named_for_another_game_is_refused(make_model, workplace):
    make_model("ppo").save("ppo-BreakoutNoFrameskip-v4.zip")
    with pytest.raises(InvalidInput, match="was trained for atari/breakout, not for gymnasium/CartPole-v1"):
        load_policy("ppo-BreakoutNoFrameskip-v4.zip", game="gymnasium/CartPole-v1")
