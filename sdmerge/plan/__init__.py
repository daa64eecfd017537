"""Plan: a recipe resolved against real files, before any tensor is read.

`inputs` finds and opens files, `match` checks that they fit, `anatomy`, `filters`, `settings` and
`values` say what each parameter is for each tensor, `stage` plans one document, `tasks` are the
result, `report` says it in counts, `build` puts it together.
"""

from sdmerge.plan.build import Input, Plan, plan
from sdmerge.plan.report import ComponentReport, Report
from sdmerge.plan.tasks import Apply, Combine, Read, Task

__all__ = ["Apply", "Combine", "ComponentReport", "Input", "Plan", "Read", "Report", "Task", "plan"]
