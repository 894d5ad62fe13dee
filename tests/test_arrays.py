import torch

from rlattack.arrays import renewed


def test_a_renewed_state_goes_on_in_some_rows():
    new, old = torch.ones(3, 2, 2), torch.zeros(3, 2, 2)
    rows = torch.tensor([True, False, True])
    assert renewed(rows, new, old)[:, 0, 0].tolist() == [1, 0, 1]
    assert renewed(torch.ones(3, dtype=torch.bool), new, old) is new
    assert renewed(rows, None, None) is None
