"""The page in a browser: the numbers of ONNX Runtime, and nothing asked of any server."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from centernet.export.extras import installed
from centernet.export.formats import FORMATS
from centernet.export.job import Job
from centernet.export.settings import Settings
from centernet.export.web.assets import ARCHIVE, cache_folder
from centernet.runtime.errors import UserError
from tests.export.planted import job_of, lively, task_of

SIDE = 128
ASK = """
<script type="module">
const pixels = Uint8Array.from(atob("@PIXELS@"), (c) => c.charCodeAt(0));
window.centernet.ready
  .then(() => window.centernet.detect(pixels, @SIDE@, @SIDE@))
  .then((found) => {
    const asked = performance.getEntriesByType("resource").map((each) => each.name);
    const answer = Object.assign(document.createElement("pre"), { id: "answer" });
    answer.textContent = JSON.stringify({ found, asked });
    document.body.append(answer);
  });
</script>
"""


def _page(task_name: str, path: Path) -> Job:
    task = task_of(task_name)
    job = job_of(task, lively("unet", task), input_size=(SIDE, SIDE))
    FORMATS["html"].write(job, path, Settings())
    return job


@pytest.fixture
def browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    pytest.skip("no Chromium is installed")


@pytest.fixture
def runtime() -> None:
    if not installed("onnx") or not installed("onnxscript"):
        pytest.skip("onnx and onnxscript are not installed")
    if not (cache_folder() / ARCHIVE).is_file() and shutil.which("npm") is None:
        pytest.skip("npm is not installed, which fetches the runtime for browsers")


@pytest.mark.slow
@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("task_name", ["ctdet", "multi_pose"])
def test_in_a_browser(task_name: str, browser: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    job = _page(task_name, path)
    assert path.stat().st_size < 30e6
    picture = job.pictures(1, (SIDE, SIDE))["image"]
    wanted = job.reference({"image": picture})
    rgba = np.dstack([picture[0, :, :, ::-1], np.full((SIDE, SIDE), 255, np.uint8)])
    asks = ASK.replace("@SIDE@", str(SIDE))
    asks = asks.replace("@PIXELS@", base64.b64encode(rgba.tobytes()).decode())
    page = path.read_text(encoding="utf-8")
    path.write_text(page.replace("</body>", f"{asks}</body>"), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=600000"]
    done = subprocess.run(
        [browser, *flags, path.as_uri()], capture_output=True, text=True, timeout=300, check=False
    )
    said = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, re.S)
    status = re.search(r'<p id="status">(.*?)</p>', done.stdout, re.S)
    assert said, (status and status[1], done.stderr[-500:])
    answer = json.loads(html.unescape(said[1]))
    assert [each for each in answer["asked"] if not each.startswith(("blob:", "data:"))] == []
    found = answer["found"]
    assert len(found) >= 10
    scores = [each["score"] for each in found]
    np.testing.assert_allclose(scores, wanted["scores"][0][: len(scores)], atol=1e-4)
    apart = np.flatnonzero(np.abs(np.diff(wanted["scores"][0][: len(scores)])) > 1e-4)
    assert len(apart)
    boxes = np.array([each["box"] for each in found])
    near = np.abs(boxes[:, None] - wanted["boxes"][0][None]).max(2).min(1)
    assert near.max() < 0.05
    assert found[0]["name"] in ("square", "disc") or found[0]["name"].isdigit()
    assert ("keypoints" in found[0]) == (task_name == "multi_pose")


@pytest.mark.usefixtures("runtime")
def test_maps_and_floats_make_no_page(tmp_path: Path) -> None:
    task = task_of("ctdet")
    for settings in ({"raw": True}, {"floats": True}):
        job = job_of(task, lively("unet", task), **settings)
        with pytest.raises(UserError, match="leave out --raw"):
            FORMATS["html"].write(job, tmp_path / "page.html", Settings())
