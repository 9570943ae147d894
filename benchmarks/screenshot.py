"""Photograph one step of an episode in the gallery, for README.md and docs/results.md.

Reads results/gallery/index.html in Chromium (`envs/bootstrap.sh dev browser` installs it) and writes
docs/gallery.png. The argument is what follows the file's name in the page's address.
"""

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "results" / "gallery" / "index.html"
PICTURE = ROOT / "docs" / "gallery.png"
WIDTH, HEIGHT = 1280, 790
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="such as '#burger/sft/burger/14/2'")
    address = parser.parse_args().address
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for option in (*OPTIONS, f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(PAGE.as_uri() + address)
        WebDriverWait(driver, 20).until(lambda d: "kitchen" in d.find_element(By.ID, "title").text)
        picture = Image.open(io.BytesIO(driver.get_screenshot_as_png()))
    finally:
        driver.quit()
    # A page of few colours loses nothing and takes a third of the space.
    picture.convert("RGB").quantize(128).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
