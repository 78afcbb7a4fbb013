"""The background work of this room registers itself where it is written; here it is gathered."""

from backing import changes, collecting, fixing, totals

RHYTHMS = (changes.end_holds, collecting.watch_runs, fixing.tend_errored, totals.roll_up)
JOBS = (collecting.run_collection_job, collecting.collect_pledge_job)
