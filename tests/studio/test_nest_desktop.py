"""NEST Desktop as it is published, in a browser without a screen, in front of this server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nest_desktop
import pytest
from selenium import webdriver
from served_brain import TOKEN, Served, served

from animat.brain.install import EngineInstall

#: Where the picture of the documentation comes from: make test-all with this set to docs/images/nest-desktop.png.
PICTURE = os.environ.get("ANIMAT_NEST_DESKTOP_PICTURE")

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1400,900"
)

#: What the plots of the page show: times and senders.
SHOWN = """
return [...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => plot.data)
  .filter(trace => trace.mode === 'markers').map(trace => ({x: [...trace.x], y: [...trace.y]}));
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """The address of NEST Desktop's own pages."""
    folder = Path(nest_desktop.__file__).parent / "app"
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    port = process.stdout.readline().split(" port ")[1].split()[0]
    yield f"http://127.0.0.1:{port}/"
    process.terminate()
    process.communicate(timeout=10)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.fail("this test needs a browser: apt-get install chromium chromium-driver", pytrace=False)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path / 'browser'}"):
        options.add_argument(flag)
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield found
    found.quit()


def soon(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Return what is there as soon as it is."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.2)
    return found


def press(browser: webdriver.Chrome, kind: str, text: str) -> None:
    """Press what shows a text, as soon as it is there; the page may rebuild it at any moment, so by the page itself."""
    script = """
    const shown = [...document.querySelectorAll(arguments[0])].filter(one => one.offsetParent !== null);
    const found = shown.find(one => one.innerText.trim().toLowerCase().startsWith(arguments[1]));
    if (found) found.click();
    return Boolean(found);
    """
    soon(lambda: browser.execute_script(script, kind, text))


def quieten(browser: webdriver.Chrome, seconds: float = 2.0) -> None:
    """Wait until the page fetches nothing any more."""
    count, since = -1, time.monotonic()

    def quiet() -> bool:
        nonlocal count, since
        now = browser.execute_script("return performance.getEntriesByType('resource').length")
        if now != count:
            count, since = now, time.monotonic()
        return time.monotonic() - since > seconds

    soon(quiet)


def settle(browser: webdriver.Chrome, page: str, server: Served, *, token: bool) -> None:
    """Open the page with the server's address (and token) in it, as its settings keep them.

    On its first visit it fills its own stores of models and projects, in no order that it could rely on itself.
    """
    state = {"enabled": True, "loadedFromAssets": True, "url": server.url}
    kept = {"localStorage": {"state": state}, "sessionStorage": {"state": {"accessToken": TOKEN}} if token else None}
    script = "".join(
        f"{where}.setItem('nest-backend-store', {json.dumps(json.dumps(what))});"
        for where, what in kept.items()
        if what
    )
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    for _ in range(2):
        browser.get("about:blank")
        browser.get(f"{page}#/nest/")
        quieten(browser)


@pytest.mark.parametrize(("processes", "token"), [("1", True), ("2", False)], ids=["one process", "two processes"])
def test_nest_desktop_builds_and_simulates_a_network(
    browser: webdriver.Chrome, page: str, nest_mpi: EngineInstall, processes: str, token: bool
) -> None:
    door = [] if token else ["--no-auth"]
    with served("--exec", "--processes", processes, *door) as server, server.client() as client:
        settle(browser, page, server, token=token)
        press(browser, "a.v-list-item", "spike activity")
        press(browser, "button", "simulate")
        shown = soon(lambda: browser.execute_script(SHOWN))
        assert client.get_kernel_status(["biological_time", "network_size"]) == [1000.0, 102]
        neurons = client.GetNodes({"element_type": "neuron"})
        recorder = client.GetNodes({"element_type": "recorder"})
        events = client.GetStatus(recorder, "events")[0]
        assert len(neurons) == 100
        assert {node for trace in shown for node in trace["y"]} == set(events["senders"]) == set(neurons)
        assert sorted(t for trace in shown for t in trace["x"]) == sorted(events["times"])
        if PICTURE and processes == "2":
            time.sleep(2)
            browser.save_screenshot(PICTURE)


def test_its_own_default_address_is_this_servers(page: str) -> None:
    from animat.studio.server import PORT

    with urlopen(f"{page}assets/workspaces/nest/config/backends.json") as file:
        assert json.load(file)["nest"]["port"] == PORT
