// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Cameras in Chromium: each on the wall with its own moving picture and sound, whatever its codec.
import assert from 'node:assert/strict';

import { CLIPS, Camera } from '../support/camera.mjs';
import { expectFrames, expectPicture, expectTone, framesOf } from '../support/media.mjs';
import { appears } from '../support/pages.mjs';
import { Server, logIn } from '../support/server.mjs';

let camera;
let server;

export async function setUp(fixture) {
  camera = fixture.keep(await Camera.start(['h264', 'h264-small', 'h265', 'vp8', 'av1']));
  server = fixture.keep(await Server.start({
    cameras: [
      { id: 'a-h264', title: 'H.264 and AAC', url: camera.url('h264') },
      { id: 'b-h265', title: 'H.265 and AAC', url: camera.url('h265') },
      { id: 'c-vp8', title: 'VP8 and Opus', url: camera.url('vp8') },
      { id: 'e-av1', title: 'AV1 and Opus', url: camera.url('av1') },
      { id: 'd-two', title: 'Two streams', url: camera.url('h264'), sub_url: camera.url('h264-small') },
    ],
  }));
}

const tile = (id) => `[data-id="${id}"] video`;

/** Waits until every named row of the statistics shows a number above its bound; gives all rows. */
async function stats(page, bounds) {
  const rows = await page.waitForFunction((wanted) => {
    const shown = Object.fromEntries([...document.querySelectorAll('#stats dt')].map(
      (term) => [term.textContent, term.nextElementSibling.textContent]));
    return Object.entries(wanted).every(([name, least]) => parseFloat(shown[name]) > least) ? shown : null;
  }, { polling: 100 }, bounds);
  return rows.jsonValue();
}

export const tests = {
  'a wall of H.264, H.265, VP8 and AV1 cameras: each tile moves, is right, and sounds': async (fixture) => {
    const page = await fixture.page({ width: 1280, height: 800 });
    await logIn(page, server);
    await appears(page, tile('c-vp8'));
    await expectPicture(page, tile('a-h264'), CLIPS.h264);
    await expectPicture(page, tile('b-h265'), CLIPS.h265);
    await expectPicture(page, tile('c-vp8'), CLIPS.vp8);
    await expectPicture(page, tile('e-av1'), CLIPS.av1);
    for (const id of ['a-h264', 'b-h265', 'c-vp8', 'e-av1']) await expectTone(page, tile(id));
    await page.waitForFunction(() => document.querySelector('#summary').textContent === '5 of 5 showing', { polling: 100 });
    // The wall asks for the small stream where there is one (this one has no sound).
    await expectPicture(page, tile('d-two'), CLIPS['h264-small']);
  },

  'the player shows the main stream with sound and live statistics': async (fixture) => {
    const page = await fixture.page();
    await logIn(page, server);
    await page.goto(`${server.url}/watch.html?id=a-h264`);
    await expectPicture(page, '#video', CLIPS.h264);
    await expectTone(page, '#video');
    assert.equal(await page.$eval('#title', (element) => element.textContent), 'H.264 and AAC');

    assert.equal(await page.$eval('#video', (video) => video.muted), true);
    await page.focus('#sound');
    await page.keyboard.press('m');
    await page.waitForFunction(() => document.querySelector('#sound').getAttribute('aria-pressed') === 'true');
    assert.equal(await page.$eval('#video', (video) => video.muted), false);

    await page.keyboard.press('s');
    const rows = await stats(page, { 'Frame rate': 5, Video: 0, Sound: 0, Delay: 0, Loss: -1 });
    assert.equal(rows.Resolution, '320 × 240');
    assert.match(rows.Codec, /^H264 \+ opus$/i);

    await page.click('#full');
    await page.waitForFunction(() => document.fullscreenElement?.id === 'player');
    await page.click('#full');
    await page.waitForFunction(() => !document.fullscreenElement);
  },

  'a camera with H.265 only is seen by a browser that has none': async (fixture) => {
    const page = await fixture.page();
    await logIn(page, server);
    await page.goto(`${server.url}/watch.html?id=b-h265`);
    assert.equal(await page.evaluate(() => RTCRtpReceiver.getCapabilities('video').codecs
      .some(({ mimeType }) => /H265|HEVC/i.test(mimeType))), false);
    await expectPicture(page, '#video', CLIPS.h265, 30);
    await expectTone(page, '#video');
  },

  'a source that does not exist is told, and tried again': async (fixture) => {
    fixture.expected.push(/404/);
    const page = await fixture.page();
    await logIn(page, server);
    await page.goto(`${server.url}/watch.html?id=nobody`);
    await appears(page, '#retry:not([hidden])');
    await page.waitForFunction(() => /again in/.test(document.querySelector('#veil').textContent));
  },

  'viewers of a server that restarts come back by themselves': async (fixture) => {
    fixture.expected.push(/ERR_CONNECTION|Failed to load|Failed to fetch/);
    const page = await fixture.page();
    await logIn(page, server);
    await page.goto(`${server.url}/watch.html?id=c-vp8`);
    await expectPicture(page, '#video', CLIPS.vp8);
    await server.stop();
    await appears(page, '#retry:not([hidden])');
    await server.boot();
    await expectPicture(page, '#video', CLIPS.vp8);
    await expectFrames(page, '#video', await framesOf(page, '#video'), 10);
  },
};
