"""What every process of ours pays before it does anything."""

import subprocess
import sys

from tests.conftest import ROOT

SAYS = "import gc, sys, app; print('alembic' in sys.modules, gc.isenabled(), gc.get_freeze_count() > 50_000)"


def test_a_start_leaves_migrations_aside_and_the_collector_looks_past_what_stays_for_good():
    done = subprocess.run([sys.executable, "-c", SAYS], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "True", "True"]
