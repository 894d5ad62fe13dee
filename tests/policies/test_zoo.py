import hashlib

import pytest

from rlattack.errors import InvalidInput, RefusedFile, UnknownName
from rlattack.games.find import find_game
from rlattack.policies import zoo
from rlattack.policies.zoo import LARGEST, ZOO, ZooFile, download, fetch, zoo_name

RUNNER = "you-shall-not-pass/runner-v1"


@pytest.fixture
def promised(monkeypatch):
    """A file that takes the runner's place in the table."""
    raw = b"the runner"
    monkeypatch.setitem(ZOO, RUNNER, ZooFile(ZOO[RUNNER].path, hashlib.sha256(raw).hexdigest()))
    return raw


def test_the_zoo_has_nineteen_files_of_different_sums():
    assert len({file.sha256 for file in ZOO.values()}) == len({file.path for file in ZOO.values()}) == len(ZOO) == 19
    assert all(len(file.sha256) == 64 for file in ZOO.values())


@pytest.mark.parametrize("name", ZOO)
def test_a_seat_of_the_zoo_is_one_of_its_game(name):
    game, _, agent = name.partition("/")
    seats = find_game(f"mujoco/{game}").mujoco.seats
    seat = agent.rpartition("-")[0]
    assert seat in (seats if not game.startswith("sumo") else ("agent",))
    number = {"agent1": 0, "agent2": 1}.get(ZOO[name].path.rpartition("/")[2].partition("_")[0])
    assert number is None or seats[number] == seat


def test_originals_are_told_by_their_sums(zoo):
    originals = zoo.parent / "originals"
    found = {path.name: zoo_name(path.read_bytes()) for path in originals.glob("*.pkl")}
    assert found == {
        "sumo-ants-agent_parameters-v1.pkl": "sumo-ants/agent-v1",
        "you-shall-not-pass-agent2_parameters-v1.pkl": RUNNER,
    }


def test_another_file_has_no_name():
    assert zoo_name(b"") == ""


def test_a_name_is_downloaded_from_its_place(server, promised, workplace):
    base, files = server
    files[f"/zoo/{ZOO[RUNNER].path}"] = promised
    assert fetch(RUNNER, f"{base}/zoo") == ("agent2_parameters-v1.pkl", promised)
    assert list(workplace.iterdir()) == []


def test_a_file_goes_before_a_name(promised, workplace):
    path = workplace / RUNNER
    path.parent.mkdir()
    path.write_bytes(b"mine")
    assert fetch(RUNNER, "http://127.0.0.1:1") == ("runner-v1", b"mine")


def test_a_folder_of_the_user_s_does_not_hide_a_name(server, promised, workplace):
    base, files = server
    (workplace / RUNNER).mkdir(parents=True)
    files[f"/{ZOO[RUNNER].path}"] = promised
    assert fetch(RUNNER, base)[1] == promised


def test_another_sum_is_refused(server, promised):
    base, files = server
    files[f"/{ZOO[RUNNER].path}"] = promised[:-1] + b"R"
    with pytest.raises(RefusedFile, match=r"sha256 is \w{12}, of the zoo's file \w{12}: damaged or replaced"):
        fetch(RUNNER, base)


def test_an_address_that_promises_a_file_of_the_zoo_must_keep_it(server, promised):
    base, files = server
    address = f"{base}/agent-zoo/{ZOO[RUNNER].path}"
    files[f"/agent-zoo/{ZOO[RUNNER].path}"] = promised
    assert fetch(address)[1] == promised
    files[f"/agent-zoo/{ZOO[RUNNER].path}?raw=1"] = b"other"
    with pytest.raises(RefusedFile, match="damaged or replaced"):
        fetch(f"{address}?raw=1")


def test_another_address_promises_nothing(server):
    base, files = server
    files["/my/agent.pkl?token=secret"] = b"mine"
    assert fetch(f"{base}/my/agent.pkl?token=secret") == ("agent.pkl", b"mine")


def test_what_is_not_there_is_one_line(server):
    with pytest.raises(InvalidInput, match=r"runner|agent2_parameters-v1.pkl: cannot be downloaded \(HTTP 404"):
        fetch(RUNNER, server[0])


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:1/agent.pkl", "refused"),
        ("https://nobody.invalid/agent.pkl", r"cannot be downloaded \(.*; name a file of yours by its path"),
        ("http://", "no host given"),
        ("http://a b/agent.pkl", "control characters"),
        ("http://[/agent.pkl", "cannot be downloaded"),
    ],
)
def test_no_network_is_one_line(address, reason):
    with pytest.raises(InvalidInput, match=reason) as caught:
        fetch(address)
    assert "\n" not in str(caught.value)


def test_a_server_that_says_nothing_is_left(server):
    with pytest.raises(InvalidInput, match="timed out"):
        download(f"{server[0]}/slow", patience=0.2)


def test_no_more_than_the_largest_file_is_taken(server, tmp_path):
    base, files = server
    files["/exact"], files["/more"] = bytes(LARGEST), bytes(LARGEST + 1)
    assert len(fetch(f"{base}/exact")[1]) == LARGEST
    with pytest.raises(RefusedFile, match="more than 4 MB"):
        fetch(f"{base}/more")
    path = tmp_path / "agent.pkl"
    path.write_bytes(files["/more"])
    with pytest.raises(RefusedFile, match="more than 4 MB"):
        fetch(str(path))


@pytest.mark.parametrize(
    ("source", "hint"),
    [("you-shall-not-pas/runner-v1", f"did you mean '{RUNNER}'"), ("x", "such as you-shall"), ("a" * 9999, "such as")],
)
def test_neither_a_file_nor_a_name_is_one_line(workplace, source, hint):
    with pytest.raises(UnknownName, match=hint) as caught:
        fetch(source)
    assert len(str(caught.value)) < 200


def test_the_address_is_that_of_the_repository():
    assert zoo.ADDRESS.startswith("https://raw.githubusercontent.com/openai/multiagent-competition/")
