"""The documentation as a site: ``make docs`` builds it into build/docs, warnings are errors."""

from xstilts._version import __version__

project = "xstilts"
author = "the xstilts developers"
copyright = author
release = version = __version__
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"xstilts {release}"
html_static_path: list[str] = []
# Samples of data files, and DuckDB dialect, have no lexer.
suppress_warnings = ["misc.highlighting_failure"]
