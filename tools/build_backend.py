"""meson-python as the build backend, with two messages in time.

pip looks at ``requires-python`` only after the build has been set up, and an editable
install that cannot rebuild itself fails only on import.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    version = ".".join(map(str, sys.version_info[:3]))
    sys.exit(
        f"minpack needs Python 3.11 or newer; {sys.executable} is Python {version}."
    )

import mesonpy
from mesonpy import *  # noqa: F403

# Parts of the paths where pip and uv put what they delete after a build.
TEMPORARY = ("pip-build-env-", "builds-v0")


def get_requires_for_build_editable(config_settings=None):
    """Refuse where the tools that would rebuild the package are about to be deleted."""
    if any(part in folder for part in TEMPORARY for folder in sys.path):
        sys.exit(
            "An editable install of minpack rebuilds itself on import, with the Meson, "
            "Ninja and NumPy that built it. Build isolation deletes these. Do this:\n"
            "    pip install meson-python meson ninja 'numpy>=2.0'\n"
            "    pip install --no-build-isolation --editable .\n"
            "or `make test`, which does so in .venv."
        )
    return mesonpy.get_requires_for_build_editable(config_settings)
