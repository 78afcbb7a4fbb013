"""`make screenshots`: the pictures of the README, taken from a running demo (`make demo` in another window).

DEMO_URL names it, else localhost and PORT. Nothing is changed there: the script signs in and looks.
"""

import io
import os
import re
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from demo import stories

URL = os.environ.get("DEMO_URL") or f"http://localhost:{os.environ.get('PORT') or 5000}"
OUT = Path(__file__).parent / "pictures"
MOST = 150_000  # bytes of a picture
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome",
                                                     "chromium-headless-shell"))), None)


def keep(page: Page, name: str) -> None:
    """The window as it stands, as WebP of the best quality that stays small."""
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot()))
    for quality in (86, 78, 70, 60, 50):
        out = io.BytesIO()
        picture.save(out, "WEBP", quality=quality, method=6)
        if out.tell() <= MOST:
            break
    (OUT / f"{name}.webp").write_bytes(out.getvalue())
    print(f"{name:<12} {picture.width} × {picture.height}, {out.tell() // 1000} kB")


def open_page(browser: Browser, role: str = "", *, width: int = 1280, height: int = 860, dark: bool = False) -> Page:
    """A window of its own, signed in as one of the demo's accounts if `role` names one."""
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB",
                                  device_scale_factor=2 if width < 700 else 1,
                                  color_scheme="dark" if dark else "light", base_url=URL)
    page = context.new_page()
    if role:
        page.goto("/login")
        page.fill("input[name=email]", stories.ACCOUNTS[role])
        page.fill("input[name=password]", stories.PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_url(re.compile(r"/me$"))
    return page


def slug_of(page: Page, key: str) -> str:
    """The address of a project of the demo's stories."""
    title = next(plot.title for plot in stories.PROJECTS if plot.key == key)
    page.goto(f"/discover?q={title.split(':')[0].replace(' ', '+')}")
    link = page.get_by_role("link", name=title).first.get_attribute("href") or ""
    return link.split("?")[0].rstrip("/").split("/")[-1]


def take(browser: Browser) -> None:
    page = open_page(browser)
    page.goto("/")
    keep(page, "home")
    record = slug_of(page, "record")
    page.goto(f"/projects/{record}")
    keep(page, "project")

    page = open_page(browser, "fan", height=980)
    others = [slug_of(page, plot.key) for plot in stories.PROJECTS if plot.state == "live"]
    for slug in others:
        page.goto(f"/projects/{slug}/pledge")
        if page.url.endswith("/pledge"):  # a project that the fan does not back yet
            page.locator("label[for=reward-2]").first.click()
            keep(page, "pledge")
            break
    page.goto("/me/pledges")
    page.locator("main a[href^='/pledges/']").first.click()
    keep(page, "thanks")

    page = open_page(browser, "creator")
    page.goto(f"/projects/{record}/dashboard")
    keep(page, "dashboard")

    page = open_page(browser, "organiser")
    page.goto(f"/projects/{record}/backers")
    keep(page, "backers")
    page.goto(f"/projects/{record}/recruits")
    keep(page, "recruits")

    page = open_page(browser, width=360, height=780, dark=True)
    page.goto(f"/projects/{record}")
    keep(page, "phone")


def main() -> None:
    try:
        with urllib.request.urlopen(f"{URL}/readyz", timeout=5):  # noqa: S310 -- the demo's address
            pass
    except (urllib.error.URLError, OSError):
        print(f"No demo answers at {URL}. Run “make demo” in another window first.", file=sys.stderr)
        raise SystemExit(2) from None
    OUT.mkdir(exist_ok=True)
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        take(browser)
        browser.close()


if __name__ == "__main__":
    main()
