"""The gallery in a real browser: it loads in silence, steps by keys, opens links, filters, and fits a phone."""

import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from kitchens import ENV, read_jsonl
from played_results import KITCHENS, TIMEOUT, configure_played, write_played_results
from taskreason.report.gallery.page import write_gallery

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER),
    reason="no chromium and chromedriver; `envs/bootstrap.sh browser` installs them",
)
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_played_results(tmp_path_factory.mktemp("results") / "played")


@pytest.fixture(scope="module")
def page(root):
    path = root / "index.html"
    write_gallery(configure_played(), root, path)
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def open_page(browser, page):
    def open_at(address="", width=1280, height=900):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get(
            "about:blank"
        )  # an address that differs in its last part alone would load nothing
        browser.get(page + address)
        wait(browser, lambda: "kitchen" in browser.find_element(By.ID, "title").text)
        return browser

    yield open_at
    assert browser.get_log("browser") == []


def wait(browser, condition):
    WebDriverWait(browser, 10).until(lambda _: condition())


def text_of(browser, name):
    return browser.find_element(By.ID, name).text


def press(browser, *keys):
    browser.switch_to.active_element.send_keys(*keys)


def test_keys_step_through_an_episode_to_its_end(open_page, root):
    browser = open_page("#burger/expert/-/1/1")
    episode = read_jsonl(root / "episodes/expert/-/burger.jsonl")[0]
    for number, action in enumerate(episode["actions"], start=1):
        assert text_of(browser, "decision-title") == f"Step {number} of {episode['steps']}"
        assert text_of(browser, "judgement") == "On a shortest plan"
        assert browser.find_element(By.CSS_SELECTOR, ".action").text == action
        assert browser.current_url.endswith(f"#burger/expert/-/1/{number}")
        press(browser, Keys.ARROW_RIGHT)
    assert text_of(browser, "judgement") == "Goal reached"
    assert browser.current_url.endswith("#burger/expert/-/1/end")
    press(browser, Keys.ARROW_RIGHT)
    press(browser, Keys.ARROW_LEFT)
    assert text_of(browser, "decision-title") == f"Step {episode['steps']} of {episode['steps']}"
    press(browser, Keys.HOME)
    assert text_of(browser, "decision-title").startswith("Step 1 of")


def test_a_link_opens_its_episode_and_step(open_page, root):
    kitchen = read_jsonl(root / "worlds/burger/eval.jsonl")[2]
    browser = open_page("#burger/sft/burger/3/2")
    assert text_of(browser, "title") == "Burger, kitchen 3: SFT"
    assert text_of(browser, "decision-title") == f"Step 2 of {kitchen['optimal_steps'] + 3}"
    assert text_of(browser, "judgement") == "Not a valid action"
    assert browser.find_element(By.CSS_SELECTOR, ".action").text == "Dance with robot1"
    assert text_of(browser, "remaining").endswith(
        f"after this action {kitchen['optimal_steps']}: 1 step lost."
    )
    browser.execute_script(
        "location.hash = arguments[0]",
        f"#burger/sft_grpo/cheese_sandwich/{kitchen['layout_hash']}/end",
    )
    wait(
        browser,
        lambda: (
            text_of(browser, "title") == "Burger, kitchen 3: SFT + GRPO, trained on cheese sandwich"
        ),
    )
    assert text_of(browser, "judgement") == "Goal not reached"


@pytest.mark.parametrize("address", ["#soup/%3Cb%3E/-/99/x", "#%E0%A4", "#/////"])
def test_a_link_to_nothing_opens_what_there_is(open_page, address):
    browser = open_page(address)
    assert text_of(browser, "title") == "Cheese sandwich, kitchen 1: SFT + GRPO"


def test_replies_without_an_action_are_shown_as_they_are(open_page):
    browser = open_page("#burger/base/-/1/1")
    assert text_of(browser, "judgement") == "No action"
    assert browser.find_element(By.TAG_NAME, "pre").text == "I do not know <b>what</b> to do."
    assert text_of(browser, "verdict") == "Failed"


def test_failures_are_marked_and_found(open_page):
    browser = open_page("#burger/sft_grpo/burger/1/1")
    failed = lambda: browser.find_elements(By.CSS_SELECTOR, ".chip.failed")  # noqa: E731
    assert not failed()
    browser.find_element(By.XPATH, "//label[normalize-space()='Failures']").click()
    assert browser.find_elements(By.CSS_SELECTOR, ".chip") == []
    assert text_of(browser, "worlds") == "No failure among these kitchens."
    Select(browser.find_element(By.ID, "train")).select_by_visible_text("Cheese sandwich")
    wait(browser, lambda: len(failed()) == KITCHENS)
    assert text_of(browser, "counts").startswith(f"0 of {KITCHENS} kitchens solved")
    assert failed()[1].accessible_name == f"Kitchen 2: failed after {TIMEOUT} steps"
    browser.find_element(By.XPATH, "//label[normalize-space()='Detours']").click()
    assert browser.find_elements(By.CSS_SELECTOR, ".chip") == []


def test_letters_find_kitchens_and_mistakes_until_they_are_switched_off(open_page):
    browser = open_page("#cheese_sandwich/sft/cheese_sandwich/1/end")
    press(browser, "m")
    assert text_of(browser, "decision-title").startswith("Step 1 of")
    press(browser, "n")
    wait(browser, lambda: "kitchen 2:" in text_of(browser, "title"))
    browser.find_element(By.ID, "letters").click()
    press(browser, "n", Keys.END)
    assert "kitchen 2:" in text_of(browser, "title")


def test_an_episode_plays_by_itself_until_it_is_stopped(open_page):
    browser = open_page("#burger/base/-/1/1")
    press(browser, " ")
    assert text_of(browser, "play") == "Pause"
    wait(browser, lambda: not text_of(browser, "decision-title").startswith("Step 1 of"))
    press(browser, " ")
    assert text_of(browser, "play") == "Play"
    browser.find_element(By.ID, "last").click()
    assert text_of(browser, "judgement") == "Goal not reached"


def test_the_slider_and_the_list_of_kitchens_work_by_keyboard(open_page):
    browser = open_page("#burger/expert/-/1/1")
    slider = browser.find_element(By.ID, "slider")
    slider.send_keys(Keys.ARROW_RIGHT)
    assert text_of(browser, "decision-title").startswith("Step 2 of")
    assert slider.get_attribute("aria-valuetext").startswith("Step 2 of")
    browser.find_element(By.CSS_SELECTOR, ".chip[aria-checked=true]").send_keys(Keys.ARROW_DOWN)
    wait(browser, lambda: "kitchen 2:" in text_of(browser, "title"))
    wait(browser, lambda: browser.switch_to.active_element.text == "2")
    assert browser.switch_to.active_element.get_attribute("aria-checked") == "true"


def test_every_control_has_a_name(open_page):
    browser = open_page("#burger/sft_grpo/burger/1/1")
    controls = browser.find_elements(By.CSS_SELECTOR, "button, select, input, a, summary, #state")
    visible = [control for control in controls if control.is_displayed()]
    assert len(visible) > 20
    assert [
        control.get_attribute("outerHTML") for control in visible if not control.accessible_name
    ] == []


@pytest.mark.parametrize("width", [390, 820, 1440])
@pytest.mark.parametrize(
    "address", ["#burger/base/-/2/4", "#burger/sft_grpo/cheese_sandwich/1/end"]
)
def test_it_fits_its_window(open_page, width, address):
    browser = open_page(address, width, 844)
    sizes = "return [document.documentElement.scrollWidth, window.innerWidth]"
    assert browser.execute_script(sizes) == [
        width if width < 600 else pytest.approx(width, abs=20),
        width,
    ]
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_worlds_that_nobody_draws_are_shown_as_their_text(browser, root, monkeypatch, tmp_path):
    monkeypatch.setattr(ENV, "gallery", None, raising=False)
    write_gallery(configure_played(), root, tmp_path / "plain.html")
    browser.get(f"{(tmp_path / 'plain.html').as_uri()}#burger/expert/-/1/1")
    wait(browser, lambda: "kitchen" in text_of(browser, "title"))
    world = ENV.load(read_jsonl(root / "worlds/burger/eval.jsonl")[0], "eval.jsonl")
    assert text_of(browser, "state") == world.observe(world.initial).strip()
    press(browser, Keys.ARROW_RIGHT)
    assert text_of(browser, "state") != world.observe(world.initial).strip()
    assert text_of(browser, "goal") == "" and browser.get_log("browser") == []
