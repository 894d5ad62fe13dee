"""What an attack may ask of the policy it works on; who answers is `rlattack.attacks.oracle`."""

from torch import Tensor

from rlattack.arrays import Array, IntArray
from rlattack.attacks.lookahead import Ahead
from rlattack.attacks.oracle import Estimate as Estimate
from rlattack.attacks.oracle import Oracle
from rlattack.attacks.words import Knowledge as Knowledge
from rlattack.draws import Draws
from rlattack.policies.policy import Loss, Output


class Target:
    """The policy under attack, on `slots` observations, as an attack has it: each question is counted.

    Args:
        oracle: Who answers, and what is counted there; attacks have no way to it.
    """

    __slots__ = ("__oracle",)

    def __init__(self, oracle: Oracle) -> None:
        self.__oracle = oracle

    @property
    def slots(self) -> int:
        """Number of slots."""
        return self.__oracle.slots

    @property
    def random(self) -> bool:
        """Whether the policy is random in itself, before it draws its actions."""
        return self.__oracle.random

    @property
    def active(self) -> Tensor:
        """The slots that are attacked now, bool, shape (slots,)."""
        return self.__oracle.active

    @property
    def clean_output(self) -> Output:
        """The output at the clean observations; a query unless it is known already."""
        return self.__oracle.clean_output("scores")

    @property
    def labels(self) -> Tensor:
        """The policy's own greedy choice on the clean observations, shape (slots,), int64, of discrete actions."""
        return self.__oracle.clean_output("decision").actions.greedy

    def __call__(self, obs: Tensor, only: Tensor | None = None, draws: Draws | None = None) -> Output:
        """Outputs for the whole batch: one query a slot.

        Args:
            obs: Shape (slots, *observation).
            only: Slots that are asked about, bool, shape (slots,); all by default. What is said of the others is no
                answer, and is not counted.
            draws: Of a victim that is random in itself; without any it says what it does on the whole.
        """
        return self.__oracle.output("scores", obs, only, draws)

    def choices(self, obs: Tensor, only: Tensor | None = None) -> Tensor:
        """Greedy actions for the whole batch, shape (slots,) or (slots, entries): one query a slot, as in a call."""
        return self.__oracle.output("decision", obs, only).actions.greedy

    def gradient(self, obs: Tensor, loss: Loss, only: Tensor | None = None, draws: Draws | None = None) -> Tensor:
        """Gradient of a loss with respect to the whole batch: one backward pass with its forward a slot, as in a call.

        Args:
            obs: Shape (slots, *observation).
            loss: A sum over the batch.
            only: Slots that are asked about, bool, shape (slots,); all by default.
            draws: Of a victim that is random in itself.
        """
        return self.__oracle.gradient(obs, loss, only, draws)

    @property
    def planned(self) -> Tensor:
        """What the schedule planned for this step, shape (slots, *action); a copy."""
        planned = self.__oracle.planned
        assert planned is not None, "who follows a plan without one is refused before play"
        return planned.clone()

    def ahead(self, slots: IntArray, plans: Array, horizon: int, path: int = 0) -> Ahead:
        """Plays plans in forks of the game, as `Lookahead.play` does: a query a step of the policy's own play there."""
        return self.__oracle.ahead(slots, plans, horizon, path)

    def estimate(self, of: Estimate, obs: Tensor) -> Tensor:
        """What the policy's own critic says of each row of the batch, shape (slots,): one query a slot.

        Args:
            of: `value`: of what is seen. `q`: of what the policy does when it sees that, on the clean observations.
            obs: Shape (slots, *observation).
        """
        return self.__oracle.estimate(of, obs)

    def estimate_gradient(self, of: Estimate, obs: Tensor) -> Tensor:
        """Gradient of `estimate` with respect to the batch, shape (slots, *observation): one backward pass a slot."""
        return self.__oracle.estimate_gradient(of, obs)

    def suspicion(self, obs: Tensor) -> Tensor:
        """How suspicious each row is to the detector that is evaded, at least 0, shape (slots,); a query a slot."""
        return self.__oracle.suspicion(obs)

    def suspicion_gradient(self, obs: Tensor) -> Tensor:
        """Gradient of `suspicion` with respect to the batch, shape (slots, *observation): one backward pass a slot."""
        return self.__oracle.suspicion_gradient(obs)

    def value_gradient(self, obs: Tensor, action: Tensor) -> Tensor | None:
        """Gradient of the policy's own value of continuous actions, shape (slots, entries): one backward pass a slot.

        None, and free, where it has no critic that looks at actions.
        """
        return self.__oracle.value_gradient(obs, action)
