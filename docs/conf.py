"""The manual as a site: ``make docs`` builds it from the pages as they lie in the repository.

The source folder is the repository's root, so that a link between README, docs, CONTRIBUTING and the results leads to
the same page here and on a forge.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs/site")]

from wsi_scale.version import __version__  # noqa: E402 - the path above names this checkout

project = "wsi_scale"
author = "wsi_scale's authors"
copyright = "wsi_scale's authors, MIT licence"  # noqa: A001 - Sphinx reads this name
version = release = __version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "commands",
    "checks",
]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/RESULTS.md",
    "config/README.md",
    "wsi_scale/networks/data/*.md",
    "docs/**",
]
exclude_patterns = [".*", "build", "dist", "results", "tests", "workflows", "configs", "profiles", "**/__pycache__"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # a test runs the notebooks; the site shows the outputs that they are shipped with

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc shows types where a docstring needs them; the signature has all of them
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = False

html_theme = "pydata_sphinx_theme"
html_title = f"wsi_scale {version}"
html_static_path = ["site/static"]
html_css_files = ["manual.css"]
html_additional_pages = {"index": "to_manual.html"}
templates_path = ["site/templates"]
smartquotes = False  # they would turn the -- of an option into a dash
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"docs/index": [], "docs/tasks": [], "docs/glossary": []}
html_theme_options = {
    "logo": {"text": "wsi_scale"},
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "show_prev_next": False,
    "show_nav_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
