"""Why an attack works: the victim's activations under it are unlike those of normal play.

A Gaussian mixture is fitted to the activations of normal play; how likely it finds those under attacks and other
opponents tells how far they drive the victim from what it knows (Gleave et al. 2019, sec. 5.2 and appendix).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from rlattack.arrays import Array, FloatArray, IntArray
from rlattack.defences.mixture import Mixture
from rlattack.errors import InvalidInput, MissingExtra
from rlattack.evaluation.results import Interval
from rlattack.evaluation.statistics import ratio

TRAIN, VALIDATION = "train", "validation"
LEAST = 4
"""Episodes of normal play: two to fit, two to validate."""
NEEDS = 'activations need scikit-learn: pip install "rlattack[analysis]"'


@dataclass(frozen=True)
class Recording:
    """What was recorded of a player under one condition: against one opponent, or under one attack."""

    values: Array
    """The actor's last hidden layer, float32, shape (steps, width)."""
    episode: IntArray
    """Number of the episode that each row is of, shape (steps,)."""

    def __post_init__(self) -> None:
        """Checks shapes.

        Raises:
            InvalidInput: Not one episode number a row, or values that are not finite.
        """
        if self.values.ndim != 2 or self.episode.shape != self.values.shape[:1] or not len(self.values):
            raise InvalidInput(
                f"activations: expected (steps, width) and (steps,), got {self.values.shape} and {self.episode.shape}"
            )
        if not np.isfinite(self.values).all():
            raise InvalidInput("activations: values that are not finite")

    def of(self, episodes: IntArray) -> "Recording":
        """The rows of some episodes."""
        kept = np.isin(self.episode, episodes)
        return Recording(self.values[kept], self.episode[kept])


@dataclass(frozen=True)
class Density:
    """How likely a mixture fitted to normal play finds the activations under each condition."""

    components: int
    rows: int
    """Steps that the mixture was fitted to."""
    parameters: int
    """Free parameters of the mixture: fitted to fewer rows, it finds all but those unlikely."""
    bic: float
    """Bayesian information criterion of the fit on its training rows; lower is better."""
    likelihood: dict[str, tuple[float, Interval]]
    """Mean log-likelihood of a step, in nats, by condition, with a 95 % interval over episodes. Normal play is there
    twice: `train`, the episodes that were fitted, and `validation`, the others."""


def density(recorded: Mapping[str, Recording], normal: str, *, components: int = 10, seed: int = 0) -> Density:
    """Fits a Gaussian mixture of full covariance to half of the normal episodes, and scores everything with it.

    Halves are whole episodes, since neighbouring steps are nearly alike.

    Args:
        recorded: Activations by condition.
        normal: The condition of normal play.
        components: Of the mixture; fewer where play repeats itself so much that there are not so many distinct rows.
        seed: Of the split and of the fit.

    Raises:
        InvalidInput: No such condition, fewer than four normal episodes, or fewer rows than a mixture needs.
        MissingExtra: scikit-learn is not installed.
    """
    if normal not in recorded:
        raise InvalidInput(f"activations: expected the normal opponent among {', '.join(recorded)}, got {normal!r}")
    episodes = np.random.default_rng(seed).permutation(np.unique(recorded[normal].episode))
    if len(episodes) < LEAST:
        raise InvalidInput(f"activations: expected at least {LEAST} episodes against {normal}, got {len(episodes)}")
    half = len(episodes) // 2
    train, validation = recorded[normal].of(episodes[:half]), recorded[normal].of(episodes[half:])
    if len(train.values) <= components:
        raise InvalidInput(f"activations: {len(train.values)} steps are too few for {components} components")
    components = min(components, len(np.unique(train.values, axis=0)))
    mixture = Mixture.fit(train.values.astype(np.float64), components, seed, NEEDS)
    others = {name: one for name, one in recorded.items() if name != normal}
    likelihood = {
        name: _mean(mixture.likelihood(torch.as_tensor(one.values)).numpy(force=True), one.episode)
        for name, one in {TRAIN: train, VALIDATION: validation, **others}.items()
    }
    bic = mixture.bic(torch.as_tensor(train.values))
    return Density(components, len(train.values), mixture.parameters, bic, likelihood)


def embed(
    recorded: Mapping[str, Recording], *, rows: int = 500, perplexity: float = 250.0, seed: int = 0
) -> tuple[dict[str, Array], float]:
    """Places a random sample of the rows of each condition in the plane by t-SNE (van der Maaten and Hinton 2008).

    Args:
        recorded: Activations by condition.
        rows: At most so many a condition.
        perplexity: As published, 250; less where there are too few rows for it.
        seed: Of the sample and of the embedding.

    Returns:
        Points by condition, float32, shape (rows, 2) each; and the perplexity.

    Raises:
        InvalidInput: Fewer than a dozen rows in all.
        MissingExtra: scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise MissingExtra(NEEDS) from error
    rng = np.random.default_rng(seed)
    chosen = [one.values[rng.permutation(len(one.values))[:rows]] for one in recorded.values()]
    values = np.concatenate(chosen)
    if len(values) < 12:
        raise InvalidInput(f"activations: {len(values)} steps are too few for a picture")
    perplexity = min(perplexity, len(values) / 4)
    points = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(values).astype(np.float32)
    ends = np.cumsum([len(part) for part in chosen])
    return dict(zip(recorded, np.split(points, ends[:-1]), strict=True)), perplexity


def _mean(scores: FloatArray, episode: IntArray) -> tuple[float, Interval]:
    """Mean over steps; its interval by a bootstrap over episodes, the units that are independent."""
    _, rows, steps = np.unique(episode, return_inverse=True, return_counts=True)
    found = ratio(np.bincount(rows, weights=scores).astype(np.float64), steps.astype(np.float64))
    return found.mean, found.ci
