"""A second verifier, on NumPy and the game alone: shares no line with `rlattack verify`, and must agree with it.

Knows balls, plain networks and observations that are one array; what else there is it leaves out.
"""

import csv
import hashlib
import io
import json
import math
import tomllib
import zipfile
from collections import Counter
from statistics import NormalDist

import numpy as np
import safetensors.numpy

from rlattack.games import Variant, find_game, make_game

CONTROLS = {"noise", "action-noise", "direction", "gwc-noise", "random-patch", "redraws"}
WEIGHTS = np.random.default_rng(0).integers(2**63, size=1024, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
RULED = {"atari/pong": "score"}


def key_of(identity):
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def problems(run, agents):
    """All that is wrong with a run, of agents that lie in a folder; nothing of one that nobody has touched."""
    try:
        results = json.loads((run / "results.json").read_text())["cells"]
        config = json.loads((run / "config.json").read_text())
        rows = list(csv.DictReader((run / "episodes.csv").read_text().splitlines()))
        found = [] if Counter(one["cell"] for one in results) == Counter(config["cells"]) else ["cells"]
        for spec, sha256 in (pair for of in config["players_sha256"].values() for pair in of.items()):
            if sha256 and hashlib.sha256((agents / spec / "policy.safetensors").read_bytes()).hexdigest() != sha256:
                found.append(f"weights of {spec}")
        cells = {one["cell"]: Cell(run / "ledgers" / f"{one['cell']}.npz", one, agents) for one in results}
        for key, cell in cells.items():
            about = (*cell.ledger(), *cell.settings(config), *cell.replay(), *cell.reach(), *cell.said())
            about += (*cell.rows(rows), *cell.figures(cells), *cell.control(results))
            found += [f"{key}: {said}" for said in about]
        return found
    except Exception as error:  # whatever a forgery breaks
        return [f"{type(error).__name__}: {error}"]


class Cell:
    def __init__(self, path, result, agents):
        with zipfile.ZipFile(path) as file:
            told = json.loads(file.read("ledger.json"))
            raw = {name.removesuffix(".npy"): file.read(name) for name in file.namelist() if name != "ledger.json"}
        checksum = told.pop("checksum")
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
        digest.update(b"".join(name.encode() + raw[name] for name in sorted(raw)))
        assert digest.hexdigest() == checksum, "checksum"
        self.of = {name: np.load(io.BytesIO(one), allow_pickle=False) for name, one in raw.items()}
        assert all(np.isfinite(one).all() for one in self.of.values()), "not finite"
        self.result, self.agents, self.told = result, agents, told
        self.played, self.about = told["identity"], told["about"]
        self.episodes, self.seats = told["episodes"], range(len(told["about"]["seats"]))
        self.begins = np.concatenate([[0], np.cumsum([one["length"] for one in self.episodes])])
        self.at = self.begins[self.of["sampled"][:, 0]] + self.of["sampled"][:, 1]
        self.sampled = {int(row): place for place, row in enumerate(self.at)}

    def stream(self, *purpose):
        return np.random.SeedSequence(self.played["seed"], spawn_key=purpose)

    def ledger(self):
        same = self.result["cell"] == self.told["key"] == key_of(self.played) and self.told["share"] == 0.02
        yield from ["another key, or another share"] * (not same)
        wanted, seen = [], max(self.of[f"shown.{seat}"][0].size for seat in self.seats)
        for one in self.episodes:
            drawn = np.random.default_rng(self.stream(one["episode"], 4)).random(one["length"])
            count = min(max(1, 2**20 // (4 * seen)), max(1, int((drawn < 0.02).sum())))
            wanted += [[one["episode"], step] for step in sorted(np.argsort(drawn, kind="stable")[:count])]
        if self.of["sampled"].tolist() != wanted or len(self.of["rewards"]) != self.begins[-1]:
            yield "other steps are sampled than the seed draws"
        for one, first in zip(self.episodes, self.begins, strict=False):
            for seat in self.seats:
                if judged := one["seats"][seat]["judged"]:
                    rows = first + np.flatnonzero(self.of[f"acting.{seat}"][first : first + one["length"]])
                    names = ("changed", "legal", "moved", "sizes")
                    changed, legal, moved, sizes = (self.of[f"{name}.{seat}"][rows] for name in names)
                    told = [judged[name] for name in ("steps", "attacked", "broken")] + [*judged["sizes"].values()]
                    now = [len(rows), changed.sum(), (~legal).sum(), *sizes.max(axis=0)]
                    if not np.allclose([*told, judged["changed"]], [*now, moved.sum()]):
                        yield f"episode {one['episode']}: the judge says otherwise than its steps"

    def settings(self, config):
        played, victim, result = self.played, self.about["victim"], self.result
        player, game = self.about["players"][victim], self.played["game"]
        told = [result[name] for name in ("game", "seed", "sticky", "actions", "victim", "defence")]
        now = [game["id"], played["seed"], game["sticky"], played["actions"][victim], victim]
        if told != [*now, " + ".join(player["fronts"]) or None]:
            yield "other settings"
        ruled = "game" if any(one["seats"][0]["outcome"] for one in self.episodes) else RULED.get(game["id"])
        yield from ["another rule of winning"] * ((result["win_rule"] or {"rule": None})["rule"] != ruled)
        seated = [seat["player"] for seat in result["seats"]] == [one["name"] for one in self.about["players"]]
        yield from ["other players"] * (not seated)
        yield from ["another victim"] * (played["players"][victim][0] not in config["configuration"]["victims"])
        card = self.agents / player["spec"] / "agent.toml"
        yield from ["another claim"] * (result["claim"] is not None and "defends" not in card.read_text())
        for attack, one in zip(result["attacks"], played["attacks"], strict=True):
            budget, name = one["budget"], one["spec"]["name"]
            was = [attack[word] for word in ("name", "eps", "space", "reach", "control", "grid", "free")]
            now = [name, *(budget[word] for word in ("eps", "space", "norm")), name in CONTROLS, budget["grid"]]
            if was != [*now, budget["free"]] or attack["schedule"].split(":")[0] != one["schedule"].split(":")[0]:
                yield f"{name} is otherwise"
            wide = budget["norm"] in ("linf", "l0") and attack["radius"] != budget["eps"]
            files, own = dict(one["files"]), one["spec"]["parameters"]
            if wide or any(own.get(word) != files.get(word, value) for word, value in attack["parameters"].items()):
                yield f"{name} has another radius or other parameters"

    def replay(self):
        told, row, card = self.played["game"], 0, find_game(self.played["game"]["id"])
        game, patience = make_game(Variant(card, tuple(map(tuple, told["hidden"]))), 1), card.stall and card.stall.steps
        for one in self.episodes:
            seed = int(self.stream(one["episode"], 0).generate_state(1)[0] >> 1)
            views, mixed = game.reset(np.ones(1, bool), np.asarray([seed])), np.uint64(0)
            scores, ended, still = np.zeros(len(self.seats)), "", 0
            for step in range(one["length"]):
                if ended:
                    yield f"episode {one['episode']} is over before step {step}"
                    break
                if row in self.sampled:
                    shown = [self.of[f"shown.{seat}"][self.sampled[row]] for seat in self.seats]
                    if not all(np.array_equal(view.obs[0], own) for view, own in zip(views, shown, strict=True)):
                        yield f"episode {one['episode']}, step {step}: something else is shown"
                actions = [self.of[f"action.{seat}"][row] for seat in self.seats]
                found = game.step([np.asarray(action)[None] for action in actions])
                views, rewards, over, late = found.views, found.rewards[:, 0], found.terminated[0], found.truncated[0]
                parts = [np.asarray(part, dtype=np.float64).reshape(-1) for part in (*actions, rewards)]
                with np.errstate(over="ignore"):
                    bits = np.concatenate(parts).view(np.uint64)
                    total = ((bits ^ (bits >> np.uint64(32))) * WEIGHTS[: len(bits)]).sum(dtype=np.uint64)
                    mixed = (mixed ^ total ^ (total >> np.uint64(29))) * np.uint64(0x100000001B3)
                    mixed += np.uint64(0x9E3779B97F4A7C15)
                still = 0 if rewards.any() else still + 1
                ended = game.endings[found.ending[0]] if over or late else "stalled" * (still == patience)
                ended = ended or "--max-steps" * (step + 1 == told["max_steps"])
                yield from ["something else is paid"] * (not np.array_equal(rewards, self.of["rewards"][row]))
                scores, row = scores + rewards, row + 1
            said = (one["seed"], one["trajectory"], [seat["score"] for seat in one["seats"]])
            if said != (seed, f"{int(mixed):016x}", list(scores)) or not ended:
                yield f"episode {one['episode']} went otherwise"
            ends = [ended, ended == "--max-steps" or bool(late and not over), ended == "stalled"]
            other = ends != [one[name] for name in ("ending", "truncated", "stalled")]
            yield from [f"episode {one['episode']} ended otherwise"] * other
            winner = -2 if ended in ("stalled", "--max-steps") else found.winner[0]  # -2: nobody says so; -1: a tie
            won = [{-2: None, -1: "tie"}.get(winner, "win" if winner == seat else "loss") for seat in self.seats]
            yield from ["somebody else has won"] * (won != [seat["outcome"] for seat in one["seats"]])

    def received(self, seat):
        shown, planes = self.of[f"shown.{seat}"].astype("<f4"), self.of[f"received.{seat}"].transpose(0, 2, 1)
        return (np.ascontiguousarray(planes).view("<u4").reshape(shown.shape) ^ shown.view("<u4")).view("<f4")

    def reach(self):
        for seat in self.seats:
            shown, received = self.of[f"shown.{seat}"].astype("<f4"), self.received(seat)
            flat, start = received.reshape(len(shown), -1), shown.reshape(len(shown), -1)
            own = [(number, one) for number, one in enumerate(self.played["attacks"]) if one["seat"] == seat]
            own = [pair for pair in own if self.about["attacks"][pair[0]]["access"] == "observation"]
            if not own and not np.array_equal(shown, received):
                yield f"seat {seat} is not attacked, and received something else"
            for number, one in own:
                budget, entries = one["budget"], flat.shape[1]
                unit = {"unit": 255.0, "raw": 1.0}.get(budget["space"])
                unit = self.tensors(seat)["obs_std"] if unit is None else unit
                delta = np.abs((flat - start) / unit).astype(np.float64)
                sizes = [delta.max(1), np.sqrt((delta**2).sum(1)), delta.sum(1), (delta > 0).sum(1)]
                radius = (budget["eps"] or np.inf) * {"l2": math.sqrt(entries), "l1": entries}.get(budget["norm"], 1)
                place = ["linf", "l2", "l1", "l0"].index(budget["norm"])
                if (self.of[f"sizes.{seat}"][self.of[f"acting.{seat}"]][:, place] > radius * (1 + 1e-5) + 1e-5).any():
                    yield f"seat {seat} receives more than the budget allows"
                same = np.allclose(np.stack(sizes, 1), self.of[f"sizes.{seat}"][self.at][:, :4], 1e-4, 1e-4)
                ends = (0, 255) if self.of[f"shown.{seat}"].dtype == np.uint8 else (-np.inf, np.inf)
                wild = (flat < ends[0]).any() or (flat > ends[1]).any() or (budget["grid"] and (flat % 1).any())
                yield from ["other sizes are measured, or out of the range"] * bool(wild or not same)
                if one["spec"]["name"] == "noise" and budget["norm"] == "linf" and one["schedule"] == "every":
                    noisy = np.clip(start + np.stack(list(self.noise(number, entries))) * budget["eps"] * unit, *ends)
                    noisy = start + np.trunc((noisy - start) * (1 + 1e-6)) if budget["grid"] else noisy
                    if not np.allclose(noisy, flat, atol=1e-4, rtol=1e-4):
                        yield f"seat {seat}: not the noise of the seed"

    def noise(self, number, entries):
        for one, first in zip(self.episodes, self.begins, strict=False):
            purpose = (one["episode"], 2, *([number] if number else []))
            rng = np.random.Generator(np.random.SFC64(self.stream(*purpose)))
            for row in range(first, first + one["length"]):
                bits = np.unpackbits(np.frombuffer(rng.bytes(-(-entries // 8)), np.uint8), count=entries)
                if row in self.sampled:
                    yield bits * 2.0 - 1

    def tensors(self, seat):
        raw = (self.agents / self.about["players"][seat]["spec"] / "policy.safetensors").read_bytes()
        return {name: one.astype(np.float32) for name, one in safetensors.numpy.load(raw).items()}

    def scores(self, seat):
        """What the network of a seat says of what it received: logits, values or means."""
        of, x = self.tensors(seat), self.received(seat)
        card = tomllib.loads((self.agents / self.about["players"][seat]["spec"] / "agent.toml").read_text())
        net = card["network"]
        bend = np.tanh if net.get("activation", "tanh") == "tanh" else lambda x: np.maximum(x, 0)
        if net.get("kind") == "gaussian":
            x = np.clip((x - of["obs_mean"]) / of["obs_std"], -net["clip"], net["clip"])
            for layer in range(0, 2 * len(net["hidden"]), 2):
                x = bend(x @ of[f"pi.layers.{layer}.weight"].T + of[f"pi.layers.{layer}.bias"])
            return x @ of["pi.out.weight"].T + of["pi.out.bias"]
        x = x / np.float32(net["scale"])
        for layer, (_, kernel, stride) in enumerate(net["convolutions"]):
            spots = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]
            x = np.einsum("nchwij,ocij->nohw", spots, of[f"trunk.{2 * layer}.weight"], optimize=True)
            x = np.maximum(x + of[f"trunk.{2 * layer}.bias"][:, None, None], 0)
        x, first = x.reshape(len(x), -1), 2 * len(net["convolutions"]) + 1
        for layer in range(first, first + 2 * len(net["hidden"]), 2):
            x = np.maximum(x @ of[f"trunk.{layer}.weight"].T + of[f"trunk.{layer}.bias"], 0)
        for layer in range(0, 2 * len(net["actor"]), 2):
            x = bend(x @ of[f"actor.{layer}.weight"].T + of[f"actor.{layer}.bias"])
        x = x @ of[f"actor.{2 * len(net['actor'])}.weight"].T + of[f"actor.{2 * len(net['actor'])}.bias"]
        return x / card["temperature"]

    def said(self):
        for seat, player in enumerate(self.about["players"]):
            chosen, attacks = self.of[f"chosen.{seat}"], zip(self.played["attacks"], self.about["attacks"], strict=True)
            turned = any(one["seat"] == seat and told["access"] == "action" for one, told in attacks)
            same = turned or np.array_equal(self.of[f"action.{seat}"][self.at], chosen)
            yield from [f"seat {seat}: another action is done than was chosen"] * (not same)
            if player["fronts"] or not (self.agents / player["spec"]).is_dir() or f"before.{seat}" in self.of:
                continue
            told, now = self.of.get(f"said.{seat}.mean", self.of.get(f"said.{seat}.scores")), self.scores(seat)
            same = np.allclose(now, told, rtol=1e-3, atol=1e-3 * max(1, np.abs(told).max()))
            yield from [f"seat {seat} says something else"] * (not same)
            if self.played["actions"][seat] == "greedy" and chosen.ndim == 1:
                yield from ["another choice"] * bool((now[range(len(now)), chosen] < now.max(1) - 1e-3).any())

    def outcome(self, told):
        ruled = "win" if told["score"] > 0 else "loss" if told["score"] < 0 else "tie"
        return told["outcome"] or (ruled if self.played["game"]["id"] in RULED else "")

    def rows(self, rows):
        expected = Counter()
        for one, seat in ((one, seat) for one in self.episodes for seat in self.seats):
            who, told = (self.about["seats"][seat], self.about["players"][seat]["name"]), one["seats"][seat]
            ends = one["length"], one["ending"], int(one["truncated"]), int(one["stalled"])
            row = (one["cell"], one["episode"], one["seed"], *who, told["score"], self.outcome(told), *ends)
            expected[tuple(map(str, row))] += 1
        own = Counter(tuple(row.values()) for row in rows if row["cell"] == self.told["key"])
        yield from ["episodes.csv"] * (own != expected)

    def figures(self, cells):
        result, clean = self.result, cells.get(key_of({**self.played, "attacks": []}))
        told = [result[name] for name in ("episodes", "steps", "truncated", "stalled", "distinct", "endings")]
        counts = [sum(one[name] for one in self.episodes) for name in ("truncated", "stalled")]
        counts += [len({one["trajectory"] for one in self.episodes}), Counter(one["ending"] for one in self.episodes)]
        yield from ["counts"] * (told != [len(self.episodes), self.begins[-1], *counts])
        means = [(result["length"], np.diff(self.begins).astype(float))]
        for number, seat in enumerate(result["seats"]):
            own = [one["seats"][number] for one in self.episodes]
            scores, words = np.asarray([one["score"] for one in own]), [self.outcome(one) for one in own]
            cut, ranked = len(scores) // 4, np.sort(scores)
            means.append((seat["return"], scores))
            middle = math.isclose(seat["return"]["iqm"], ranked[cut : len(scores) - cut].mean())
            rates = [words.count(kind) / len(words) if any(words) else None for kind in ("win", "loss")]
            won = [seat[kind] and seat[kind]["rate"] for kind in ("win", "loss")] == rates
            yield from ["interquartile mean"] * (not middle) + ["win rate"] * (not won)
            judged = [one["judged"] for one in own if one["judged"]]
            for name, of in (("attacked", "attacked"), ("action_change", "changed"), ("gradients", "gradients")):
                share = sum(one[of] for one in judged) / max(1, sum(one["steps"] for one in judged))
                yield from [name] * bool(judged and not math.isclose(seat[name], share))
            largest = {name: max(one["sizes"][name] for one in judged) for name in seat["sizes"]} if judged else {}
            yield from ["largest sizes"] * (not np.allclose([*seat["sizes"].values()], [*largest.values()], 1e-5))
            before = np.asarray([one["seats"][number]["score"] for one in clean.episodes])
            means += [(seat["drop"]["return"], before - scores)] if judged else []
        for mean, values in means:
            if not np.allclose([mean["mean"], *mean["ci"]], [values.mean(), *bca(values)], rtol=1e-6, atol=1e-9):
                yield f"mean {mean['mean']:g}"

    def control(self, results):
        about = ("game", "actions", "sticky", "defence", "seed", "episodes", "mask")
        sized = ("seat", "space", "model", "grid", "free", "schedule", "eps", "reach", "access")
        like = [one["attacks"] for one in results if all(one[name] == self.result[name] for name in about)]
        beside = [[[attack[name] for name in sized] for attack in one] for one in like if one and one[0]["control"]]
        own = [[one[name] for name in sized] for one in self.result["attacks"]]
        yield from ["no clean play beside it"] * ([] not in like) + ["no control"] * (bool(own) and own not in beside)


def bca(values):
    """The bias-corrected and accelerated interval of a mean (Efron 1987)."""
    if np.ptp(values) == 0:
        return [values[0]] * 2
    means, normal = values[np.random.default_rng(0).integers(0, len(values), (9999, len(values)))].mean(1), NormalDist()
    bias = normal.inv_cdf(((means < values.mean()).sum() + (means <= values.mean()).sum()) / (2 * len(means)))
    apart = (values - values.mean()) / len(values)
    bend = (apart**3).sum() / (6 * (apart**2).sum() ** 1.5)
    shifted = [bias + (bias + z) / (1 - bend * (bias + z)) for z in (-1.959963984540054, 1.959963984540054)]
    return [np.percentile(means, 100 * normal.cdf(one)) for one in shifted]
