#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`sotto launch` runs each launch file, and a shell runs the same text to the same effect."""

import os
import pathlib
import select
import shlex
import signal
import socket
import subprocess
import tempfile
import unittest

TOP = pathlib.Path(os.environ["SOTTO_SOURCE_ROOT"])
SOTTO = str(pathlib.Path(os.environ["SOTTO_BUILD_ROOT"]) / "cli" / "sotto")
FILES = sorted((TOP / "pipelines").glob("*.launch"))
PATIENCE = 120  # Seconds; a bound on waiting, never a measure.
# What a machine without cameras or a Raspberry Pi's encoder cannot build.
HARDWARE = {"pi-camera-to-whip": r'no element "libcamerasrc"; install gstreamer1.0-libcamera'
                                r'|(?s:no element "v4l2h264enc".*Raspberry Pi)'}
# What a file cannot run without.
NEEDED = {"rtsp-to-whip": {"camera": "rtsp://127.0.0.1:1/nothing"}, "file-to-whip": {"file": "/dev/null"}}


def sotto(*arguments, **options):
    return subprocess.run([SOTTO, *arguments], capture_output=True, text=True, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, **options)


def pairs(values):
    return [f"{key}={value}" for key, value in values.items()]


def command(way, path, values):
    """How to run a launch file: (argv, environment), by sotto or by a shell."""
    if way == "sotto":
        return [SOTTO, "launch", path.stem, *pairs(values)], dict(os.environ)
    return ["sh", str(path)], {**os.environ, **{k: str(v) for k, v in values.items()}}


class Udp:
    """A receiver on a free port."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def close(self):
        self.socket.close()

    def packets(self):
        self.socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.socket.recv(2048))
        except BlockingIOError:
            return found


class LaunchTest(unittest.TestCase):
    def test_every_file_gives_gstreamer_the_same_words_as_a_shell(self):
        self.assertTrue(FILES)
        with tempfile.TemporaryDirectory() as folder:
            spy = pathlib.Path(folder) / "gst-launch-1.0"
            spy.write_text("#!/bin/sh\nprintf '%s\\0' gst-launch-1.0 \"$@\"\n")
            spy.chmod(0o755)
            for path in FILES:
                values = {"location": "http://127.0.0.1:9/whip/a,b=c", "port": "7001", "width": "320",
                          **NEEDED.get(path.stem, {})}
                known = {k: v for k, v in values.items() if "${" + k + ":" in path.read_text()}
                shell = subprocess.run(
                    ["sh", str(path)], capture_output=True, text=True, timeout=PATIENCE, check=True,
                    env={**os.environ, **known, "PATH": f"{folder}:{os.environ['PATH']}"})
                ours = sotto("launch", "--print", path.stem, *pairs(known))
                self.assertEqual(ours.returncode, 0, ours.stderr)
                self.assertEqual(shlex.split(ours.stdout), shell.stdout.split("\0")[:-1], path.name)

    def test_every_file_builds_here_but_for_hardware(self):
        for path in FILES:
            done = sotto("launch", "--check", path.stem, *pairs(NEEDED.get(path.stem, {})))
            if done.returncode != 0:
                self.assertIn(path.stem, HARDWARE, done.stderr)
                self.assertRegex(done.stderr, HARDWARE[path.stem])

    def test_every_file_is_listed_with_its_summary(self):
        listing = sotto("launch", "--list").stdout
        for path in FILES:
            self.assertRegex(listing, rf"(?m)^{path.stem}  +\S")

    def test_rtp_feed_reaches_both_ports_either_way(self):
        for way in ("sotto", "shell"):
            video, audio = Udp(), Udp()
            self.addCleanup(video.close)
            self.addCleanup(audio.close)
            argv, env = command(way, TOP / "pipelines/test-to-rtp.launch",
                                {"port": video.port, "audio_port": audio.port, "frames": 12,
                                 "width": 160, "height": 120})
            done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 0, done.stderr)
            frames = [p for p in video.packets() if p[1] & 0x80]
            self.assertGreaterEqual(len(frames), 10, f"{way}: a frame is a packet with the mark set")
            self.assertTrue(all(p[1] & 0x7F == 96 for p in frames))
            self.assertTrue(all(p[1] & 0x7F == 97 for p in audio.packets()), way)

    def test_a_feed_is_watched_either_way(self):
        for way in ("sotto", "shell"):
            holder = Udp()
            port = holder.port
            holder.close()
            argv, env = command(way, TOP / "pipelines/rtp-to-screen.launch",
                                {"port": port, "sink": "fakesink", "packets": 20})
            with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True) as watcher:
                for line in watcher.stdout:
                    if "Running" in line or "PLAYING" in line:
                        break
                feed = subprocess.Popen([SOTTO, "launch", "-q", "test-to-rtp", f"port={port}",
                                         f"audio_port={port + 1}", "width=160", "height=120"])
                try:
                    self.assertEqual(watcher.wait(PATIENCE), 0, way)
                finally:
                    feed.send_signal(signal.SIGINT)
                    self.assertEqual(feed.wait(PATIENCE), 0)

    def test_control_c_is_the_end_of_the_stream(self):
        with tempfile.TemporaryDirectory() as folder:
            target = pathlib.Path(folder) / "a b.webm"
            path = pathlib.Path(folder) / "mine.launch"
            path.write_text("# Mine.\ngst-launch-1.0 -e videotestsrc is-live=true ! vp8enc deadline=1 \\\n"
                            "  ! webmmux ! filesink location=\"${file:?where to write}\"\n")
            with subprocess.Popen([SOTTO, "launch", str(path), f"file={target}"],
                                  stderr=subprocess.PIPE, text=True) as run:
                self.assertIn("Running", run.stderr.readline())
                # The file grows once the pipeline flows.
                while not target.exists() or target.stat().st_size == 0:
                    self.assertIsNone(run.poll())
                    select.select([], [], [], 0.02)
                run.send_signal(signal.SIGINT)
                self.assertIn("Ending", run.stderr.readline())
                self.assertEqual(run.wait(PATIENCE), 0)
            self.assertIn(bytes.fromhex("1c53bb6b"), target.read_bytes(), "the index, written last")

    def test_mistakes_are_told_with_what_to_do(self):
        for arguments, words in (
                (["launch"], "sotto launch --list"),
                (["launch", "nothing-like-it"], "sotto launch --list"),
                (["launch", "rtsp-to-whip"], "camera is missing"),
                (["launch", "test-to-rtp", "prot=1"], "there are: "),
                (["launch", "test-to-rtp", "port"], "key=value"),
                (["launch", "test-to-rtp", "width=wide"], "sotto: "),
                (["launch", "test-to-rtp", "host=a\" ! filesink location=\"b"], "double quotes"),
                (["launch", "/nowhere.launch"], "check the path"),
                (["dance"], "--help")):
            done = sotto(*arguments)
            self.assertNotEqual(done.returncode, 0, arguments)
            self.assertIn(words, done.stderr, arguments)

    def test_help_teaches_by_example(self):
        for arguments in (["--help"], ["launch", "--help"]):
            done = sotto(*arguments)
            self.assertEqual(done.returncode, 0)
            self.assertIn("Examples:", done.stdout)
        self.assertRegex(sotto("--version").stdout, r"^sotto \d+\.\d+\.\d+ \(GStreamer 1\.\d+")


if __name__ == "__main__":
    unittest.main()
