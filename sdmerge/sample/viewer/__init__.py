"""The viewer: one page for the command line, the app, and a folder or file to send to a friend.

`page` puts the page together, `data` says what of a grid it holds, `export` copies a grid with it.
The page itself lies in `page/`; it has no dependencies and asks no network.
"""

from sdmerge.sample.viewer.export import PAGE, export, write_page
from sdmerge.sample.viewer.page import page

__all__ = ["PAGE", "export", "page", "write_page"]
