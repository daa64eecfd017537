"""Pictures: a pipeline from any plan, prompts, and a sheet that lays them side by side."""
