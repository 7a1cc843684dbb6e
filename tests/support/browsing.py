"""A page in headless Chromium, and what a person does there."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

webdriver = pytest.importorskip(
    "selenium.webdriver", reason="selenium is not installed: pip install -e '.[browser]'"
)
BROWSER = next(filter(None, map(shutil.which, ["chromium", "chromium-browser"])), None)
DRIVER = shutil.which("chromedriver")
if not BROWSER or not DRIVER:
    pytest.skip(
        "Chromium is not installed: apt-get install chromium chromium-driver",
        allow_module_level=True,
    )

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser, until the block ends."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def opened(browser: Any, path: Path) -> Iterator[Any]:
    """The page, newly opened. At the end there is no console message and no network request."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    address = path.as_uri()
    browser.get(address)
    yield browser
    assert browser.get_log("browser") == []
    messages = [json.loads(row["message"])["message"] for row in browser.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    asked = {s["request"]["url"].split("#")[0] for s in sent}
    assert {url for url in asked if not url.startswith("blob:")} <= {address, "data:,"}
    assert address in asked


def look(browser: Any, width: int, scheme: str) -> None:
    """Be a screen so many pixels wide, in a light or a dark scheme."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def find(page: Any, selector: str) -> Any:
    """The element that a CSS selector finds."""
    return page.find_element("css selector", selector)


def texts(page: Any, selector: str) -> list[str]:
    """The texts of all that it finds."""
    return [element.text for element in page.find_elements("css selector", selector)]


def button(page: Any, name: str) -> Any:
    """The button with this text."""
    return page.find_element("xpath", f"//button[normalize-space()='{name}']")


def wait(holds: Callable[[], bool], seconds: float = 100) -> None:
    """Until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def press(page: Any, key: str) -> None:
    """Press a key, by its name in selenium."""
    from selenium.webdriver.common.keys import Keys

    page.switch_to.active_element.send_keys(getattr(Keys, key))
