"""A local server that speaks Stripe's HTTP API, API version 2026-10-28.endive, strictly (reliability.md, SB-01 to SB-09).

It imports no room of the house and no room imports it: the only way in is HTTP.
"""

API_VERSION = "2026-10-28.endive"
