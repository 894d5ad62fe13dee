import pytest

from rlattack import content
from rlattack.content import find_card, iterate_cards, read_card, roots
from rlattack.errors import ContentError

SCHEMA = "rlattack/game/1"
CARD = f'schema = "{SCHEMA}"\ntitle = "Mine"\n'


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder, and a wheel beside it with no checkout around."""
    monkeypatch.setattr(content, "_PACKAGE", tmp_path / "site" / "rlattack")
    for folder in (
        tmp_path / "work" / "envs" / "atari",
        tmp_path / "site" / "rlattack" / "_content" / "envs" / "atari",
    ):
        folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_the_working_folder_comes_first_then_the_checkout_then_the_wheel(here):
    mine, wheel = here / "work" / "envs", here / "site" / "rlattack" / "_content" / "envs"
    assert roots("envs") == [mine, wheel]
    (here / "site" / "envs").mkdir()
    assert roots("envs") == [mine, wheel]  # a folder beside the package is a checkout only with its pyproject.toml
    (here / "site" / "pyproject.toml").touch()
    assert roots("envs") == [mine, here / "site" / "envs", wheel]
    assert roots("agents") == []


def test_the_checkout_as_working_folder_counts_once(here, monkeypatch):
    (here / "site" / "pyproject.toml").touch()
    (here / "site" / "envs").mkdir()
    monkeypatch.chdir(here / "site")
    assert roots("envs") == [here / "site" / "envs", here / "site" / "rlattack" / "_content" / "envs"]


def test_a_card_is_found_by_its_id_and_listed_with_it(here):
    path = here / "work" / "envs" / "atari" / "x.toml"
    path.write_text(CARD)
    expected = {"schema": SCHEMA, "title": "Mine"}
    assert find_card("envs", "*.toml", SCHEMA, "atari/x") == (path, expected)
    assert list(iterate_cards("envs", "*.toml", SCHEMA)) == [("atari/x", path, expected)]
    assert find_card("envs", "*.toml", SCHEMA, "atari/y") is None


def test_an_agents_id_is_its_folder(here):
    path = here / "work" / "agents" / "atari" / "x" / "ppo" / "agent.toml"
    path.parent.mkdir(parents=True)
    path.write_text('schema = "rlattack/agent/1"\n')
    found = find_card("agents", "agent.toml", "rlattack/agent/1", "atari/x/ppo")
    assert found == (path, {"schema": "rlattack/agent/1"})
    assert [name for name, _, _ in iterate_cards("agents", "agent.toml", "rlattack/agent/1")] == ["atari/x/ppo"]


@pytest.mark.parametrize("text", ['title = "x"', "schema = 3", 'schema = "other/game/1"', "= broken", "\udcff"])
def test_a_file_that_is_not_ours_is_passed_over(here, text):
    path = here / "work" / "envs" / "theirs.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert read_card(path, SCHEMA) is None
    assert list(iterate_cards("envs", "*.toml", SCHEMA)) == []


def test_a_card_of_another_version_is_refused(here):
    path = here / "work" / "envs" / "x.toml"
    path.write_text('schema = "rlattack/game/2"')
    with pytest.raises(ContentError, match="written for 'rlattack/game/2', this version reads rlattack/game/1"):
        read_card(path, SCHEMA)


def test_an_agent_card_that_cannot_be_read_is_refused(here):
    path = here / "agent.toml"
    path.write_text("= broken")
    with pytest.raises(ContentError, match=r"agent.toml: not a readable card"):
        read_card(path, "rlattack/agent/1")


def test_two_different_cards_of_one_id_are_refused_and_equal_ones_are_one(here):
    mine = here / "work" / "envs" / "atari" / "x.toml"
    shipped = here / "site" / "rlattack" / "_content" / "envs" / "atari" / "x.toml"
    mine.write_text(CARD)
    shipped.write_text(CARD)
    assert find_card("envs", "*.toml", SCHEMA, "atari/x") == (mine, {"schema": SCHEMA, "title": "Mine"})
    assert len(list(iterate_cards("envs", "*.toml", SCHEMA))) == 1
    shipped.write_text(CARD + "[win]\n")
    for search in (
        lambda: find_card("envs", "*.toml", SCHEMA, "atari/x"),
        lambda: list(iterate_cards("envs", "*.toml", SCHEMA)),
    ):
        with pytest.raises(ContentError, match="two cards claim 'atari/x'"):
            search()


@pytest.mark.parametrize("content", ["a = " + "[" * 100_000, "a = " + "1" * 5000], ids=["nested", "long"])
def test_a_card_that_cannot_be_parsed_is_one_line(here, content):
    place = here / "work" / "agents" / "deep" / "agent.toml"
    place.parent.mkdir(parents=True)
    place.write_text(content)
    with pytest.raises(ContentError, match=r"agent.toml: not a readable card"):
        read_card(place, "rlattack/agent/1")
