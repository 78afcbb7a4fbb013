"""Our figures beside the machine's limits, measured in one run: `python -m bench [NAME]`.

Each bench runs the limit, ours, the limit, ours … in short rounds, so that what else the machine does falls on both.
"""
