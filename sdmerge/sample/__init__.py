"""Pictures: a pipeline from any plan, prompts, sheets, grids and their viewer."""
