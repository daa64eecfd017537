"""The app: a page on which people merge. A thin shell: whatever is worth having is in `sdmerge`.

`app` puts the page together, `server` shows it, `place` is the workspace with its jobs, `state` the
recipe that is edited, `tabs` has a file per tab, `assets` the elements that Gradio does not have.
"""
