#!/bin/sh
# The browser stories need a Chromium. Say nothing if there is one, install it where we may, else say how.
set -u
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  echo "Installing Chromium for the browser tests …"
  apt-get update -qq >/dev/null 2>&1
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1 && exit 0
fi
if command -v dnf >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  dnf install -y -q chromium >/dev/null 2>&1 && exit 0
fi
echo "The browser tests need Chromium: install your system's package “chromium” and run make test again." >&2
exit 2
