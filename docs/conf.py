"""The documentation, by Sphinx and MyST; `make docs` builds it, with pages that are written from the code."""

import importlib.metadata
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import content  # noqa: E402  # lies beside this file

project = "rlattack"
author = "the rlattack team"
release = importlib.metadata.version("rlattack")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
default_role = "code"  # docstrings write names in single backquotes
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_mock_imports = ["ray"]
napoleon_google_docstring = True
napoleon_use_ivar = True
suppress_warnings = ["myst.xref_missing"]
html_theme = "furo"
html_title = f"rlattack {release}"


def setup(app):
    """Keeps `*observation` in docstrings from being read as the beginning of an emphasis."""

    def escape(app, what, name, found, options, lines):
        lines[:] = [line.replace(" *", " \\*") for line in lines]

    app.connect("autodoc-process-docstring", escape, priority=400)


content.write(HERE / "generated")
