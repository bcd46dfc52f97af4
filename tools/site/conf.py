"""What Sphinx is told: Markdown pages, the theme furo, and nothing that is loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

from bearward import __version__

project = "bearward"
author = "the bearward maintainers"
copyright = author  # noqa: A001 - Sphinx's own name
release = version = __version__
extensions = ["myst_parser"]
root_doc = "docs/index"
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "attrs_inline", "deflist"]
suppress_warnings = ["myst.header"]  # benchmarks' pages begin with a comment
nitpicky = True
html_theme = "furo"
html_title = f"bearward {version}"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["bearward.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#7a4b12", "color-brand-content": "#8a4b08"},
    "dark_css_variables": {"color-brand-primary": "#f0b35e", "color-brand-content": "#f3bd73"},
}
pygments_style = "friendly"
pygments_dark_style = "monokai"
