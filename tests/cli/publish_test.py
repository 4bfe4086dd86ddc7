#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`sotto publish` against a real server: live, watched, interrupted, refused."""

import json
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

TOP = pathlib.Path(os.environ["SOTTO_SOURCE_ROOT"])
BUILD = pathlib.Path(os.environ["SOTTO_BUILD_ROOT"])
SOTTO = str(BUILD / "cli" / "sotto")
PATIENCE = 120  # Seconds; a bound on waiting, never a measure.
SMALL = ["--size", "160x120", "--fps", "10", "--bitrate", "100", "--codec", "vp8", "--every", "1"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Run:
    """A program whose lines are read as they come."""

    def __init__(self, *argv, **env):
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
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

    def end(self, signum=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(signum)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code


class Server:
    """sotto-server with one mount and a token for it."""

    def __init__(self, folder):
        self.folder = folder
        self.base = f"http://127.0.0.1:{free_port()}"
        self.config = folder / "sotto.toml"
        self.config.write_text(
            f'data_dir = "{folder}"\ndemo_camera = false\n'
            f'[http]\nhttps_listen = ""\nhttp_listen = "{self.base[7:]}"\n'
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

    def token(self, *scopes):
        password = (self.folder / "admin-password").read_text().strip()
        admin = self.ask("/v1/login", {"name": "admin", "password": password})["token"]
        return self.ask("/v1/tokens", {"subject": "test", "scopes": list(scopes), "seconds": 600},
                        admin)["token"]


class PublishTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.holder.name)
        cls.server = Server(cls.folder)
        cls.server.start()
        cls.token = cls.server.token("stream:demo:publish", "stream:demo:view")
        cls.token_file = cls.folder / "token"
        cls.token_file.write_text(cls.token + "\n")
        cls.token_file.chmod(0o600)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.holder.cleanup()

    def publish(self, *arguments, **env):
        run = Run(SOTTO, "publish", "test", "--to", self.server.base + "/whip/demo", *SMALL,
                  *arguments, **env)
        self.addCleanup(run.end, signal.SIGKILL)
        return run

    def test_a_test_picture_is_live_reported_watched_and_ended(self):
        run = self.publish("--reports", "json", SOTTO_TOKEN=self.token)
        run.until("^Live")
        report = json.loads(run.until('"state":"live"'))
        self.assertEqual(report["encoder"], "vp8enc")
        report = json.loads(run.until('"state":"live"'))
        self.assertGreater(report["frames_per_second"], 0)
        self.assertGreater(report["bits_per_second"], 0)
        self.assertGreater(report["cpu_percent"], 0)
        self.assertGreater(report["resident_kib"], 0)
        command = pathlib.Path(f"/proc/{run.process.pid}/cmdline").read_bytes()
        self.assertNotIn(self.token.encode(), command)

        target = self.folder / "seen.webm"
        watch = Run(SOTTO, "launch", "whep-to-file", f"location={self.server.base}/whep/demo",
                    f"token_file={self.token_file}", f"file={target}")
        self.addCleanup(watch.end, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while not target.exists() or target.stat().st_size < 4000:
            self.assertIsNone(watch.process.poll(), "".join(watch.seen))
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)  # Until the picture has filled a few kilobytes.
        self.assertEqual(watch.end(), 0)
        self.assertIn(b"V_VP8", target.read_bytes())
        self.assertEqual(run.end(), 0)

    def test_the_server_may_go_and_come_back(self):
        run = self.publish("--reports", "none", "--token-file", str(self.token_file))
        run.until("^Live")
        self.server.stop()
        self.assertIn("trying again", run.until("^Interrupted"))
        self.server.start()
        run.until("^Live")
        self.assertEqual(run.end(), 0)

    def test_a_refused_token_ends_it_with_what_to_do(self):
        run = self.publish(SOTTO_TOKEN="nonsense")
        self.assertIn("token", run.until("^sotto: "))
        self.assertEqual(run.process.wait(PATIENCE), 1, "it ends by itself")

    def test_mistakes_are_told(self):
        for arguments, words in (
                (["test"], "--to"),
                (["test", "--to", "ftp://server"], "https://"),
                (["test", "--to", "http://127.0.0.1:9/x", "--size", "big"], "WIDTHxHEIGHT"),
                (["camera:none-such", "--to", "http://127.0.0.1:9/x"], "no camera"),
                (["/nowhere.webm", "--to", "http://127.0.0.1:9/x"], "check the"),
                (["test", "--to", "http://127.0.0.1:9/x", "--token-file", "/nowhere"], "cannot read"),
                (["test", "--to", "http://127.0.0.1:9/x", "--ask-token"], "no terminal")):
            done = subprocess.run([SOTTO, "publish", *arguments], capture_output=True, text=True,
                                  timeout=PATIENCE, stdin=subprocess.DEVNULL)
            self.assertNotEqual(done.returncode, 0, arguments)
            self.assertIn(words, done.stderr, arguments)

    def test_the_smallest_publisher_of_the_examples_publishes_and_takes_its_pipeline_along(self):
        token = self.folder / "script-token"
        token.write_text(self.server.token("stream:script:publish") + "\n")
        token.chmod(0o600)
        run = Run(str(TOP / "examples" / "publish.sh"), self.server.base + "/whip/script", str(token))
        self.addCleanup(run.end, signal.SIGKILL)
        self.server.run.until("publishing id=script")
        run.end(signal.SIGTERM)
        self.server.run.until("publisher gone id=script")


if __name__ == "__main__":
    unittest.main()
