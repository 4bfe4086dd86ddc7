# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real server and the real tool, for the tests of `sotto publish`."""

import json
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request

TOP = pathlib.Path(os.environ["SOTTO_SOURCE_ROOT"])
BUILD = pathlib.Path(os.environ["SOTTO_BUILD_ROOT"])
SOTTO = str(BUILD / "cli" / "sotto")
PATIENCE = 120  # Seconds; a bound on waiting, never a measure.
SMALL = ["--size", "160x120", "--fps", "10", "--bitrate", "100", "--codec", "vp8", "--every", "1"]
FRAME = 160 * 120 * 3 // 2  # Bytes of one picture, decoded.


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Run:
    """A program whose lines are read as they come."""

    def __init__(self, *argv, stdin=False, **env):
        self.process = subprocess.Popen(argv,
                                        stdin={True: subprocess.PIPE,
                                               False: subprocess.DEVNULL}.get(stdin, stdin), stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True,
                                        env={**os.environ, **env})
        self.lines, self.seen = queue.Queue(), []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def until(self, pattern):
        """The next line that matches."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"no {pattern!r} in:\n" + "".join(self.seen))
            self.seen.append(line)
            if re.search(pattern, line):
                return line

    def output(self):
        """What came so far and was not looked at."""
        while True:
            try:
                line = self.lines.get_nowait()
            except queue.Empty:
                return self.seen
            if line is not None:
                self.seen.append(line)

    def end(self, signum=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(signum)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        if self.process.stdin:
            self.process.stdin.close()
        return code


class Server:
    """sotto-server with one mount and a token for it."""

    def __init__(self, folder, https=False):
        self.folder = folder
        self.base = f"http://127.0.0.1:{free_port()}"
        secure = f"127.0.0.1:{free_port()}" if https else ""
        self.secure = f"https://{secure}"
        self.config = folder / "sotto.toml"
        self.config.write_text(
            f'data_dir = "{folder}"\ndemo_camera = false\n'
            f'[http]\nhttps_listen = "{secure}"\nhttp_listen = "{self.base[7:]}"\n'
            '[janus]\nhttp_listen = ""\nws_listen = ""\n[[mounts]]\nid = "demo"\n')
        self.run = None

    def start(self):
        self.run = Run(str(BUILD / "server" / "sotto-server"), "--config", str(self.config))
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(self.base + "/healthz", timeout=5).close()
                return
            except OSError:
                if self.run.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)  # Between two looks at a port nobody announces.

    def stop(self):
        return self.run.end(signal.SIGTERM)

    def ask(self, path, body, token=None):
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def token(self, *scopes, subject="test"):
        password = (self.folder / "admin-password").read_text().strip()
        admin = self.ask("/v1/login", {"name": "admin", "password": password})["token"]
        return self.ask("/v1/tokens", {"subject": subject, "scopes": list(scopes), "seconds": 600},
                        admin)["token"]

    def metric(self, name):
        """Value of the first sample whose name and labels begin so; 0 when there is none."""
        with urllib.request.urlopen(self.base + "/metrics", timeout=30) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name):
                    return float(line.rsplit(" ", 1)[1])
        return 0.0

    def until_metric(self, name, wanted):
        deadline = time.monotonic() + PATIENCE
        while self.metric(name) != wanted:
            if time.monotonic() > deadline:
                raise AssertionError(f"{name} is {self.metric(name)}, not {wanted}")
            time.sleep(0.1)  # Between two looks at a number nobody announces.


class Watcher:
    """A WHEP viewer whose decoded pictures end in a file; H.264 or VP8 of any size."""

    def __init__(self, server, folder, name, token_file, codec="VP8", mount="demo"):
        self.file = folder / name
        decoder = {"VP8": "rtpvp8depay ! vp8dec", "H264": "rtph264depay ! avdec_h264"}[codec]
        self.run = Run("gst-launch-1.0", "-q", "whep-src", f"location={server.base}/whep/{mount}",
                       f"auth-token-file={token_file}", "timeout=60", "audio-codecs=none",
                       f"video-codecs={codec}", "!", *decoder.split(), "!", "videoconvert", "!",
                       "videoscale", "!", "video/x-raw,format=I420,width=160,height=120", "!",
                       "filesink", f"location={self.file}", "buffer-mode=unbuffered")

    def pictures(self):
        """How many different ones came so far."""
        data = self.file.read_bytes() if self.file.exists() else b""
        return len({data[at:at + FRAME] for at in range(0, len(data) - FRAME + 1, FRAME)})

    def until_moved(self, more=8):
        """Until so many new pictures came."""
        deadline, begin = time.monotonic() + PATIENCE, self.pictures()
        while self.pictures() < begin + more:
            if self.run.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.pictures()} pictures; " + "".join(self.run.output()))
            time.sleep(0.1)  # Until the file has grown.

    def end(self, signum=signal.SIGINT):
        return self.run.end(signum)


