"""Files as those of Bansal et al. (2018), of random weights, and what others make of them."""

import pickle

import numpy as np
import torch

SIZES = {24_905: (122, 8), 59_039: (380, 17), 299_943: (137, 8), 367_677: (395, 17), 364_839: (384, 17)}
RUNNER = "you-shall-not-pass/runner-v1"


def flat_agent(floats: int) -> np.ndarray:
    """Random weights, with statistics that could be those of observations."""
    rng = np.random.default_rng(floats)
    entries, _ = SIZES[floats]
    flat = 0.2 * rng.standard_normal(floats).astype(np.float32)
    flat[:3] = 30, 400, 10
    mean, spread = rng.standard_normal(entries), np.abs(rng.standard_normal(entries))
    flat[3 : 3 + entries] = 50 * mean
    flat[3 + entries : 3 + 2 * entries] = 50 * (mean**2 + spread**2)
    flat[3 + 2 * entries] = 50
    return flat


def write(path, flat):
    path.write_bytes(pickle.dumps(flat, protocol=3))
    return path


def converted_agent() -> dict[str, torch.Tensor]:
    """A converted file of the ants that run to a goal."""
    tensors = {"obs_mean": torch.zeros(122), "obs_std": torch.ones(122), "log_std": torch.zeros(8)}
    tensors |= {"ret_mean": torch.zeros(()), "ret_std": torch.ones(()), "obs_count": torch.tensor(3.0)}
    for head, last in (("vf", 1), ("pi", 8)):
        for number, (inputs, outputs) in enumerate([(122, 64), (64, 64), (64, last)]):
            tensors[f"{head}.{number}.weight"] = torch.arange(1.0, 1 + outputs * inputs).reshape(outputs, inputs)
            tensors[f"{head}.{number}.bias"] = torch.zeros(outputs)
    return tensors
