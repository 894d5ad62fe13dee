import errno
import os
import pickle
import re
import zipfile

import pytest
import torch

from rlattack.errors import RefusedFile, Unwritable
from rlattack.training.algorithms import make_learner
from rlattack.training.checkpoint import FILE, Checkpoint, load_checkpoint, save_checkpoint
from rlattack.training.recipes import TrainSingle
from rlattack.training.settings import CONTROL, VECTORS
from tests.kit.learning import ARMS, vec


def trained(algorithm="ppo", space="vectors", seed=0, steps=64, action=None):
    recipe = TrainSingle(game="test", algo=algorithm, steps=600, envs=2, seed=seed)
    learner = make_learner(recipe, vec(space, action=action), seed)
    return learner.learn(steps) if steps else learner


def saved(folder, algorithm="ppo", **changes):
    """Writes a checkpoint, or what a damaged or malicious one could hold in its place."""
    content = vars(Checkpoint.of(trained(algorithm))) | changes
    torch.save(content, folder / FILE)
    return content


def refusal(folder, algorithm="ppo"):
    """What is said of a checkpoint that is refused, of which the learner took nothing."""
    learner = trained(algorithm, steps=0)
    before = {name: tensor.clone() for name, tensor in learner.policy.state_dict().items()}
    with pytest.raises(RefusedFile) as refused:
        load_checkpoint(folder).restore(learner, str(folder / FILE))
    assert all(tensor.equal(before[name]) for name, tensor in learner.policy.state_dict().items())
    assert learner.num_timesteps == 0
    return str(refused.value)


@pytest.mark.parametrize("space", ["images", "vectors"])
@pytest.mark.parametrize("algorithm", VECTORS)
def test_weights_targets_and_optimiser_come_back(tmp_path, algorithm, space):
    learner = trained(algorithm, space, steps=300 if space == "vectors" else 64)
    other = trained(algorithm, space, seed=1, steps=0)
    for tensor in learner.policy.state_dict().values():  # so that a target network is not the network
        tensor.add_(torch.randn_like(tensor))
    learner.num_timesteps = 300
    save_checkpoint(tmp_path, Checkpoint.of(learner))
    found = load_checkpoint(tmp_path)
    found.restore(other, "here")
    assert found.steps == other.num_timesteps == 300
    assert (tmp_path / "progress.json").read_text() == '{"steps": 300}'
    mine, its = learner.policy.state_dict(), other.policy.state_dict()
    assert mine.keys() == its.keys()
    assert all(tensor.equal(its[name]) for name, tensor in mine.items())
    mine, its = (policy.optimizer.state_dict()["state"] for policy in (learner.policy, other.policy))
    assert mine.keys() == its.keys()
    assert mine
    for index, entry in mine.items():
        for name, value in entry.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(its[index][name]))


@pytest.mark.parametrize("algorithm", CONTROL)
def test_all_that_learners_of_continuous_actions_learn_by_comes_back(tmp_path, algorithm):
    learner = trained(algorithm, seed=0, steps=64, action=ARMS)
    other = trained(algorithm, seed=1, steps=0, action=ARMS)
    save_checkpoint(tmp_path, Checkpoint.of(learner))
    load_checkpoint(tmp_path).restore(other, "here")
    mine, its = (vars(Checkpoint.of(one)) for one in (learner, other))
    assert set(mine["optimizers"]) == {
        "ppo": {"policy.optimizer"}, "td3": {"actor.optimizer", "critic.optimizer"},
    }.get(algorithm, {"actor.optimizer", "critic.optimizer", "ent_coef_optimizer"})  # fmt: skip
    assert bool(mine["entropy"]) == (algorithm in ("sac", "tqc"))
    assert bool(mine["statistics"]) == (algorithm == "ppo")
    for content in (mine, its):  # not their settings: the learning rate is that of the step
        content["optimizers"] = {name: one["state"] for name, one in content["optimizers"].items()}
    torch.testing.assert_close(mine, its, atol=0, rtol=0)
    assert all(mine["optimizers"].values())
    if algorithm in ("sac", "tqc"):
        assert float(other.log_ent_coef.detach()) != 0.0  # at which it begins


def test_a_checkpoint_without_an_optimiser_is_refused(tmp_path):
    learner = trained("td3", action=ARMS)
    torch.save(vars(Checkpoint.of(learner)) | {"optimizers": {}}, tmp_path / FILE)
    with pytest.raises(RefusedFile, match=r"expected the optimisers actor.optimizer, critic.optimizer, got none"):
        load_checkpoint(tmp_path).restore(learner, "here")


def test_learning_goes_on_from_where_the_optimiser_was(tmp_path):
    learner = trained("a2c")
    save_checkpoint(tmp_path, Checkpoint.of(learner))
    other = trained("a2c", steps=0)
    load_checkpoint(tmp_path).restore(other, "here")
    for policy in (learner.policy, other.policy):
        policy.optimizer.zero_grad()
        policy.predict_values(torch.ones(3, 4)).sum().backward()
        policy.optimizer.param_groups[0]["lr"] = 0.01
        policy.optimizer.step()
    mine, its = learner.policy.state_dict(), other.policy.state_dict()
    assert all(tensor.equal(its[name]) for name, tensor in mine.items())


def test_settings_of_the_optimiser_are_the_configurations_not_the_files(tmp_path):
    content = saved(tmp_path)
    content["optimizers"]["policy.optimizer"]["param_groups"][0]["lr"] = "rm -rf"
    torch.save(content, tmp_path / FILE)
    learner = trained(steps=0)
    before = learner.policy.optimizer.param_groups[0]["lr"]
    load_checkpoint(tmp_path).restore(learner, "here")
    assert learner.policy.optimizer.param_groups[0]["lr"] == before


def test_a_checkpoint_of_the_first_release_of_this_format_is_read(tmp_path):
    content = saved(tmp_path)
    (optimizer,) = content["optimizers"].values()
    torch.save({"steps": 5, "policy": dict(content["policy"]), "optimizer": optimizer}, tmp_path / FILE)
    load_checkpoint(tmp_path).restore(other := trained(steps=0), "here")
    assert other.num_timesteps == 5
    assert other.policy.optimizer.state_dict()["state"].keys() == optimizer["state"].keys()


def test_there_is_none_before_the_first_one(tmp_path):
    assert load_checkpoint(tmp_path) is None


class Payload:
    def __init__(self, place):
        self.place = str(place)

    def __reduce__(self):
        return os.mkdir, (self.place,)


@pytest.mark.parametrize(
    "write",
    [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))],
)
def test_a_pickle_with_a_payload_is_refused_and_does_not_run(tmp_path, write):
    write({"steps": 1, "policy": Payload(tmp_path / "was-here"), "optimizers": {}}, tmp_path / FILE)
    assert re.search("checkpoint.pt: .*; remove it to start over", refusal(tmp_path))
    assert not (tmp_path / "was-here").exists()


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(tmp_path, keep):
    saved(tmp_path)
    raw = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(raw[: int(keep * len(raw)) if keep < 1 else keep])
    assert re.search("checkpoint.pt: .*; remove it to start over", refusal(tmp_path))


def test_a_checkpoint_with_a_flipped_bit_is_refused(tmp_path):
    saved(tmp_path)
    raw = bytearray((tmp_path / FILE).read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / FILE).write_bytes(bytes(raw))
    assert re.search("checkpoint.pt: .*; remove it to start over", refusal(tmp_path))


def test_a_zip_bomb_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / FILE, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("archive/data.pkl", bytes(20 * 1024**2))
    assert re.search("a zip bomb; remove it to start over", refusal(tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"steps": 1},
        {"steps": 1.5, "policy": {}, "optimizers": {}},
        {"steps": 1, "policy": [], "optimizers": {}},
    ],
)
def test_another_file_of_torch_is_refused(tmp_path, content):
    torch.save(content, tmp_path / FILE)
    assert re.search("not a checkpoint of a training run; remove it to start over", refusal(tmp_path))


def test_a_checkpoint_of_another_algorithm_is_refused(tmp_path):
    saved(tmp_path, "dqn")
    assert re.search(r"checkpoint.pt: tensor action_net.bias: expected shape \(3,\), got NoneType", refusal(tmp_path))


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    policy = saved(tmp_path)["policy"]
    saved(tmp_path, policy=policy | {"action_net.bias": torch.tensor([0.0, float("nan"), 0.0])})
    assert re.search("tensor action_net.bias: values that are not finite", refusal(tmp_path))


def test_a_tensor_that_pretends_to_be_huge_is_refused_by_its_shape(tmp_path):
    policy = saved(tmp_path)["policy"]
    saved(tmp_path, policy=policy | {"action_net.bias": torch.zeros(1).expand(10**12)})
    assert re.search(r"action_net.bias: expected shape \(3,\), got \(1000000000000,\)", refusal(tmp_path))


@pytest.mark.parametrize(
    ("state", "match"),
    [
        ([1], "no state of an optimiser"),
        ({0: 3}, "no state of an optimiser"),
        ({0: {"exp_avg": torch.zeros(7)}}, r"optimiser's exp_avg of parameter 0: expected shape \(64, 4\), got \(7,\)"),
        ({99: {"exp_avg": torch.zeros(7)}}, r"optimiser's exp_avg of parameter 99: expected shape none, got \(7,\)"),
        ({0: {"exp_avg": torch.zeros(64, 4).to_sparse()}}, "expected shape .*, got Tensor"),
    ],
)
def test_a_state_of_another_optimiser_is_refused(tmp_path, state, match):
    saved(tmp_path, optimizers={"policy.optimizer": {"state": state, "param_groups": []}})
    assert re.search(match, refusal(tmp_path))


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    learner = trained()
    learner.num_timesteps = 600
    save_checkpoint(tmp_path, Checkpoint.of(learner))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    learner.num_timesteps = 1200
    with pytest.raises(Unwritable, match=r"checkpoint.pt: cannot be written \(No space left on device\)"):
        save_checkpoint(tmp_path, Checkpoint.of(learner))
    assert load_checkpoint(tmp_path).steps == 600
    assert {path.name for path in tmp_path.iterdir()} == {FILE, "progress.json"}
