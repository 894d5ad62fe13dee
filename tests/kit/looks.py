"""Looks at rows, as detectors take them, and detectors that learned from some."""

import numpy as np
import torch

from rlattack.defences.detectors import Clean, Look, make_detector
from rlattack.policies.distributions import Categorical
from rlattack.policies.policy import Output


def look(obs, hidden=None, action=None, ask=None, scores=None):
    """A look at rows, of which the policy's scores are the first two entries unless they are given."""
    obs = torch.as_tensor(obs, dtype=torch.float32)
    out = Output(Categorical(obs.flatten(1)[:, :2] if scores is None else scores), hidden=hidden)
    asked = ask or (lambda other: Output(Categorical(other.flatten(1)[:, :2])))
    return Look(obs, out, asked, np.ones(len(obs), dtype=np.bool_), action)


def clean(looks, episode=None):
    """Clean play of which these are the looks, an episode a row unless they are given."""
    for one in looks:
        yield Clean(one, np.arange(len(one.obs)) if episode is None else episode)


def fitted(text, seat, looks):
    """A detector that learned from clean play."""
    detector = make_detector(text, seat)
    detector.learned = detector.fit(clean(looks), lambda line: None)
    return detector
