"""A dropped connection leaves nothing behind in the server."""

from pathlib import Path

import pytest
import stripe

from tests.sandbox.conftest import client_of


def test_fifty_drops_leave_no_open_file_behind(sandbox):
    sandbox.post("reset")
    files, client = Path(f"/proc/{sandbox.process.pid}/fd"), client_of(sandbox, max_network_retries=0)

    def drop(times):
        sandbox.post("faults", match="GET /v1/balance", kind="drop_before", times=times)
        for _ in range(times):
            with pytest.raises(stripe.APIConnectionError):
                client.v1.balance.retrieve()

    drop(2)
    before = len(list(files.iterdir()))
    drop(50)
    assert len(list(files.iterdir())) < before + 10
