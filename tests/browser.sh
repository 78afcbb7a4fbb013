#!/bin/sh
# The browser stories need a Chromium. Say nothing if there is one, install it where we may, else say how.
# Debian's shell is the same engine without windows: each page costs half of the time.
set -u
command -v chromium-headless-shell >/dev/null 2>&1 && exit 0
has_browser() {
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null 2>&1 && return 0
  done
  return 1
}
apt() {  # without a network it gives up soon
  DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=0 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 "$@" >/dev/null 2>&1
}
install() {
  apt install -y -qq --no-install-recommends --no-remove "$1"
}
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  has_browser || echo "Installing Chromium for the browser tests …"
  has_browser && ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || apt update -qq
  install chromium-headless-shell && exit 0
  has_browser && exit 0
  install chromium && exit 0
fi
has_browser && exit 0
if command -v dnf >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  dnf install -y -q chromium >/dev/null 2>&1 && exit 0
fi
echo "The browser tests need Chromium: install your system's package “chromium” and run make test again." >&2
exit 2
