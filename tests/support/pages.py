"""A page in a real browser: opened, looked at, and read. Without Chromium its tests are skipped."""

from __future__ import annotations

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


def chromium() -> Iterator[Any]:
    """One browser, which ends with the tests of a file."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def opened(browser: Any, path: Path) -> Iterator[Any]:
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
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def find(page: Any, selector: str) -> Any:
    return page.find_element("css selector", selector)


def texts(page: Any, selector: str) -> list[str]:
    return [element.text for element in page.find_elements("css selector", selector)]


def button(page: Any, name: str) -> Any:
    return page.find_element("xpath", f"//button[normalize-space()='{name}']")


def wait(holds: Callable[[], bool], seconds: float = 100) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def figure(text: str) -> float:
    """A number as the page writes it."""
    return float(text.replace("\u2212", "-").replace(",", ""))


def same(shown: str, x: Any) -> bool:
    """Equal in the four digits that the page shows."""
    return figure(shown) == pytest.approx(float(x), rel=6e-4)


def press(page: Any, key: str) -> None:
    from selenium.webdriver.common.keys import Keys

    page.switch_to.active_element.send_keys(getattr(Keys, key))


def check_layout(page: Any, scheme: str) -> None:
    """Nothing is cut off, all has a name, and no box or line of the map is over another box."""
    for top in ("html", ".map > .scroll"):
        wide, seen = page.execute_script(
            "const e = document.querySelector(arguments[0]); return [e.scrollWidth, e.clientWidth]",
            top,
        )
        assert wide <= seen, top
    paper = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    red = int(paper.removeprefix("rgb(").split(",")[0])
    assert red > 200 if scheme == "light" else red < 60
    unnamed = page.execute_script(
        "return [...document.querySelectorAll('button, canvas, svg[role], input')].filter(e => "
        "!(e.getAttribute('aria-label') || e.textContent).trim()).map(e => e.outerHTML)"
    )
    assert unnamed == []
    overlaps = page.execute_script("""
        const cards = [...document.querySelectorAll('.card, .toggle')]
            .map(e => e.getBoundingClientRect())
        return cards.flatMap((a, i) => cards.slice(i + 1).filter(b => a.left < b.right - 1 &&
            b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)).length""")
    assert overlaps == 0
    hidden = page.execute_script("""
        return [...document.querySelectorAll('.edges')].flatMap(svg => {
            const { left, top } = svg.getBoundingClientRect()
            const boxes = [...svg.parentElement.querySelectorAll(':scope > .row > *')]
                .map(e => e.getBoundingClientRect())
            return [...svg.querySelectorAll('path')].filter(path => {
                const length = path.getTotalLength(), points = []
                for (let at = 0; at < length; at += 4) points.push(path.getPointAtLength(at))
                return boxes.some(box => points.some(({ x, y }) =>
                    x + left > box.left + 1 && x + left < box.right - 1 &&
                    y + top > box.top + 1 && y + top < box.bottom - 1))
            })
        }).length""")
    assert hidden == 0
