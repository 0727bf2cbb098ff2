"""What the parts measure, as numbers; pages/ writes of them."""

import sys
from pathlib import Path

# For problems/. At the end: modules of tests/ have names that modules here may have.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))
