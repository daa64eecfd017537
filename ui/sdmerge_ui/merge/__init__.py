"""The parts of the workbench: what its panels show (`view`), the plan, the preview, the saving."""
