// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A browser publishes by WHIP, others watch by WHEP: our pages, and the examples on a site of
// their own.
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { sourceRoot } from '../support/browsers.mjs';
import { FileServer } from '../support/files.mjs';
import { expectMovement, expectSound } from '../support/media.mjs';
import { appears } from '../support/pages.mjs';
import { Server, logIn } from '../support/server.mjs';

// The wall's tile of a place nobody publishes to.
export const expected = [/503/];

let server;
let files;

export async function setUp(fixture) {
  server = fixture.keep(await Server.start({ mounts: [{ id: 'stage', title: 'Stage' }, { id: 'other', title: 'Other' }] }));
  files = fixture.keep(await FileServer.start({ examples: join(sourceRoot, 'examples') }));
}

const status = (page, wanted) => page.waitForFunction(
  (text) => document.querySelector('#status').textContent === text, { polling: 50 }, wanted);

export const tests = {
  'the publish page sends the camera, the player shows it, and again after a pause': async (fixture) => {
    fixture.expected.push(/404|50[0-9]/); // The viewer outlives the publisher and tries again.
    const page = await fixture.page();
    await logIn(page, server, '/publish.html');
    await page.waitForFunction(() => document.querySelector('#mount').value !== '', { polling: 50 });
    await page.locator('#mount').fill('stage');
    await page.select('#quality', '360');
    await page.click('#start');
    await status(page, 'Live');

    const viewer = await fixture.page();
    await logIn(viewer, server);
    await viewer.goto(`${server.url}/watch.html?id=stage`);
    await expectMovement(viewer, '#video');
    await expectSound(viewer, '#video');
    await page.waitForFunction(() => /[1-9]\d* kbit/.test(document.querySelector('#stats').textContent), { polling: 100 });

    await page.click('#stop');
    await appears(page, '#start:not([hidden])');
    await viewer.waitForFunction(() => !document.querySelector('#veil').hidden, { polling: 100 });

    // The same place again, and the same viewer sees it.
    await page.click('#start');
    await status(page, 'Live');
    await viewer.waitForFunction(() => document.querySelector('#veil').hidden, { polling: 100 });
    await expectMovement(viewer, '#video');
  },

  'a name that belongs to a camera is refused, and it is told': async (fixture) => {
    fixture.expected.push(/409/);
    await server.api('POST', '/v1/cameras', { id: 'camera', title: 'A camera', url: 'rtsp://127.0.0.1:9/x' });
    const page = await fixture.page();
    await logIn(page, server);
    await page.goto(`${server.url}/publish.html?to=camera`);
    await page.click('#start');
    await appears(page, '#message.message-error');
    assert.match(await page.$eval('#message', (element) => element.textContent), /another name/);
    await server.api('DELETE', '/v1/cameras/camera');
  },

  'a name that nobody configured can be published to': async (fixture) => {
    const page = await fixture.page();
    await logIn(page, server);
    await page.goto(`${server.url}/publish.html?to=new-name`);
    await page.select('#quality', '360');
    await page.click('#start');
    await status(page, 'Live');
    const viewer = await fixture.page();
    await logIn(viewer, server);
    await appears(viewer, '[data-id="new-name"] video');
    await expectMovement(viewer, '[data-id="new-name"] video');
    await page.click('#stop');
    await appears(page, '#start:not([hidden])');
  },

  'the examples work from a site of their own': async (fixture) => {
    const publisher = await fixture.page();
    const query = (id) => `?server=${encodeURIComponent(server.url)}&id=${id}`;
    await publisher.goto(`${files.url}/examples/whip-publisher.html${query('other')}#token=${await server.share('stream:other:publish')}`);
    await publisher.click('#start');
    await status(publisher, 'connected');

    const viewer = await fixture.page();
    await viewer.goto(`${files.url}/examples/camera.html${query('other')}#token=${await server.share('stream:other:view')}`);
    await expectMovement(viewer, '#video');
    await expectSound(viewer, '#video');
    await publisher.click('#stop');
    await status(publisher, 'Stopped.');
  },

  'publishing with a token for watching is refused': async (fixture) => {
    fixture.expected.push(/403/);
    const page = await fixture.page();
    await page.goto(`${server.url}/publish.html?to=stage#token=${await server.share('stream:stage:view')}`);
    await page.click('#start');
    await appears(page, '#message.message-error');
    assert.match(await page.$eval('#message', (element) => element.textContent), /may not publish/);
  },
};
