"""Learners of small games that are told how far they are, or fail when they are."""

from rlattack.training.learner import learn
from rlattack.training.recipes import TrainSingle
from tests.kit.learning import CARD, Diary, alone, noise, seated, tug

HOPELESS = {"push": 2.0, "length": 1}


def configure(algo, **values):
    return TrainSingle(**{"game": CARD.id, "algo": algo, "steps": 600, "envs": 2, **values})


def learned(learner, crash_at=None, until=None):
    """Learns; or fails as soon as it is told of that many steps."""
    watch = Diary(crash_at)
    return learn(learner, watch, until=until), watch


def single(recipe, run, crash_at=None, env=None):
    env = env or noise("vectors", recipe.envs)
    found, watch = learned(alone(recipe, run, env), crash_at)
    return found, [steps for _, steps in watch.told]


def adversary(run, env=None, crash_at=None, **values):
    return learned(seated(run, env or tug(), **values), crash_at)
