// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// aiortc, an independent WebRTC stack, publishes and watches beside the browser.
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { sourceRoot } from '../support/browsers.mjs';
import { CLIPS, Camera } from '../support/camera.mjs';
import { expectPicture, expectTone } from '../support/media.mjs';
import { Process } from '../support/processes.mjs';
import { Server, logIn } from '../support/server.mjs';

const CLIP = 9; // A number no clip of the test camera has.

let camera;
let server;

export async function setUp(fixture) {
  camera = fixture.keep(await Camera.start(['h264', 'vp8']));
  server = fixture.keep(await Server.start({
    cameras: [
      { id: 'h264', title: 'H.264', url: camera.url('h264') },
      { id: 'vp8', title: 'VP8', url: camera.url('vp8') },
    ],
    mounts: [{ id: 'stage', title: 'Stage' }],
  }));
}

/** Debian's Python, which has Debian's aiortc, whatever else is first in the PATH. */
const aiortc = (script, ...args) => new Process(script, '/usr/bin/python3',
  [join(sourceRoot, 'tests/interop', script), ...args], { env: { PYTHONDONTWRITEBYTECODE: '1' } });

async function watch(id, clip) {
  const viewer = aiortc('aiortc_whep.py', `${server.url}/whep/${id}`, await server.share(`stream:${id}:view`), String(clip));
  await viewer.line(/^seen \d+ frames/, 150_000);
  await viewer.line(/^heard \d+ Hz/, 150_000);
  assert.equal((await viewer.ended).code, 0, viewer.log());
}

export const tests = {
  'aiortc publishes, a browser and aiortc watch': async (fixture) => {
    const publisher = aiortc('aiortc_whip.py', `${server.url}/whip/stage`, await server.share('stream:stage:publish'), String(CLIP));
    await publisher.line(/^connected$/, 120_000);
    const page = await fixture.page();
    await logIn(page, server);
    await page.goto(`${server.url}/watch.html?id=stage`);
    await expectPicture(page, '#video', CLIP);
    await expectTone(page, '#video');
    await page.close();
    await watch('stage', CLIP);
    publisher.child.stdin.end();
    assert.equal((await publisher.ended).code, 0, publisher.log());
  },
  'aiortc watches an H.264 camera': () => watch('h264', CLIPS.h264),
  'aiortc watches a VP8 camera': () => watch('vp8', CLIPS.vp8),
};
