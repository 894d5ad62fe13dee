"""Who verifies imports no attack: what it finds is found without the code that made it."""

import subprocess
import sys

_WORDS = {"rlattack.attacks", "rlattack.attacks.ensemble", "rlattack.attacks.words"}
"""What is said of attacks, where none is made."""


def test_verifying_a_run_imports_nothing_that_attacks(played):
    code = (
        "import sys; from rlattack.cli.main import main; code = main(['verify', sys.argv[1]]); "
        "print(*sorted(name for name in sys.modules if name.startswith('rlattack.attacks')), sep='\\n'); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(played)], capture_output=True, text=True, check=True)
    loaded = {line for line in done.stdout.splitlines() if line.startswith("rlattack.attacks")}
    assert loaded == _WORDS
    assert "nothing failed" in done.stdout
