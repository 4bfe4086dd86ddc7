# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Glass-to-glass delay from an RTSP camera to a browser, and its drift.

A camera films a clock (bench/clock_camera), sotto-server takes it over RTSP, headless Chromium
watches it by WHEP and reads the clock from each picture it presents. All three share the machine's
clock, so the difference is the whole delay: encoding, RTSP, server, jitter buffer, decoding. Drift
is the median delay of the last tenth of the run minus that of the first.
"""

import http.server
import json
import queue
import shutil
import subprocess
import tempfile
import threading
import time

import common
from common import BenchError, say

PAGES = common.ROOT / "bench/pages"
WARM_UP_SECONDS = 5  # The jitter buffer finds its size.
FIRST_PICTURE_SECONDS = 60
CHROMIUM = [
    "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--mute-audio", "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-features=WebRtcHideLocalIpsWithMdns,OptimizationHints,MediaRouter",
]


def add_options(parser) -> None:
    parser.add_argument("--minutes", type=float, default=1, help="10 show the drift")


class Camera:
    def __enter__(self):
        self.process = subprocess.Popen([str(common.BUILD / "bench/clock_camera")],
                                        stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise BenchError("the clock camera did not start")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(common.STOP_SECONDS)


class Page:
    """Serves the page, starts a browser on it, and queues what it reports."""

    def __init__(self, settings: dict):
        self.settings = settings
        self.reports: queue.Queue[dict] = queue.Queue()

    def __enter__(self):
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def reply(self, body: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                name = self.path.strip("/") or "clock.html"
                if name == "settings":
                    return self.reply(json.dumps(page.settings).encode(), "application/json")
                if name not in ("clock.html", "clock.js"):
                    return self.send_error(404)
                kind = "text/html" if name.endswith("html") else "text/javascript"
                return self.reply((PAGES / name).read_bytes(), kind)

            def do_POST(self):
                page.reports.put(json.loads(
                    self.rfile.read(int(self.headers["Content-Length"]))))
                self.reply(b"{}", "application/json")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.profile = tempfile.mkdtemp(prefix="sotto-bench-chromium-")
        self.browser = subprocess.Popen(
            [*CHROMIUM, f"--user-data-dir={self.profile}",
             f"http://127.0.0.1:{self.server.server_address[1]}/"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def next(self, seconds: float) -> dict:
        try:
            report = self.reports.get(timeout=seconds)
        except queue.Empty:
            raise BenchError("the page fell silent") from None
        if "error" in report:
            raise BenchError(f"the page says: {report['error']}")
        return report

    def __exit__(self, *_):
        self.browser.terminate()
        self.browser.wait(common.STOP_SECONDS)
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.profile, ignore_errors=True)


def wait_first_picture(page: Page) -> None:
    end = time.monotonic() + FIRST_PICTURE_SECONDS
    while time.monotonic() < end:
        if page.next(end - time.monotonic())["samples"]:
            return
    raise BenchError(f"no picture within {FIRST_PICTURE_SECONDS} s")


def collect(page: Page, seconds: float) -> tuple[list, dict]:
    samples: list = []
    report: dict = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        report = page.next(30)
        samples += report.pop("samples")
    return samples, report


def run(options) -> common.Outcome:
    seconds = options.minutes * 60
    with Camera() as camera:
        config = f'[[cameras]]\nid = "clock"\nurl = "{camera.url}"\n'
        with common.Sotto(config) as server:
            settings = {"whep": f"{server.http_url}/whep/clock", "token": server.admin_token()}
            with Page(settings) as page:
                wait_first_picture(page)
                collect(page, WARM_UP_SECONDS)
                say(f"measuring for {options.minutes:g} min")
                samples, last = collect(page, seconds)
    delays = [delay for _, delay in samples]
    if len(delays) < seconds:
        raise BenchError(f"only {len(delays)} pictures in {seconds:.0f} s")
    tenth = max(1, len(delays) // 10)
    drift = common.percentile(delays[-tenth:], 0.5) - common.percentile(delays[:tenth], 0.5)
    result = {"sotto": {
        "delay_p50_ms": common.percentile(delays, 0.5),
        "delay_p99_ms": common.percentile(delays, 0.99),
        "delay_max_ms": max(delays),
        "drift_ms": drift,
        "pictures_per_second": common.rounded(len(delays) / seconds),
    }, "minutes": options.minutes}
    return common.Outcome(common.listing(result["sotto"]), result, {"samples": samples, "browser": last})
