"""Statistics of what agents saw, of every kind of file, and files that hold none or are made to do harm."""

import pickle

import numpy as np
import pytest

from rlattack.errors import RefusedFile
from rlattack.policies.statistics import MissingStatistics, beside, read_statistics, statistics_for


class RunningMeanStd:
    def __init__(self, mean, var):
        self.mean, self.var, self.count = mean, var, 10.0


class VecNormalize:
    def __init__(self, rms, **settings):
        self.__dict__.update({"obs_rms": rms, "clip_obs": 3.0, "epsilon": 0.25, "norm_obs": True} | settings)


class RunningStat:
    def __init__(self, count, mean, total):
        self._n, self._M, self._S = count, mean, total


class ZFilter:
    def __init__(self, stat, **settings):
        self.__dict__.update({"rs": stat, "clip": 4.0, "demean": True, "destd": True} | settings)


MEAN, VAR = np.asarray([1.0, -2.0]), np.asarray([4.0, 0.0])


@pytest.fixture
def write(tmp_path):
    def written(thing, name="statistics.pkl"):
        path = tmp_path / name
        path.write_bytes(thing if isinstance(thing, bytes) else pickle.dumps(thing))
        return path

    return written


@pytest.mark.parametrize(
    ("thing", "deviation", "clip"),
    [
        (VecNormalize(RunningMeanStd(MEAN, VAR)), [4.25**0.5, 0.5], 3.0),
        (VecNormalize(RunningMeanStd(MEAN, VAR), clip_obs=np.float64(7)), [4.25**0.5, 0.5], 7.0),
        (RunningMeanStd(MEAN, VAR), [2.0, 1e-4], 10.0),
        (ZFilter(RunningStat(5, MEAN, np.asarray([16.0, 4.0]))), [2.0, 1.0], 4.0),
        (ZFilter(RunningStat(5, MEAN, np.asarray([16.0, 4.0])), clip=None), [2.0, 1.0], 10.0),
    ],
)
def test_every_kind_is_read(write, thing, deviation, clip):
    found = read_statistics(write(thing))
    assert found.mean.tolist() == MEAN.tolist()
    np.testing.assert_allclose(found.deviation, deviation, rtol=1e-6, atol=1e-7)
    assert found.clip == clip


def test_what_stable_baselines3_writes_is_what_it_normalises_by(tmp_path):
    import gymnasium
    import torch
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    env = VecNormalize(DummyVecEnv([lambda: gymnasium.make("CartPole-v1")]), clip_obs=0.8)
    env.reset()
    for _ in range(30):
        env.step([0])
    env.save(tmp_path / "vecnormalize.pkl")
    obs = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    found = read_statistics(tmp_path / "vecnormalize.pkl")(torch.from_numpy(obs))
    np.testing.assert_allclose(found, env.normalize_obs(obs), atol=1e-6)


def test_observations_that_were_left_as_they_are_have_none(write):
    assert read_statistics(write(VecNormalize(RunningMeanStd(MEAN, VAR), norm_obs=False))) is None


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (RunningMeanStd(MEAN, VAR * 0), "every variance is 0"),
        (RunningMeanStd(MEAN, -VAR), "expected variances of 0 or more"),
        (RunningMeanStd(MEAN, VAR * np.nan), "expected variances of 0 or more"),
        (RunningMeanStd(MEAN * np.inf, VAR), "expected finite statistics"),
        (RunningMeanStd(MEAN, np.ones(3)), r"mean of shape \(2,\), deviation of shape \(3,\)"),
        (RunningMeanStd(np.zeros(0), np.zeros(0)), "every variance is 0"),
        (RunningMeanStd("text", VAR), "expected an array of numbers, got str"),
        (VecNormalize(RunningMeanStd(MEAN, VAR), clip_obs=-1.0), "clip_obs: expected a number above 0, got -1.0"),
        (VecNormalize(RunningMeanStd(MEAN, VAR), clip_obs=np.inf), "clip_obs: expected a number above 0, got inf"),
        (VecNormalize(None), "expected running statistics, got NoneType"),
        (VecNormalize({"a": RunningMeanStd(MEAN, VAR), "b": 1}), "b: expected running statistics, got int"),
        (VecNormalize(ZFilter(1)), "expected a mean and a variance, got rs, clip"),
        (ZFilter(RunningMeanStd(MEAN, VAR)), "expected running statistics with _n, _M and _S, got mean, var, count"),
        (ZFilter(RunningStat(5, MEAN, np.zeros(2))), "every variance is 0"),
        ({"mean": MEAN, "var": VAR}, "expected the statistics of a VecNormalize, RunningMeanStd or ZFilter, got dict"),
        ([1], "got list"),
    ],
)
def test_what_nothing_can_be_divided_by_is_refused(write, thing, message):
    with pytest.raises(RefusedFile, match=f"statistics.pkl: .*({message})"):
        read_statistics(write(thing))


def test_a_payload_does_not_run(write, payload, mark):
    with pytest.raises(RefusedFile, match="expected the statistics of a VecNormalize"):
        read_statistics(write(payload))


def test_a_payload_within_statistics_does_not_run(write, mark):
    """Neither as a part of them nor in the place of their class."""

    class Harm:
        def __reduce__(self):
            import os

            return os.mkdir, (str(mark),), {"mean": MEAN, "var": VAR}

    with pytest.raises(RefusedFile, match=r"expected running statistics|expected an array"):
        read_statistics(write(VecNormalize(RunningMeanStd(Harm(), VAR))))
    assert read_statistics(write(VecNormalize(Harm()))).mean.tolist() == MEAN.tolist()


@pytest.mark.parametrize("kept", [0, 10, 100, -1])
def test_a_truncated_file_is_refused(write, kept):
    with pytest.raises(RefusedFile, match="not a pickle, or a damaged one"):
        read_statistics(write(pickle.dumps(VecNormalize(RunningMeanStd(MEAN, VAR)))[:kept]))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(RefusedFile, match=r"none\.pkl: expected a file, there is none"):
        statistics_for(tmp_path / "agent.zip", str(tmp_path / "none.pkl"))


class TestWhere:
    """Where statistics are looked for, and what says that there must be some."""

    @pytest.mark.parametrize("name", ["vecnormalize.pkl", "vec_normalize.pkl"])
    def test_beside_the_agent(self, write, tmp_path, name):
        write(RunningMeanStd(MEAN, VAR), name)
        assert beside(tmp_path / "agent.zip") == tmp_path / name
        assert statistics_for(tmp_path / "agent.zip", "").mean.tolist() == MEAN.tolist()
        assert statistics_for(tmp_path / "agent.zip", "none") is None

    def test_a_file_that_is_named_comes_before_the_one_beside(self, write, tmp_path):
        write(RunningMeanStd(MEAN, VAR), "vecnormalize.pkl")
        other = write(RunningMeanStd(MEAN + 1, VAR), "other.pkl")
        assert statistics_for(tmp_path / "agent.zip", str(other)).mean.tolist() == (MEAN + 1).tolist()

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("- - normalize\n  - true\n", True), ("normalize: true", True),
            ("- - normalize\n  - dict(norm_obs=True, norm_reward=False)\n", True),
            ("normalize: \"{'norm_obs': True, 'norm_reward': False}\"", True),
            ("env_wrapper: stable_baselines3.common.vec_env.VecNormalize", True),
            ("- - normalize\n  - dict(norm_obs=False, norm_reward=True)\n", False),
            ("- - normalize\n  - false\n", False), ("- - normalize_advantage\n  - true\n", False), ("algo: ppo", False),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("name", ["config.yml", "args.yml"])
    def test_a_companion_says_that_they_are_missing(self, tmp_path, text, says, name):
        (tmp_path / name).write_text(text)
        if not says:
            assert statistics_for(tmp_path / "agent.zip", "") is None
            return
        with pytest.raises(MissingStatistics, match=f"{name} says .*expected vecnormalize.pkl beside it or --normali"):
            statistics_for(tmp_path / "agent.zip", "")
        assert statistics_for(tmp_path / "agent.zip", "none") is None

    def test_the_file_itself_says_that_they_are_missing(self, tmp_path):
        with pytest.raises(MissingStatistics, match=r"agent\.zip: itself says that it was trained on normalised"):
            statistics_for(tmp_path / "agent.zip", "", "itself")

    def test_zoo_agents_find_theirs(self, zoo):
        kept = sorted((zoo.parent / "sb3").rglob("vecnormalize.pkl"))
        assert kept
        for path in kept:
            found = read_statistics(path)
            assert found is not None
            for one in found.values() if isinstance(found, dict) else [found]:
                assert (one.deviation > 0).all()
