"""`rlattack train matrix` as a user meets it."""

import json

import torch
from command_line import call, refused

import tests.kit.games  # registers them
from rlattack.policies.folder import read_agent_card

assert tests.kit.games


def test_the_matrix_follows_the_trainings_and_is_written_down(working_folder, capsys):
    torch.manual_seed(0)
    arguments = (
        "train", "matrix", "coins/any", "--victim", "tests.kit.players:coin", "--defence", "distil:updates=16,batch=8",
        "--eps", "0.3", "--space", "raw", "--against", "fgsm:loss=margin", "patch:eps=2", "--steps", "64",
        "--episodes", "2", "--agent", "my", "--run", "run",
    )  # fmt: skip
    assert call(*arguments) == 0
    said = capsys.readouterr()
    assert "robust against what?" in said.out
    assert "training distil, 1 of 1" in said.err
    assert said.err.count("patch:eps=2 is not played on") == 3  # before the training, and after it on both
    (found,) = json.loads((working_folder / "run/matrix/matrix.json").read_text())["matrices"]
    assert [row["claim"] and row["claim"]["kinds"] for row in found["rows"]] == [None, ["linf"]]
    words = read_agent_card(working_folder / "agents/my/distil").provenance["command"].split()
    assert words[:4] == ["rlattack", "train", "defended", "coins/any"]
    assert "--run run: holds a training run; add --resume to go on" in refused(capsys, *arguments)
