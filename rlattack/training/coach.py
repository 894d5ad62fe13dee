"""Between updates chooses whom the learner meets and what it is paid for (Bansal et al. 2018, section 4)."""

from collections.abc import Callable

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from rlattack.games.solo import Solo
from rlattack.policies.folder import AgentCard, AnyNetwork
from rlattack.training.past import Past
from rlattack.training.pool import Pool
from rlattack.training.recipes import TrainSelfPlay

AT_ONCE = 8
"""Versions that episodes which start before the next update may meet: each is one more call of a network a step."""


class Coach(BaseCallback):
    """Takes snapshots, serves opponents from the past, and moves the reward from the way to the end.

    Args:
        recipe: What is trained.
        env: The learner's game, with `pool` in the other seats.
        pool: Whom it meets.
        export: Makes an agent of the learner.
        own: The learner's past, which grows; None where nobody meets it.
        met: Whose past it meets: `own`, or that of the other seat's learner; None for fixed opponents.
    """

    def __init__(
        self, recipe: TrainSelfPlay, env: Solo, pool: Pool,
        export: Callable[[BaseAlgorithm], tuple[AgentCard, AnyNetwork]], *, own: Past | None, met: Past | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._recipe, self._env, self._pool, self._export = recipe, env, pool, export
        self._own, self._met = own, met

    def prepare(self, learner: BaseAlgorithm) -> None:
        """Arranges the first games, which start before the callbacks are asked."""
        now = learner.num_timesteps
        self._env.weights = self._recipe.weights(now)
        if self._own is not None and self._own.due(now):
            self._own.add(now, *self._export(learner), either=self._met is self._own)
        if self._met is not None:
            theirs = now if self._met is self._own else self._met.versions[-1]
            rng = np.random.default_rng((self._recipe.seed, now))
            self._pool.serve(self._met.draw(theirs, AT_ONCE, rng))

    def _on_rollout_start(self) -> None:
        self.prepare(self.model)
        self.logger.record("curriculum/alpha", self._recipe.alpha(self.num_timesteps))
        if self._own is not None:
            self.logger.record("curriculum/snapshots", len(self._own.versions))

    def _on_step(self) -> bool:
        return True
