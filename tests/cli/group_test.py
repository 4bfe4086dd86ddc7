#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`sotto publish --e2ee` and `sotto watch --e2ee`: a sealed group through the real server."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from stage import BUILD, PATIENCE, SOTTO, Run, Server

SECONDS = int(os.environ.get("SOTTO_CHURN_SECONDS", "10"))
FPS = 30
# What may be lost of a picture at a change of members.
MAX_LOST_MS = 200
SMALL = ["--size", "160x120", "--fps", str(FPS), "--bitrate", "200", "--codec", "vp8",
         "--no-audio", "--every", "1", "--reports", "json"]


class Member(Run):
    """A member whose events and reports are read."""

    def next(self, what):
        """The next line that is an event of this kind, or a report ("frames") with this in it."""
        while True:
            line = self.until(r"^\{")
            told = json.loads(line)
            if told.get("event") == what or (what in told and "event" not in told):
                return told

    def told(self):
        return [json.loads(line) for line in self.output() if line.startswith("{")]

    def events(self, what):
        return [told for told in self.told() if told.get("event") == what]


class GroupTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.server = Server(self.folder)
        with self.server.config.open("a") as config:
            config.write('[[groups]]\nid = "team"\n')
        self.server.start()
        self.addCleanup(self.server.stop)
        self.token_file = self.secret("token", self.server.token(
            "group:team:join", "stream:*:publish", "stream:*:view"))

    def secret(self, name, text):
        path = self.folder / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return path

    def member(self, *words):
        run = Member(SOTTO, *map(str, words), "--e2ee", "team", "--token-file",
                     str(self.token_file))
        self.addCleanup(lambda: run.process.poll() is None and run.end(signal.SIGKILL))
        return run

    def publish(self, name, *words):
        return self.member("publish", *(words or ["test"]), "--to",
                           f"{self.server.base}/whip/{name}", *SMALL)

    def watch(self, name, *words):
        return self.member("watch", "--from", f"{self.server.base}/whep/{name}", "--reports",
                           "json", "--every", "1", *(words or ["--hide"]))

    def until_frames(self, run, frames):
        seen = 0
        while seen < frames:
            seen += run.next("frames")["frames"]

    def test_members_come_and_go_and_nobody_loses_the_picture(self):
        senders = [self.publish("a"), self.publish("b")]
        for sender in senders:
            sender.next("use-key")
        watcher = self.watch("a")
        self.until_frames(watcher, FPS)
        lost_before = watcher.next("frames")
        begin, visits = time.monotonic(), 0
        while visits < 3 or time.monotonic() - begin < SECONDS:
            started = time.monotonic()
            visitor = self.watch("b")
            joined = visitor.next("joined")
            visitor.next("key")
            visitor.end()
            visits += 1
            for key in visitor.events("key"):
                self.assertGreaterEqual(key["epoch"], joined["epoch"], "a key of before it came")
                self.assertEqual(key["kid"] & 0xffff, key["epoch"])
            left = visitor.events("epoch")
            last = max([joined["epoch"], *(epoch["epoch"] for epoch in left)])
            for key in visitor.events("key"):
                self.assertLessEqual(key["epoch"], last, "a key of after it left")
            for sender in senders:  # And none of them seals on under a key it had.
                while sender.next("use-key")["epoch"] <= last:
                    pass
            time.sleep(max(0, 1 - (time.monotonic() - started)))  # The rate the test is about.
        reports = [lost_before]
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            reports.append(watcher.next("frames"))
        reports = [told for told in watcher.told() if "frames" in told]
        at_once = [after["keyless"] + after["failed"] - before["keyless"] - before["failed"]
                   for before, after in zip(reports, reports[1:])]
        self.assertEqual(reports[-1]["failed"], 0, "nothing was opened that was not whole")
        self.assertLessEqual(max(at_once) * 1000 / FPS, MAX_LOST_MS, reports)
        self.assertGreater(len(watcher.events("key")), visits, "keys changed while it watched")
        self.assertGreater(reports[-1]["frames"], 0)
        self.assertEqual([], [told for told in watcher.events("warning")
                              if told["what"] in ("ghost", "roster-mismatch", "handshake-failed")])
        self.assertEqual(self.server.metric('sotto_group_members{group="team"}'), 3)
        for run in (watcher, *senders):
            self.assertEqual(run.end(), 0)

    def test_an_rtsp_camera_is_sealed_undecoded(self):
        camera = Run(str(BUILD / "tests" / "support" / "rtsp_camera" / "sotto-test-camera"),
                     "--streams", "h264-opus", stdin=True)
        self.addCleanup(camera.end, signal.SIGKILL)
        address = camera.until("^ready").split()[1] + "/h264-opus"
        sender = self.publish("yard", address)
        watcher = self.watch("yard")
        self.until_frames(watcher, 20)
        self.assertEqual(watcher.end(), 0)
        for report in sender.told():
            self.assertEqual(report.get("encoder", ""), "", "nothing was encoded again")
        self.assertEqual(sender.end(), 0)

    def test_what_cannot_be_sealed_is_said(self):
        sender = self.publish("a")
        sender.next("use-key")
        clear = Run(SOTTO, "publish", "test", "--to", f"{self.server.base}/whip/a", "--token-file",
                    str(self.token_file), *SMALL)
        self.addCleanup(lambda: clear.process.poll() is None and clear.end(signal.SIGKILL))
        clear.until("^Interrupted: .*sealed group takes it sealed only")
        self.assertEqual(clear.end(), 0)
        for words, said in (
                (["publish", "test", "--direct", "--to", f"{self.server.base}/whip/x"], "--direct"),
                (["publish", "test", "--to", "http://127.0.0.1:9/elsewhere"], "/whip/NAME")):
            refused = subprocess.run([SOTTO, *words, "--e2ee", "team", "--token-file",
                                      str(self.token_file)], capture_output=True, text=True,
                                     timeout=PATIENCE, stdin=subprocess.DEVNULL)
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn(said, refused.stderr)
        self.token_file = self.secret("other", self.server.token("stream:*:view"))
        stranger = self.watch("a")
        self.assertEqual(stranger.process.wait(PATIENCE), 1)
        self.assertIn("token", "".join(stranger.output()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
