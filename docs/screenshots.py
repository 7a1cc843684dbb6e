"""Make the pictures of the inspector's page, and of the page that writes, for a trained run.

    python docs/screenshots.py runs/bundled-small-1

Needs selenium (the extra `browser`), Chromium and its driver.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from selenium import webdriver

DOCS = Path(__file__).parent
TEXT = "council approves tram line"
SIZE = {"width": 1000, "height": 760, "deviceScaleFactor": 1, "mobile": False}

# The page's command, and what is done to the page before the picture.
INSPECT = ("inspect", "--text", TEXT)
SCENES = {
    "inspect-tape": (
        INSPECT,
        """
        for (const path of ['transformer_blocks.3', 'transformer_blocks.3.msha'])
            document.querySelector(`[data-path="${path}"] > .toggle`).click()
        const next = document.querySelector('[aria-label="One step on"]')
        for (let step = 0; step < 11; step++) next.click()
        document.querySelector('.current').scrollIntoView({block: 'center'})""",
    ),
    "inspect-node": (
        INSPECT,
        """
        openNode(data.graph.nodes.find(node => node.operation === 'layer_norm').id)""",
    ),
    "write": (
        ("export", "--to", "page"),
        """
        beginning.value = 'council approves tram '
        document.documentElement.style.zoom = 0.8
        document.querySelector('#write').scrollIntoView()
        follow()
        setTimeout(() => { write(Infinity) }, 300)""",
    ),
}


def browser() -> Any:
    """A headless Chromium that shows no animation."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(flag)
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SIZE)
    calm = {"name": "prefers-reduced-motion", "value": "reduce"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [calm]})
    return driver


def main() -> None:
    """Write docs/*.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", metavar="RUN", help="a run directory")
    run = parser.parse_args().run
    with tempfile.TemporaryDirectory() as directory:
        page = Path(directory) / "page.html"
        driver = browser()
        for name, ((command, *flags), scene) in SCENES.items():
            module = f"teenygpt_np.{command}"
            subprocess.run([sys.executable, "-m", module, run, *flags, "--out", page], check=True)
            driver.get(page.as_uri())
            driver.execute_script(scene)
            driver.execute_async_script("setTimeout(arguments[0], 1000)")
            driver.save_screenshot(str(DOCS / f"{name}.png"))
        driver.quit()


if __name__ == "__main__":
    main()
