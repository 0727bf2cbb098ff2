"""meson-python as the build backend, with two messages in time, and a README for PyPI.

pip looks at ``requires-python`` only after the build has been set up, and an editable
install that cannot rebuild itself fails only on import. PyPI shows the README where no
link of it would lead to a file beside it.
"""

import copy
import dataclasses
import re
import sys

if sys.version_info < (3, 11):  # noqa: UP036
    version = ".".join(map(str, sys.version_info[:3]))
    sys.exit(
        f"minpack needs Python 3.11 or newer; {sys.executable} is Python {version}."
    )

import mesonpy
from mesonpy import *  # noqa: F403
from pyproject_metadata import StandardMetadata

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


def with_absolute_links(text, source, version):
    """Let the links to files and pictures lead to the repository, at this version."""
    return re.sub(
        r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)",
        lambda link: "{}[{}]({}/{}/v{}/{})".format(
            link[1], link[2], source, "raw" if link[1] else "blob", version, link[3]
        ),
        text,
    )


write_metadata = StandardMetadata.as_rfc822


def write_metadata_for_pypi(metadata):
    """Write what describes the package, with links that work everywhere."""
    text = with_absolute_links(
        metadata.readme.text, metadata.urls["Source"], metadata.version
    )
    metadata = copy.copy(metadata)
    metadata.readme = dataclasses.replace(metadata.readme, text=text)
    return write_metadata(metadata)


StandardMetadata.as_rfc822 = write_metadata_for_pypi
