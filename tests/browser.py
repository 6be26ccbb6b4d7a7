"""A page as a phone shows it: in headless Chromium, 375 pixels wide, asked by axe-core."""

import html
import json
import re
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

import pytest

WIDTH = 375
# The page's own policy forbids scripts: ours, and ours alone, are let in for the test.
OPENED = ("default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';")
BEFORE = """
const errors = [];
addEventListener("error", e => errors.push(String(e.message || e.target.outerHTML)), true);
addEventListener("securitypolicyviolation", e => errors.push(e.violatedDirective));
console.error = console.warn = (...words) => errors.push(words.join(" "));
"""
AFTER = """
addEventListener("load", async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  const grave = found.violations.filter(v => ["serious", "critical"].includes(v.impact));
  parent.postMessage(JSON.stringify({
    errors,
    pictures: [...document.images].map(image => image.naturalWidth),
    room: document.documentElement.clientWidth,
    width: document.documentElement.scrollWidth,
    violations: grave.map(v => [v.id, ...v.nodes.map(node => node.html)]),
  }), "*");
});
"""
FRAME = """<!DOCTYPE html><title>frame</title><pre></pre>
<script>
addEventListener("message", e => document.querySelector("pre").textContent = e.data);
</script>
<iframe width="{width}" height="800" srcdoc="{page}"></iframe>"""


def inspected(page):
    """What Chromium finds on a page, a str of HTML.

    Returns:
        dict: "errors" (of scripts, policy, console), "pictures" (their widths in pixels, 0 if one
        did not load), "room" and "width" (of the screen and of what it shows), "violations" (of
        axe-core's rules, serious and critical ones).
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    axe = (resources.files("axe_core_python") / "axe.min.js").read_text("utf-8")
    page = page.replace(*OPENED).replace("<head>", f"<head><script>{BEFORE}</script>", 1)
    page = page.replace("</body>", f"<script>{axe}</script><script>{AFTER}</script></body>")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "frame.html")
        file.write_text(FRAME.format(width=WIDTH, page=html.escape(page)), "utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/user"]
        options += ["--virtual-time-budget=60000", "--dump-dom", file.as_uri()]
        done = subprocess.run([chromium, *options], capture_output=True, text=True, timeout=120)
    said = re.search("<pre>(.+?)</pre>", done.stdout, re.S)
    assert said, f"Chromium showed nothing: {done.stderr[-2000:]}"
    return json.loads(html.unescape(said.group(1)))


def assert_fine_on_a_phone(page):
    """No errors, every picture loads, no sideways scrolling, nothing that locks people out."""
    found = inspected(page)
    assert found["errors"] == []
    assert all(found["pictures"]) and len(found["pictures"]) == page.count("<img ")
    assert found["width"] <= found["room"] <= WIDTH
    assert found["violations"] == []
