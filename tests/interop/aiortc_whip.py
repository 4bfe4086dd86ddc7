#!/usr/bin/python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publishes the test picture and a 440 Hz tone with aiortc until its input ends.

usage: aiortc_whip.py URL TOKEN [CLIP]
Prints "connected" once the media may flow.
"""
import asyncio
import fractions
import sys

import numpy
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from av import AudioFrame, VideoFrame

import picture
import wish

RATE = 48000
SAMPLES = 960  # 20 ms


class Picture(VideoStreamTrack):
    def __init__(self, clip):
        super().__init__()
        self.clip, self.count = clip, 0

    async def recv(self):
        pts, base = await self.next_timestamp()
        # The track runs at 30 a second; every number is shown twice.
        frame = VideoFrame.from_ndarray(picture.draw(self.count // 2 % picture.FRAMES, self.clip), format="rgb24")
        self.count += 1
        frame.pts, frame.time_base = pts, base
        return frame


class Tone(AudioStreamTrack):
    count = 0
    start = None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.start = self.start or loop.time()
        await asyncio.sleep(max(0, self.start + self.count / RATE - loop.time()))  # The pace of a microphone.
        times = (numpy.arange(SAMPLES) + self.count) / RATE
        wave = (numpy.sin(2 * numpy.pi * 440 * times) * 12000).astype(numpy.int16)
        frame = AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.count, fractions.Fraction(1, RATE)
        self.count += SAMPLES
        return frame


async def main():
    url, token = sys.argv[1:3]
    clip = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver(Picture(clip), direction="sendonly")
    peer.addTransceiver(Tone(), direction="sendonly")

    @peer.on("connectionstatechange")
    def changed():
        print(peer.connectionState, flush=True)

    session = await wish.connect(peer, url, token)
    await asyncio.to_thread(sys.stdin.read)
    await wish.end(peer, session, token)


asyncio.run(main())
