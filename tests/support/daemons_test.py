#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The borrowed daemons start beside each other, answer, and leave nothing behind."""

import json
import os
import socket
import subprocess
import sys
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemons  # noqa: E402

MOUNTPOINT = {"id": 7, "media": [{"type": "video", "mid": "v", "pt": 96, "codec": "vp8"}]}


def ask(url: str, **message) -> dict:
    request = urllib.request.Request(
        url, json.dumps({"transaction": "t", **message}).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def mountpoint() -> dict:
    (port,) = daemons.free_ports(1, socket.SOCK_DGRAM)
    media = dict(MOUNTPOINT["media"][0], port=port)
    return dict(MOUNTPOINT, media=[media])


class DaemonsTest(unittest.TestCase):
    def test_two_januses_serve_their_mountpoints_side_by_side(self):
        with daemons.Janus([mountpoint()]) as one, daemons.Janus([mountpoint()]) as two:
            self.assertNotEqual(one.url, two.url)
            for janus in (one, two):
                session = ask(janus.url, janus="create")["data"]["id"]
                handle = ask(f"{janus.url}/{session}", janus="attach",
                             plugin="janus.plugin.streaming")["data"]["id"]
                answer = ask(f"{janus.url}/{session}/{handle}", janus="message",
                             body={"request": "list"})
                self.assertEqual([7], [m["id"] for m in answer["plugindata"]["data"]["list"]])

    def test_a_stopped_daemon_leaves_neither_process_nor_folder(self):
        janus = daemons.Janus([mountpoint()])
        with janus:
            pid, folder, url = janus.pid, janus.folder, janus.url
            self.assertTrue(folder.exists())
        self.assertFalse(os.path.exists(f"/proc/{pid}"))
        self.assertFalse(folder.exists())
        with self.assertRaises(OSError):
            urllib.request.urlopen(url + "/info", timeout=5)

    def test_the_command_serves_until_its_input_closes(self):
        command = [sys.executable, daemons.__file__, "coturn"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            facts = json.loads(process.stdout.readline())
            self.assertTrue(os.path.exists(f"/proc/{facts['pid']}"))
            process.stdin.close()
            self.assertEqual(0, process.wait(60))
        self.assertFalse(os.path.exists(f"/proc/{facts['pid']}"))


if __name__ == "__main__":
    unittest.main()
