// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A camera that goes away and returns: its viewers wait, connected, and see it again.
import assert from 'node:assert/strict';
import { setTimeout as pass } from 'node:timers/promises';

import { CLIPS, Camera } from '../support/camera.mjs';
import { expectFrames, expectPicture, expectTone, framesOf } from '../support/media.mjs';
import { Server, logIn } from '../support/server.mjs';

const AWAY_MS = 10_000; // What is tested is an absence of this length, so the test has it.
const TARGET_S = 5;
const FPS = 15;

let camera;
let server;

export async function setUp(fixture) {
  camera = fixture.keep(await Camera.start(['h264', 'vp8']));
  server = fixture.keep(await Server.start({
    cameras: [
      { id: 'h264', title: 'H.264', url: camera.url('h264') },
      { id: 'vp8', title: 'VP8', url: camera.url('vp8') },
    ],
  }));
}

export const tests = {
  'after ten seconds away the picture moves again, without a reconnect': async (fixture) => {
    const pages = [];
    for (const id of ['h264', 'vp8']) {
      const page = await fixture.page();
      pages.push(page);
      await logIn(page, server);
      await page.goto(`${server.url}/watch.html?id=${id}`);
      await expectPicture(page, '#video', CLIPS[id]);
      await page.evaluate(() => { window.firstStream = document.querySelector('#video').srcObject; });
    }
    await camera.command('stop');
    const gone = pass(AWAY_MS);
    for (const page of pages) {
      await page.waitForFunction(() => /comes back by itself/.test(document.querySelector('#veil').textContent),
        { polling: 100 });
    }
    await gone;
    const before = await Promise.all(pages.map((page) => framesOf(page, '#video')));
    await camera.command('start');
    const back = Date.now();
    await Promise.all(pages.map((page, index) => expectFrames(page, '#video', before[index], 3)));
    const seconds = (Date.now() - back) / 1000;
    console.log(`# moving again ${seconds.toFixed(1)} s after the camera's return (target ${TARGET_S} s)`);
    assert.ok(seconds < TARGET_S * 10, `it took ${seconds} s`);
    for (const [index, page] of pages.entries()) {
      // A burst of old frames would count as well; a live picture goes on.
      await expectFrames(page, '#video', await framesOf(page, '#video'), 2 * FPS);
      await expectPicture(page, '#video', [CLIPS.h264, CLIPS.vp8][index]);
      await expectTone(page, '#video');
      assert.equal(await page.evaluate(() => window.firstStream === document.querySelector('#video').srcObject), true,
        'the viewer reconnected');
    }
  },
};
