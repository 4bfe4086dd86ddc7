// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What people see of sealed streams: the mark, the link, the key they have, lack or got wrong.
import assert from 'node:assert/strict';

import { accessibilityFaults, tabOrder } from '../support/accessibility.mjs';
import { expectMovement } from '../support/media.mjs';
import { appears } from '../support/pages.mjs';
import { Server, logIn } from '../support/server.mjs';

export const expected = [/503/]; // The wall's tile of a place nobody publishes to.

let server;

export async function setUp(fixture) {
  server = fixture.keep(await Server.start({ mounts: [{ id: 'stage', title: 'Stage' }] }));
}

const mark = (page, state) => page.waitForFunction(
  (wanted) => document.querySelector('#seal')?.dataset.state === wanted, { polling: 50 }, state);
const textOf = (page, selector) => page.$eval(selector, (element) => element.textContent.trim());
const shownFrames = (page) => page.$eval('#video', (video) => video.getVideoPlaybackQuality().totalVideoFrames);

/** A page that publishes, and the link it shows. */
async function publish(fixture, { sealed = true } = {}) {
  const page = await fixture.page({ height: 1000 });
  await logIn(page, server, '/publish.html');
  await page.waitForFunction(() => document.querySelector('#mount').value !== '', { polling: 50 });
  await page.select('#quality', '360');
  if (sealed) await page.click('#sealed');
  await page.click('#start');
  await mark(page, sealed ? 'sending' : 'open');
  return { page, link: await page.$eval('#watch-link', ({ href }) => href) };
}

/** A browser of somebody else, logged in, at `address`. */
async function visit(fixture, address, options) {
  const page = await fixture.page(options);
  await logIn(page, server);
  await page.goto(address);
  return page;
}

export const tests = {
  'the shared link opens a sealed stream, and the key leaves the address at once': async (fixture) => {
    fixture.expected.push(/404|50[0-9]/);
    const { page, link } = await publish(fixture);
    assert.match(link, /\/watch\.html\?id=stage#k=5\.[\w-]{43}$/);
    assert.equal(await textOf(page, '#seal'), 'Sealed end to end');
    assert.deepEqual(await accessibilityFaults(page), []);
    await page.setViewport({ width: 390, height: 900 }); // A link is one long word.
    assert.deepEqual(await accessibilityFaults(page), []);

    const viewer = await visit(fixture, link);
    await mark(viewer, 'sealed');
    await expectMovement(viewer, '#video');
    assert.equal(await textOf(viewer, '#seal'), 'Sealed end to end');
    assert.equal(await textOf(viewer, '#announcer'), await viewer.evaluate(() => `${document.querySelector('#seal').textContent}. ${document.querySelector('#seal-text').textContent}`));
    assert.equal(viewer.url(), link.slice(0, link.indexOf('#')));
    assert.equal(await viewer.evaluate(() => JSON.stringify([sessionStorage, localStorage, history.state]).includes('k=5')), false);
    assert.deepEqual(await accessibilityFaults(viewer), []);
    // The browser keeps the key, in a form that gives it to nobody.
    await viewer.reload();
    await mark(viewer, 'sealed');
    await expectMovement(viewer, '#video');
    const kept = await viewer.evaluate(async () => {
      const { recallKey } = await import('./e2ee/keys.js');
      const { base } = await recallKey('stage');
      return { extractable: base.extractable, exported: await crypto.subtle.exportKey('raw', base).catch(({ name }) => name) };
    });
    assert.deepEqual(kept, { extractable: false, exported: 'NotSupportedError' });

    // A pause keeps the link, and the viewer comes back by itself.
    await page.click('#stop');
    await appears(page, '#start:not([hidden])');
    await page.click('#start');
    await mark(page, 'sending');
    assert.equal(await page.$eval('#watch-link', ({ href }) => href), link);
    await viewer.waitForFunction(() => document.querySelector('#veil').hidden, { polling: 50 });
    await expectMovement(viewer, '#video');

    await viewer.click('#forget-key');
    await mark(viewer, 'no-key');
    const { sources } = await server.api('GET', '/v1/sources');
    assert.equal(sources.find(({ id }) => id === 'stage').sealed, true);
    assert.ok(!server.log().includes(link.split('k=5.')[1]));
  },

  'without the key the page says so and takes it; a wrong one shows nothing': async (fixture) => {
    const { link } = await publish(fixture);
    const [bare] = link.split('#');
    const viewer = await visit(fixture, bare);
    await mark(viewer, 'no-key');
    assert.match(await textOf(viewer, '#veil'), /no key.*link/);
    assert.deepEqual(await accessibilityFaults(viewer), []);
    const order = await tabOrder(viewer);
    assert.ok(['key-text', 'use-key'].every((id) => order.some(({ name, visible }) => name === id && visible)), JSON.stringify(order));

    // What is no key is told beside the field.
    await viewer.type('#key-text', 'k=5.tooshort');
    await viewer.keyboard.press('Enter');
    await appears(viewer, '#key-error:not([hidden])');
    assert.match(await textOf(viewer, '#key-error'), /not complete/);
    assert.equal(await viewer.evaluate(() => document.activeElement.id), 'key-text');

    // Another key opens nothing.
    await viewer.$eval('#key-text', (field) => { field.value = ''; });
    await viewer.type('#key-text', `5.${'A'.repeat(43)}`);
    await viewer.click('#use-key');
    await mark(viewer, 'wrong-key');
    assert.equal(await shownFrames(viewer), 0);
    assert.deepEqual(await accessibilityFaults(viewer), []);

    // The whole link, pasted by keyboard, does.
    await viewer.focus('#key-text');
    await viewer.type('#key-text', link);
    await viewer.keyboard.press('Enter');
    await mark(viewer, 'sealed');
    await expectMovement(viewer, '#video');

    // The wall says it, too, and shows nothing.
    const wall = await fixture.page();
    await logIn(wall, server);
    await appears(wall, '.badge-sealed');
  },

  'a stream that is not sealed is marked so, and refused to who came with a key': async (fixture) => {
    const { page, link } = await publish(fixture, { sealed: false });
    assert.equal(await textOf(page, '#seal'), 'Not sealed');
    assert.ok(!link.includes('#'));
    const viewer = await visit(fixture, link);
    await mark(viewer, 'open');
    await expectMovement(viewer, '#video');
    assert.deepEqual(await accessibilityFaults(viewer), []);

    const keyed = await visit(fixture, `${link}#k=5.${'A'.repeat(43)}`);
    await mark(keyed, 'unsealed');
    await page.waitForFunction(() => document.querySelector('#status').textContent === 'Live', { polling: 50 });
    assert.equal(await shownFrames(keyed), 0);
    assert.match(await textOf(keyed, '#veil'), /Nothing of it is shown/);
  },

  'a link with a key and a token needs no log-in': async (fixture) => {
    const { link } = await publish(fixture);
    const token = await server.share('stream:stage:view');
    const viewer = await fixture.page({ width: 390, height: 800 });
    await viewer.goto(`${link}&token=${token}`);
    await mark(viewer, 'sealed');
    await expectMovement(viewer, '#video');
    assert.equal(new URL(viewer.url()).hash, `#token=${token}`);
    assert.deepEqual(await accessibilityFaults(viewer), []);
  },

  'a key survives the way through the log-in page': async (fixture) => {
    const { link } = await publish(fixture);
    const viewer = await fixture.page();
    await viewer.goto(link);
    await appears(viewer, '#password');
    assert.ok(!viewer.url().includes('k='));
    await viewer.type('#password', server.password);
    await viewer.click('#submit');
    await mark(viewer, 'sealed');
    await expectMovement(viewer, '#video');
  },
};
