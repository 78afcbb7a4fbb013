"""Where a browser reaches the hosted pages: SANDBOX_PUBLIC_URL, else the address that the server listens on."""

from __future__ import annotations

_url = "http://127.0.0.1:12111"


def set_origin(url: str) -> None:
    global _url
    _url = url.rstrip("/")


def page(path: str) -> str:
    return _url + path
