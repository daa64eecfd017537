"""Jobs: what is run later or beside, in folders of its own, by one worker per device.

`model` is a job and what it does, `folder` how jobs lie on the disk, `events` what they say,
`lanes` who works for a device, `talk` and `preview` how that is asked, `turns` who goes first,
`studio` the pipeline that a worker keeps, `lineage` where a model comes from, `clean` what can be
made again, `again` what is run once more. `Jobs` is the way in.
"""

from sdmerge.jobs.events import Event
from sdmerge.jobs.jobs import Jobs
from sdmerge.jobs.model import Failure, Job, Request, State
from sdmerge.jobs.preview import Preview, Wish

__all__ = ["Event", "Failure", "Job", "Jobs", "Preview", "Request", "State", "Wish"]
