# `make run` attacks agents that ship with rlattack, in what they see and by how an opponent behaves; `make test` checks the project.
# Both set up .venv first, and again when pyproject.toml has changed.

BIN := .venv/bin
PYTHON = $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: run test docs

run: .venv/.installed-all
	$(BIN)/rlattack attack atari/pong --victim atari/pong/ppo --attack fgsm --eps 0.0005 0.001 --episodes 16 --run runs/pong-linf
	$(BIN)/rlattack attack atari/pong --victim atari/pong/ppo --attack pixel --norm l0 --eps 1 2 5 --episodes 16 --run runs/pong-pixels
	$(BIN)/rlattack attack mujoco/half-cheetah --victim mujoco/half-cheetah/ppo --attack pgd --eps 0.15 0.5 --space sigma --episodes 8 --video --run runs/half-cheetah
	$(BIN)/rlattack duel mujoco/sumo-humans --players mujoco/sumo-humans/self-play \
		mujoco/sumo-humans/adversary-self-play,mujoco/sumo-humans/self-play,zero,random \
		--victim first --mask none first --video --episodes 100 --run runs/sumo-humans
	$(BIN)/rlattack report runs/pong-linf runs/pong-pixels runs/half-cheetah runs/sumo-humans

# One thread a test process: two of them beside a busy core make torch many times slower.
test: export OMP_NUM_THREADS = 1
test: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 -m "not slow and not gpu" --cov --cov-report=term-missing:skip-covered --cov-fail-under=90 --durations=30 --durations-min=5

docs: .venv/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build
	@echo "docs/_build/index.html is the documentation"

.venv/.installed-%: pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --disable-pip-version-check -e ".[$*]"
	@touch $@

# pip comes last into a new environment, so an interrupted one is made again.
$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "rlattack needs Python 3.11 or later with venv and pip (Debian: apt install python3 python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
