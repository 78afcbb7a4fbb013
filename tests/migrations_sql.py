"""Print the SQL of every migration, for the linter (O-05)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from alembic import command

from core.migrate import alembic_config

command.upgrade(alembic_config("postgresql://x/x"), "head", sql=True)
