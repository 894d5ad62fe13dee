"""Hand-made agents, zips and a pickle with a payload; tests of this folder may import `bansal_files` and the like."""

import os
import pickle
import sys
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from rlattack.policies.network import SMALL, NetworkSpec
from tests.kit.agents import VECTOR, network_agent

sys.path.insert(0, str(Path(__file__).parent))

PIXELS = NetworkSpec(
    observation=(4, 84, 84), actions=6, head="actor-critic", convolutions=SMALL, hidden=(32,), actor=(8,)
)


class Payload:
    """Unpickling this makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="session")
def pixels() -> NetworkSpec:
    """A small network for Atari."""
    return PIXELS


@pytest.fixture(scope="session")
def vector() -> NetworkSpec:
    """A small network for state vectors."""
    return VECTOR


@pytest.fixture
def mark(tmp_path: Path):
    """Where a payload would leave its mark; the test fails when it ran."""
    place = tmp_path / "the-payload-ran"
    yield place
    assert not place.exists()


@pytest.fixture
def payload(mark: Path) -> bytes:
    """A pickle that makes the folder `mark` when it is loaded, as it is tried here."""
    raw = pickle.dumps(Payload(mark))
    pickle.loads(raw)
    mark.rmdir()
    return raw


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[..., Path]:
    def make(members: dict[str, bytes], name: str = "agent.zip", packing: int = zipfile.ZIP_STORED) -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", packing) as file:
            for member, raw in members.items():
                file.writestr(member, raw)
        return path

    return make


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, empty."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


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


@pytest.fixture
def make_agent(workplace: Path) -> Callable[..., Path]:
    """Saves an agent under ./agents and returns its folder."""

    def make(agent_id: str = "atari/pong/mine", spec: NetworkSpec = PIXELS, game: str = "atari/pong", **card) -> Path:
        folder = workplace / "agents" / agent_id
        network_agent(folder, game, spec, **card)
        return folder

    return make


class Screen(gymnasium.Env):
    """Shows random images; nothing matters."""

    def __init__(self, shape: tuple[int, ...] = (4, 84, 84), high: float = 255, dtype: type = np.uint8) -> None:
        self.observation_space = gymnasium.spaces.Box(0, high, shape, dtype)
        self.action_space = gymnasium.spaces.Discrete(6)

    def reset(self, *, seed=None, options=None):
        return np.zeros(self.observation_space.shape, self.observation_space.dtype), {}

    def step(self, action):
        return self.reset()[0], 0.0, False, False, {}


def _shaken(model):
    """Moves every tensor from its initial value, so that none is zero and no two networks are equal."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in model.policy.state_dict().values():
            tensor += 0.03 * torch.randn(tensor.shape, generator=generator)
    return model


@pytest.fixture(scope="session")
def make_model() -> Callable[..., object]:
    """Builds a Stable-Baselines3 model: `make_model("ppo", "cnn", net_arch=[8])`."""
    import sb3_contrib
    import stable_baselines3

    learners = {
        "ppo": (stable_baselines3.PPO, {"n_steps": 8, "batch_size": 8}),
        "a2c": (stable_baselines3.A2C, {}),
        "dqn": (stable_baselines3.DQN, {"buffer_size": 10}),
        "qrdqn": (sb3_contrib.QRDQN, {"buffer_size": 10}),
        "trpo": (sb3_contrib.TRPO, {"n_steps": 8, "batch_size": 8}),
        "recurrent-ppo": (sb3_contrib.RecurrentPPO, {"n_steps": 8, "batch_size": 8}),
        "maskable-ppo": (sb3_contrib.MaskablePPO, {"n_steps": 8, "batch_size": 8}),
    }

    def make(algorithm: str, kind: str = "mlp", env: object = None, **policy_kwargs):
        learner, settings = learners[algorithm]
        lstm = "Lstm" if algorithm == "recurrent-ppo" else ""
        env = env or (Screen() if kind == "cnn" else "CartPole-v1")
        policy = f"{kind.capitalize()}{lstm}Policy"
        return _shaken(learner(policy, env, device="cpu", seed=0, policy_kwargs=policy_kwargs, **settings))

    return make


@pytest.fixture(scope="session")
def make_screen() -> type[Screen]:
    """The environment that shows images."""
    return Screen


@pytest.fixture
def saved(tmp_path):
    """Saves a Stable-Baselines3 model and returns its zip."""

    def save(model):
        path = tmp_path / "model.zip"
        model.save(path)
        return path

    return save


@pytest.fixture
def server(monkeypatch):
    """A web server on this machine: its address, and what it holds by path."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # the base's name
            if self.path == "/slow":
                leave.wait(10)
                return
            if self.path not in files:
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(files[self.path])

        def log_message(self, *_):
            pass

    leave = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}", files
        leave.set()
        served.shutdown()
        thread.join()
