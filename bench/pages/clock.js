// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Watches a camera by WHEP and reads from each picture when it was drawn. Camera, server and page
// are on one machine and share its clock. What is read goes back to the benchmark in batches.
const BITS = 48;
const SQUARE = 12; // Pixels, as in bench/clock_camera.cpp.
const WIDTH = 640;
const REPORT_MS = 1000;
// A clock read outside of this distance from now is a picture that was not drawn by the camera,
// such as the grey before the first keyframe.
const PLAUSIBLE_MS = 60_000;

const settings = await (await fetch('settings')).json();
const video = document.getElementById('video');
const canvas = new OffscreenCanvas(WIDTH, 1);
const context = canvas.getContext('2d', { willReadFrequently: true });
let samples = [];
let unreadable = 0;

const tell = (body) => fetch('report', { method: 'POST', body: JSON.stringify(body) });

function drawnAt() {
  const middle = 16; // Of the row of squares.
  context.drawImage(video, 0, middle, WIDTH, 1, 0, 0, WIDTH, 1);
  const { data } = context.getImageData(0, 0, WIDTH, 1);
  let time = 0;
  for (let bit = 0; bit < BITS; bit += 1) {
    const at = (bit * SQUARE + SQUARE / 2) * 4;
    time = time * 2 + (data[at] > 127 ? 1 : 0);
  }
  return time;
}

function onFrame(now, metadata) {
  video.requestVideoFrameCallback(onFrame);
  const shown = Date.now();
  const drawn = drawnAt();
  if (Math.abs(shown - drawn) > PLAUSIBLE_MS) unreadable += 1;
  else samples.push([shown, shown - drawn]);
}

async function watch() {
  const peer = new RTCPeerConnection();
  peer.addTransceiver('video', { direction: 'recvonly' });
  peer.ontrack = ({ track, receiver }) => {
    // As a wall of cameras wants it: no more buffering than the network forces.
    if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
    video.srcObject = new MediaStream([track]);
  };
  peer.onconnectionstatechange = () => {
    if (peer.connectionState === 'failed') tell({ error: 'the connection failed' });
  };
  await peer.setLocalDescription(await peer.createOffer());
  await new Promise((resolve) => {
    if (peer.iceGatheringState === 'complete') resolve();
    peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && resolve();
  });
  const headers = { 'Content-Type': 'application/sdp' };
  if (settings.token) headers.Authorization = `Bearer ${settings.token}`;
  const response = await fetch(settings.whep, { method: 'POST', headers, body: peer.localDescription.sdp });
  const text = await response.text();
  if (!response.ok) throw new Error(`${settings.whep}: ${response.status} ${text}`);
  await peer.setRemoteDescription({ type: 'answer', sdp: text });
  video.requestVideoFrameCallback(onFrame);
  setInterval(async () => {
    const report = { samples, unreadable };
    samples = [];
    for (const stats of (await peer.getStats()).values()) {
      if (stats.type !== 'inbound-rtp' || stats.kind !== 'video') continue;
      report.decoded = stats.framesDecoded;
      report.dropped = stats.framesDropped;
      report.lost = stats.packetsLost;
      report.freezes = stats.freezeCount;
      report.jitterBufferMs = 1000 * stats.jitterBufferDelay / Math.max(1, stats.jitterBufferEmittedCount);
    }
    tell(report);
  }, REPORT_MS);
}

watch().catch((error) => tell({ error: String(error) }));
