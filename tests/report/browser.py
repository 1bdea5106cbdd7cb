"""Headless Chromium: what it renders, prints and complains of."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome")
# A busy machine is slow; nothing is concluded from how long it takes.
PATIENCE_S = 180
PHONE_PX = 390
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--force-device-scale-factor=1", "--lang=en-US"),
    *("--enable-logging=stderr", "--v=0"),
)
_CONSOLE = re.compile(r"CONSOLE[:(].*")

# The page in a frame as wide as a phone, which is narrower than a window can be; told is what
# sticks out of it, blocks that scroll within themselves aside.
_PHONE = """\
<!doctype html><html><body><iframe style="border:0;width:{width}px;height:800px" srcdoc="{page}">
</iframe><pre id="told"></pre><script>
document.querySelector("iframe").addEventListener("load", (event) => {{
  const inner = event.target.contentDocument, root = inner.documentElement;
  const out = [...inner.querySelectorAll("body *")].filter((one) =>
    one.getBoundingClientRect().right > {width} + 1
    && !one.closest(".wide") && !one.closest("nav") && !one.closest("svg"));
  document.getElementById("told").textContent = JSON.stringify(
    {{width: root.clientWidth, scrolls: root.scrollWidth, out: out.map((one) => one.outerHTML)}});
}});
</script></body></html>
"""

_READ = """\
<script>
const told = document.createElement("pre"), words = document.querySelector("main").innerText;
told.id = "read"; told.textContent = words; document.body.append(told);
</script>
"""


def found() -> str | None:
    """The program, if it is installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Browser:
    """One program with a place for its files; every call is a new process with a new profile."""

    program: str
    folder: Path
    calls: int = 0

    def dom(self, page: Path) -> tuple[str, list[str]]:
        """The document once its script has run, and what stands in the console."""
        done = self._run(page, "--dump-dom")
        return done.stdout, _CONSOLE.findall(done.stderr)

    def read(self, page: Path, *, language: str = "en-US", with_script: bool = True) -> str:
        """The words that a reader with this language sees, without what is hidden or folded."""
        text = page.read_text(encoding="utf-8")
        if not with_script:
            text = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
        copied = self.folder / f"read-{self.calls}.html"
        copied.write_text(text.replace("</body>", f"{_READ}</body>"), encoding="utf-8")
        done = self._run(copied, f"--lang={language}", f"--accept-lang={language}", "--dump-dom")
        told = re.search(r'<pre id="read">(.*?)</pre>', done.stdout, re.DOTALL)
        assert told is not None
        return html.unescape(told[1])

    def picture(
        self, page: Path, *, width: int = 1100, height: int = 2400, is_dark: bool = False
    ) -> Image.Image:
        """What is seen in a window of this size."""
        path = self.folder / f"seen-{self.calls}.png"
        scheme = f"--blink-settings=preferredColorScheme={0 if is_dark else 1}"
        self._run(page, f"--window-size={width},{height}", scheme, f"--screenshot={path}")
        with Image.open(path) as found:
            return found.convert("RGB")

    def printed(self, page: Path) -> bytes:
        """The page on paper, as PDF."""
        path = self.folder / f"printed-{self.calls}.pdf"
        self._run(page, "--no-pdf-header-footer", f"--print-to-pdf={path}")
        return path.read_bytes()

    def on_phone(self, page: Path) -> dict[str, Any]:
        """How wide the page is on a phone, and which elements stick out of it."""
        framed = self.folder / f"phone-{self.calls}.html"
        text = html.escape(page.read_text(encoding="utf-8"))
        framed.write_text(_PHONE.format(width=PHONE_PX, page=text), encoding="utf-8")
        seen, _ = self.dom(framed)
        told = re.search(r'<pre id="told">(.*?)</pre>', seen, re.DOTALL)
        assert told is not None
        result: dict[str, Any] = json.loads(html.unescape(told[1]))
        return result

    def _run(self, page: Path, *flags: str) -> subprocess.CompletedProcess[str]:
        self.calls += 1
        profile = self.folder / f"profile-{self.calls}"
        profile.mkdir()
        command = [self.program, *_FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
        shutil.rmtree(profile, ignore_errors=True)
        return done
