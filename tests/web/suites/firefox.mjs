// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The main pages in Firefox ESR. Offline it has no H.264, so an H.264 camera is transcoded for it.
// Without a sound card Firefox keeps every AudioContext suspended: that sound arrives is tested
// here, what it sounds like in Chromium.
import assert from 'node:assert/strict';

import { CLIPS, Camera } from '../support/camera.mjs';
import { expectMovement, expectPicture, expectSoundArrives } from '../support/media.mjs';
import { appears } from '../support/pages.mjs';
import { Server, logIn } from '../support/server.mjs';

export const browser = 'firefox';

let camera;
// The wall's tile of a place nobody publishes to, and that of a member who sends nothing.
export const expected = [/404|503/];

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

export const tests = {
  'the wall shows a VP8 and an H.264 camera, moving and sounding': async (fixture) => {
    const page = await fixture.page();
    await logIn(page, server);
    await appears(page, '[data-id="vp8"]');
    const codecs = await page.evaluate(() => RTCRtpReceiver.getCapabilities('video').codecs.map(({ mimeType }) => mimeType));
    console.log(`# this Firefox receives ${[...new Set(codecs)]}`);
    for (const id of ['vp8', 'h264']) {
      await expectPicture(page, `[data-id="${id}"] video`, CLIPS[id]);
      await expectSoundArrives(page, `[data-id="${id}"] video`);
    }
  },

  'the player shows statistics': async (fixture) => {
    const page = await fixture.page();
    await logIn(page, server);
    await page.goto(`${server.url}/watch.html?id=vp8`);
    await expectPicture(page, '#video', CLIPS.vp8);
    await page.click('#show-stats');
    await page.waitForFunction(() => /[1-9][\d.]* fps/.test(document.querySelector('#stats').textContent), { polling: 100 });
    assert.match(await page.$eval('#stats', (element) => element.textContent), /320 × 240/);
  },

  'the publish page sends, the player shows it': async (fixture) => {
    const page = await fixture.page();
    await logIn(page, server);
    await page.goto(`${server.url}/publish.html?to=stage`);
    await page.select('#quality', '360');
    await page.click('#start');
    await page.waitForFunction(() => document.querySelector('#status').textContent === 'Live', { polling: 50 });
    const viewer = await fixture.page();
    await logIn(viewer, server);
    await viewer.goto(`${server.url}/watch.html?id=stage`);
    await expectMovement(viewer, '#video', { plain: true });
    await page.click('#stop');
    await appears(page, '#start:not([hidden])');
  },

  'the publish page seals, and the link opens it in another browser context': async (fixture) => {
    const page = await fixture.page();
    await logIn(page, server);
    await page.goto(`${server.url}/publish.html?to=stage`);
    await page.select('#quality', '360');
    await page.click('#sealed');
    await page.click('#start');
    const mark = (where, state) => where.waitForFunction((wanted) => document.querySelector('#seal').dataset.state === wanted, { polling: 50 }, state);
    await mark(page, 'sending');
    const viewer = await fixture.page();
    await logIn(viewer, server);
    await viewer.goto(await page.$eval('#watch-link', ({ href }) => href));
    await mark(viewer, 'sealed');
    await expectMovement(viewer, '#video', { plain: true });
    await viewer.click('#forget-key');
    await mark(viewer, 'no-key');
    await page.click('#stop');
    await appears(page, '#start:not([hidden])');
  },

  'members of a sealed group compare words and see each other': async (fixture) => {
    await server.api('POST', '/v1/groups', { id: 'team' });
    const pages = [];
    for (const name of ['anna', 'ben']) {
      const page = await fixture.page();
      await logIn(page, server);
      await page.goto(`${server.url}/group.html?group=team`);
      await page.type('#name', name);
      await page.click('#enter');
      await appears(page, '#inside:not([hidden])');
      pages.push(page);
    }
    const [anna, ben] = pages;
    await anna.click('#send');
    await expectMovement(ben, '[data-id="team-anna"] video', { plain: true });
    const words = [];
    for (const page of pages) {
      await page.waitForFunction(() => document.querySelector('[data-member] .buttons button:not([hidden])'), { polling: 50 });
      await page.click('[data-member] .buttons button');
    }
    for (const page of pages) {
      await page.waitForFunction(() => document.querySelectorAll('#words li').length === 4, { polling: 50 });
      words.push(await page.$eval('#words', ({ textContent }) => textContent));
    }
    assert.equal(words[0], words[1]);
  },

  'the admin page adds and removes a camera': async (fixture) => {
    const page = await fixture.page();
    await logIn(page, server);
    await page.goto(`${server.url}/admin.html`);
    await page.click('#add');
    await page.type('#url', camera.url('vp8'));
    await page.type('#title', 'Second');
    await page.click('#save');
    await appears(page, '[aria-label="Remove Second"]');
    await page.click('[aria-label="Remove Second"]');
    await page.click('#confirm-remove');
    await page.waitForFunction(() => !document.querySelector('[aria-label="Remove Second"]'), { polling: 100 });
    assert.equal((await server.api('GET', '/v1/cameras')).cameras.some(({ id }) => id === 'second'), false);
  },
};
