"""The command line: one file per command group; `output` is the one place that prints."""
