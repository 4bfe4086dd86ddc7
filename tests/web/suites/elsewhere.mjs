// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The pages served from another origin than the server's, as the bundle that scripts/web-bundle
// makes: what is in it, that a page runs nothing else, and that everything works from there.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { accessibilityFaults } from '../support/accessibility.mjs';
import { sourceRoot } from '../support/browsers.mjs';
import { FileServer } from '../support/files.mjs';
import { expectMovement } from '../support/media.mjs';
import { appears } from '../support/pages.mjs';
import { temporaryFolder } from '../support/processes.mjs';
import { Server } from '../support/server.mjs';

const run = async (program, ...options) => (await promisify(execFile)(program, options)).stdout.trim();
const makeBundle = (...options) => run(join(sourceRoot, 'scripts/web-bundle'), ...options);

let server;
let files;
let folder;
let hash;

export async function setUp(fixture) {
  folder = temporaryFolder('bundle');
  hash = await makeBundle(folder);
  const changed = temporaryFolder('changed');
  cpSync(folder, changed, { recursive: true });
  const script = join(changed, 'js/dom.js'); // A module that log-in loads through others.
  writeFileSync(script, `${readFileSync(script, 'utf8')}\nglobalThis.changed = true;\n`);
  files = fixture.keep(await FileServer.start({ pages: folder, changed }));
  server = fixture.keep(await Server.start({
    mounts: [{ id: 'stage', title: 'Stage' }], http: { page_origins: [files.url] },
  }));
}

const textOf = (page, selector) => page.$eval(selector, (element) => element.textContent.trim());
const mark = (page, state) => page.waitForFunction(
  (wanted) => document.querySelector('#seal')?.dataset.state === wanted, { polling: 50 }, state);

/** Fills in what the log-in page asks for; the server's address is there already when a link named it. */
async function logInFrom(page, { typed = '' } = {}) {
  await appears(page, '#server-part:not([hidden])');
  if (typed) await page.type('#server', typed);
  assert.equal(await page.$eval('#server', ({ value }) => value), server.url);
  await page.type('#password', server.password);
  await page.click('#submit');
  await appears(page, '#log-out:not([hidden])');
}

export const tests = {
  'the bundle is the same each time, and the server serves it': async (fixture) => {
    assert.equal(await makeBundle(), hash);
    const list = await run('env', '-C', folder, 'sha256sum', '--check', '--strict', 'SHA256SUMS.txt');
    assert.match(list, /^watch\.html: OK$/m);
    assert.match(await run('sha256sum', join(folder, 'SHA256SUMS.txt')), new RegExp(`^${hash} `));
    assert.equal(await makeBundle('--check', server.url), hash);
    await assert.rejects(makeBundle('--check', `${files.url}/changed`), /js\/dom\.js is another/);

    const page = await fixture.page();
    await page.goto(`${server.url}/`);
    await appears(page, '#bundle');
    await page.click('#bundle > summary');
    await page.waitForFunction((wanted) => document.querySelector('#bundle-hash').textContent === wanted, { polling: 50 }, hash);
    assert.equal(await page.$eval('#server-part', ({ hidden }) => hidden), true);
    assert.deepEqual(await accessibilityFaults(page), []);
  },

  'a page runs no script but those it was published with': async (fixture) => {
    fixture.expected.push(/integrity|404/);
    const page = await fixture.page();
    await page.goto(`${files.url}/changed/login.html`);
    await page.waitForFunction(() => document.readyState === 'complete', { polling: 50 });
    assert.equal(await page.evaluate(() => globalThis.changed), undefined);
    assert.ok(page.messages.some((text) => /integrity/.test(text)), page.messages.join('\n'));
    assert.equal(await page.$eval('#server-part', ({ hidden }) => hidden), true, 'the page ran without one of its modules');
  },

  'from another origin: log-in, a sealed publication, its link, its picture': async (fixture) => {
    fixture.expected.push(/404|503/); // No /healthz at the pages' origin; the wall's tile of an empty place.
    const page = await fixture.page({ height: 1000 });
    await page.goto(`${files.url}/pages/publish.html`);
    await logInFrom(page, { typed: server.url });
    await page.waitForFunction(() => document.querySelector('#mount').value === 'stage', { polling: 50 });
    await page.select('#quality', '360');
    await page.click('#sealed');
    await page.click('#start');
    await mark(page, 'sending');
    const link = await page.$eval('#watch-link', ({ href }) => href);
    assert.ok(link.startsWith(`${files.url}/pages/watch.html?id=stage#k=5.`), link);

    // Somebody else opens the link: it names the server, and the log-in page shows which.
    const viewer = await fixture.page();
    await viewer.goto(link);
    assert.deepEqual(await appears(viewer, '#server-part:not([hidden])').then(() => accessibilityFaults(viewer)), []);
    await logInFrom(viewer);
    await mark(viewer, 'sealed');
    await expectMovement(viewer, '#video');
    await viewer.goto(`${files.url}/pages/index.html`);
    await appears(viewer, '.badge-sealed');

    // With a token in it, it needs no log-in, and a log-in elsewhere is not sent along.
    const guest = await fixture.page();
    await guest.goto(`${link}&token=${await server.share('stream:stage:view')}`);
    await mark(guest, 'sealed');
    await expectMovement(guest, '#video');
  },

  'a page from an origin that the server does not name is told why it gets nothing': async (fixture) => {
    fixture.expected.push(/CORS|ERR_FAILED|404/);
    const stranger = await FileServer.start({ pages: folder });
    const page = await fixture.page();
    await page.goto(`${stranger.url}/pages/login.html#server=${encodeURIComponent(server.url)}`);
    await appears(page, '#server-part:not([hidden])');
    await page.type('#password', server.password);
    await page.click('#submit');
    await appears(page, '#message:not([hidden])');
    assert.match(await textOf(page, '#message'), new RegExp(`${stranger.url} among its page_origins`));
    assert.equal(await page.evaluate(() => sessionStorage.getItem('sotto.token')), null);
    await stranger.stop();
  },
};
