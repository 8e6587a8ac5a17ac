"""Pages in a real browser, where there is one: by day and by night, on a phone and on a wide screen."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

WIDTHS = (360, 768, 1400)

MEASURE = """
function numbers(colour) { return (colour.match(/[\\d.]+/g) || []).map(Number); }
function light(colour) {
  const [r, g, b] = numbers(colour).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function behind(element) {
  for (let e = element; e; e = e.parentElement) {
    const found = numbers(getComputedStyle(e).backgroundColor);
    if (found.length && (found.length < 4 || found[3] > 0.5)) return getComputedStyle(e).backgroundColor;
  }
  return 'rgb(255, 255, 255)';
}
function measure(frame) {
  const page = frame.contentDocument, root = page.documentElement;
  const faint = [];
  for (const e of page.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length) continue;
    const a = light(getComputedStyle(e).color), b = light(behind(e));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push(e.tagName + ' ' + e.textContent.slice(0, 20) + ' ' + contrast.toFixed(1));
  }
  const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height].map(Math.round); };
  return {
    overflow: root.scrollWidth - root.clientWidth,
    faint: faint,
    paper: getComputedStyle(page.body).backgroundColor,
    curves: [...page.querySelectorAll('figure svg[role=img]')].filter(e => e.getClientRects().length).map(box),
    drawn: [...page.querySelectorAll('figure svg[role=img] .curve')].filter(e => e.getClientRects().length).map(
      e => getComputedStyle(e).stroke),
    requests: frame.contentWindow.performance.getEntriesByType('resource').length,
  };
}
addEventListener('load', () => {
  const found = [...document.querySelectorAll('iframe')].map(measure);
  const out = document.createElement('pre');
  out.id = 'out';
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
"""


@pytest.fixture(scope="module")
def measured(two_runs, tmp_path_factory):
    """What the browser measures of a page at each width: by its runs, and by whether it is night."""
    from driving import in_process

    folder = tmp_path_factory.mktemp("browser")
    known = {}

    def measured(names, night):
        if (names, night) not in known:
            page = in_process("report", *names, "-o", "-", cwd=two_runs).ok().text
            frames = "".join(
                f'<iframe width="{width}" height="3000" srcdoc="{html.escape(page)}"></iframe>' for width in WIDTHS
            )
            (folder / "frames.html").write_text(
                f"<!doctype html><meta charset=utf-8><body>{frames}<script>{MEASURE}</script>", "utf-8"
            )
            known[names, night] = in_browser(folder, night)
        return known[names, night]

    return measured


def in_browser(folder, night):
    done = subprocess.run(
        [
            BROWSER,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if night else 1}",
            "--virtual-time-budget=10000",
            "--dump-dom",
            (folder / "frames.html").as_uri(),
        ],
        capture_output=True,
        timeout=200,
    )
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout.decode("utf-8", "replace"), re.DOTALL)
    if not found:
        pytest.skip(f"Chromium does not start here: exit code {done.returncode}")
    return dict(zip(WIDTHS, json.loads(html.unescape(found[1])), strict=True))


PAGES = pytest.mark.parametrize("names", [("one",), ("one", "two")], ids=" ".join)
TIMES = pytest.mark.parametrize("night", [False, True], ids=["day", "night"])


@PAGES
@TIMES
def test_no_page_is_wider_than_its_window(measured, names, night):
    assert {width: found["overflow"] for width, found in measured(names, night).items()} == dict.fromkeys(WIDTHS, 0)


@PAGES
@TIMES
def test_all_letters_stand_out_from_what_is_behind_them(measured, names, night):
    assert measured(names, night)[1400]["faint"] == []


@TIMES
def test_a_page_is_light_by_day_and_dark_by_night(measured, night):
    paper = sum(map(int, re.findall(r"\d+", measured(("one",), night)[360]["paper"])))
    assert (paper < 150) if night else (paper > 700)


@PAGES
@pytest.mark.parametrize("width", WIDTHS)
def test_curves_are_drawn_and_use_the_width_that_there_is(measured, names, width):
    found = measured(names, False)[width]
    assert found["curves"][0][2] > 0.6 * min(width, 1000)
    assert all(height > 100 for _, _, _, height in found["curves"])
    assert found["drawn"]
    assert "none" not in found["drawn"]


@PAGES
def test_a_page_asks_for_nothing_else(measured, names):
    assert [found["requests"] for found in measured(names, False).values()] == [0, 0, 0]
