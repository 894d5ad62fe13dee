"""What is refused of files that claim to be agents of Bansal et al. (2018), and that nothing in them runs."""

import hashlib

import numpy as np
import pytest
import torch
from bansal_files import RUNNER, converted_agent, flat_agent, write
from safetensors.torch import save_file

from rlattack.cli.main import main
from rlattack.errors import InvalidInput, RefusedFile
from rlattack.policies.bansal import import_bansal
from rlattack.policies.folder import read_agent
from rlattack.policies.importer import import_agent
from rlattack.policies.zoo import ZOO, ZooFile


@pytest.mark.parametrize("game", ["mujoco/sumo-ants", "atari/pong", "gymnasium/CartPole-v1"])
def test_a_game_of_other_sizes_is_refused(tmp_path, workplace, game):
    path = write(tmp_path / "agent.pkl", flat_agent(59_039))
    message = f"run-to-goal-humans or mujoco/you-shall-not-pass cannot play {game}; say which it plays with --game"
    with pytest.raises(InvalidInput, match=message):
        import_agent("bansal", path, "mine", game=game)
    assert not (workplace / "agents").exists()


def test_a_seat_of_another_game_is_refused(tmp_path, workplace, monkeypatch):
    path = write(tmp_path / "agent.pkl", flat_agent(59_039))
    known = ZooFile(ZOO[RUNNER].path, hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(ZOO, RUNNER, known)
    assert read_agent(import_agent("bansal", path, "mine"))[0].seat == "runner"
    with pytest.raises(InvalidInput, match="for the seat 'runner' has none in mujoco/run-to-goal-humans: right and le"):
        import_agent("bansal", path, "other", game="mujoco/run-to-goal-humans")


@pytest.mark.parametrize("floats", [0, 1, 59_038, 59_040])
def test_another_length_is_refused(tmp_path, floats):
    path = write(tmp_path / "agent.pkl", np.ones(floats, dtype=np.float32))
    with pytest.raises(RefusedFile, match=f"expected an agent of 24905, .* floats, got {floats}"):
        import_bansal(str(path), False)


def test_statistics_of_no_observation_are_refused(tmp_path):
    flat = flat_agent(24_905)
    flat[3 + 2 * 122] = 0
    with pytest.raises(RefusedFile, match="tensor obs_mean holds values that are not finite"):
        import_bansal(str(write(tmp_path / "agent.pkl", flat)), False)


def test_a_payload_does_not_run(tmp_path, workplace, payload, mark, capsys):
    (tmp_path / "agent.pkl").write_bytes(payload)
    assert main(["import", "bansal", str(tmp_path / "agent.pkl"), "--agent", "mine"]) == 2
    error = capsys.readouterr().err
    assert "nothing in it was run" in error
    assert error.count("\n") == 1
    assert not (workplace / "agents").exists()


def test_trust_has_no_use(tmp_path):
    with pytest.raises(InvalidInput, match="leave out --trust"):
        import_bansal(str(tmp_path / "agent.pkl"), True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update({"conv1.weight": torch.ones(2)}), r"tensor conv1\.weight: expected those of a converted"),
        (lambda t: t.update({"pi.9.weight": torch.ones(2)}), r"tensor pi\.9\.weight: expected those of a converted"),
        (lambda t: t.update({"pi": torch.ones(2)}), "tensor pi: expected those of a converted"),
        (lambda t: t.update({"pi.lstm.bias_ih": torch.ones(512)}), "sees 122 and acts by 8 numbers, as in none"),
        (lambda t: t.update({"obs_mean": torch.ones(123)}), "sees 123 and acts by 8 numbers, as in none"),
        (lambda t: t.pop("log_std"), "sees 122 and acts by 0 numbers, as in none"),
        (lambda t: t.pop("vf.1.bias"), r"tensor vf\.layers\.2\.bias: expected shape \(64,\), got none"),
        (lambda t: t["obs_std"].zero_(), "tensor obs_std: expected values above 0"),
        (lambda t: t["pi.0.bias"].fill_(torch.nan), "not finite"),
    ],
)
def test_other_tensors_are_refused(tmp_path, change, message):
    tensors = converted_agent()
    change(tensors)
    save_file(tensors, tmp_path / "agent.safetensors")
    with pytest.raises(RefusedFile, match=message):
        import_bansal(str(tmp_path / "agent.safetensors"), False)


def test_metadata_of_another_game_are_refused(tmp_path, workplace):
    save_file(converted_agent(), tmp_path / "agent.safetensors", {"source": ZOO[RUNNER].path})
    with pytest.raises(InvalidInput, match="an agent of mujoco/run-to-goal-ants cannot play mujoco/you-shall-not-pass"):
        import_agent("bansal", tmp_path / "agent.safetensors", "mine")
