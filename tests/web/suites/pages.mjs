// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Log-in, administration and how all pages look and read, in Chromium.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { accessibilityFaults, tabOrder } from '../support/accessibility.mjs';
import { buildRoot } from '../support/browsers.mjs';
import { Camera } from '../support/camera.mjs';
import { appears } from '../support/pages.mjs';
import { Server, logIn } from '../support/server.mjs';

// The wall's tile of a place nobody publishes to.
export const expected = [/503/];

let server;
let camera;

export async function setUp(fixture) {
  camera = fixture.keep(await Camera.start(['h264']));
  server = fixture.keep(await Server.start({ mounts: [{ id: 'stage', title: 'Stage' }], https: true }));
}

const text = (page, selector) => page.$eval(selector, (element) => element.textContent.trim());

async function fill(page, values) {
  for (const [name, value] of Object.entries(values)) await page.locator(`#${name}`).fill(value);
}

/** Waits until `selector` says something that matches. */
const says = (page, selector, pattern) => page.waitForFunction(
  (query, source) => new RegExp(source, 'i').test(document.querySelector(query)?.textContent),
  { polling: 50 }, selector, pattern.source);

const focused = (page, id) => page.waitForFunction((name) => document.activeElement.id === name, { polling: 50 }, id);

export const tests = {
  'a page asked for without a log-in leads to the log-in and back': async (fixture) => {
    const page = await fixture.page();
    await page.goto(`${server.url}/admin.html`);
    await appears(page, '#password');
    assert.equal(new URL(page.url()).pathname, '/login.html');
    await focused(page, 'password');
    await page.type('#password', server.password);
    await page.keyboard.press('Enter');
    await appears(page, '#cameras-title');
    assert.equal(new URL(page.url()).pathname, '/admin.html');
    await page.click('#log-out');
    await appears(page, '#password');
    await says(page, '#reason', /You are logged out/);
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  },

  'a wrong password is told, and where the right one is': async (fixture) => {
    fixture.expected.push(/401/);
    const page = await fixture.page();
    await page.goto(`${server.url}/`);
    await appears(page, '#password');
    await page.type('#password', 'not it');
    await page.click('#submit');
    await says(page, '#message', /do not match/);
    assert.equal(await page.$eval('#where', (element) => element.open), true);
    assert.match(await text(page, '#where'), /admin-password/);
  },

  'a log-in never leads to another site': async (fixture) => {
    const page = await fixture.page();
    await logIn(page, server, '/login.html?next=https://example.org/');
    assert.equal(page.url(), `${server.url}/index.html`);
  },

  'a token that the server does not take leads to the log-in': async (fixture) => {
    fixture.expected.push(/401/);
    const page = await fixture.page();
    await page.goto(`${server.url}/login.html`);
    await page.evaluate(() => sessionStorage.setItem('sotto.token', 'not.a.token'));
    await page.goto(`${server.url}/index.html`);
    await appears(page, '#password');
    await says(page, '#reason', /has ended/);
  },

  'a camera is tested, added, edited and removed': async (fixture) => {
    const page = await fixture.page();
    await logIn(page, server, '/admin.html');
    await page.click('#add');
    await page.click('#save');
    await says(page, '#url-error', /whole address/);
    await focused(page, 'url');

    await fill(page, { url: camera.url('h264'), title: 'Front Gärten!' });
    assert.equal(await page.$eval('#id', (element) => element.value), 'front-garten');
    await page.click('#try');
    await says(page, '#editor-message', /The camera answers: .*h264/);
    await page.click('#save');
    await says(page, '#cameras-status', /is saved/);
    const { cameras } = await server.api('GET', '/v1/cameras');
    assert.equal(cameras.find(({ id }) => id === 'front-garten').title, 'Front Gärten!');

    await page.click('[aria-label="Edit Front Gärten!"]');
    await fill(page, { title: 'Garden' });
    await page.click('#save');
    await appears(page, '[aria-label="Remove Garden"]');
    await page.click('[aria-label="Remove Garden"]');
    await page.click('#confirm-keep');
    await page.waitForFunction(() => !document.querySelector('#confirm').open);
    await page.click('[aria-label="Remove Garden"]');
    await page.click('#confirm-remove');
    await says(page, '#cameras-status', /is removed/);
    const after = await server.api('GET', '/v1/cameras');
    assert.equal(after.cameras.some(({ id }) => id === 'front-garten'), false);
  },

  'a camera that cannot be reached says so when tested': async (fixture) => {
    fixture.expected.push(/50[0-9]/);
    const page = await fixture.page();
    await logIn(page, server, '/admin.html');
    await page.click('#add');
    await fill(page, { url: 'rtsp://127.0.0.1:9/nothing', title: 'Nothing', id: 'nothing' });
    await page.click('#try');
    await appears(page, '#editor-message.message-error');
    assert.ok((await text(page, '#editor-message')).length > 20);
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !document.querySelector('#editor').open);
  },

  'a short name that is taken is told': async (fixture) => {
    fixture.expected.push(/409/);
    await server.api('POST', '/v1/cameras', { id: 'taken', title: 'Taken', url: camera.url('h264') });
    const page = await fixture.page();
    await logIn(page, server, '/admin.html');
    await page.click('#add');
    await fill(page, { url: camera.url('h264'), title: 'Taken' });
    await page.click('#save');
    await appears(page, '#editor-message.message-error');
    await server.api('DELETE', '/v1/cameras/taken');
  },

  'a shared link works without a log-in and for nothing else': async (fixture) => {
    fixture.expected.push(/40[13]/);
    await server.api('POST', '/v1/cameras', { id: 'shared', title: 'Shared', url: camera.url('h264') });
    const page = await fixture.page();
    await logIn(page, server, '/admin.html');
    await appears(page, '#share-what option[value="shared"]');
    await page.select('#share-what', 'shared');
    await page.click('#share-make');
    await appears(page, '#share-result:not([hidden])');
    const link = await page.$eval('#share-link', (element) => element.value);
    assert.match(link, /watch\.html\?id=shared#token=/);

    const guest = await fixture.page();
    await guest.goto(link);
    await guest.waitForFunction(() => document.querySelector('#video').videoWidth > 0, { polling: 100 });
    assert.equal(await guest.$eval('#nav', (element) => element.hidden), true);
    await guest.goto(link.replace('id=shared', 'id=stage'));
    await says(guest, '#message', /does not allow watching/);
    await server.api('DELETE', '/v1/cameras/shared');
  },

  'the administrator changes the password and stays logged in': async (fixture) => {
    fixture.expected.push(/403/);
    const next = 'seven green umbrellas';
    const page = await fixture.page();
    await logIn(page, server, '/admin.html');
    const change = async (current) => {
      await fill(page, { 'password-current': current, 'password-new': next });
      await page.click('#password-change');
    };
    await change('not it');
    await says(page, '#password-message', /current password is wrong/);
    await change(server.password);
    await says(page, '#password-message', /is changed/);
    server.password = next;
    server.token = null;
    await server.api('GET', '/v1/cameras');
    await page.reload();
    await appears(page, '#log-out:not([hidden])');
  },

  'the pages are served by https, and the authority behind it can be fetched': async (fixture) => {
    const page = await fixture.page();
    await logIn(page, { ...server, url: server.httpsUrl, password: server.password }, '/admin.html');
    assert.equal(await text(page, '#https-address'), server.httpsUrl);
    const pem = await page.evaluate(async () => (await fetch(document.querySelector('#ca').href)).text());
    assert.match(pem, /^-----BEGIN CERTIFICATE-----/);
  },

  'pages allow scripts from this server only': async () => {
    for (const path of ['/', '/login.html', '/admin.html', '/watch.html', '/publish.html']) {
      const response = await fetch(server.url + path);
      assert.equal(response.status, 200, path);
      const policy = response.headers.get('content-security-policy') ?? '';
      assert.match(policy, /(^|; *)(script-src|default-src) 'self'(;|$)/, path);
      assert.doesNotMatch(policy, /unsafe/, path);
    }
  },

  'every page reads well: names, contrast, headings, width; light and dark, desk and phone': async (fixture) => {
    fixture.expected.push(/50[0-9]|404/);
    await server.api('POST', '/v1/cameras', { id: 'gone', title: 'A camera nobody answers', url: 'rtsp://127.0.0.1:9/x' });
    const folder = join(buildRoot, 'tests/web-screenshots');
    mkdirSync(folder, { recursive: true });
    const faults = [];
    for (const [look, width, height, scheme] of [
      ['light', 1200, 800, 'light'], ['dark', 1200, 800, 'dark'], ['phone', 360, 740, 'light'],
      ['phone-dark', 360, 740, 'dark']]) {
      const page = await fixture.page({ width, height });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme },
        { name: 'prefers-reduced-motion', value: 'reduce' }]);
      const check = async (name) => {
        faults.push(...(await accessibilityFaults(page)).map((fault) => `${name} (${look}): ${fault}`));
        await page.screenshot({ path: join(folder, `${name}-${look}.png`) });
      };
      await page.goto(`${server.url}/login.html`);
      await page.click('#where summary');
      await check('login');
      await logIn(page, server);
      await appears(page, '.tile');
      await check('wall');
      await page.goto(`${server.url}/watch.html?id=gone`);
      await appears(page, '#retry:not([hidden])');
      await page.click('#show-stats');
      await check('watch');
      await page.goto(`${server.url}/publish.html`);
      await page.waitForFunction(() => document.querySelector('#mount').value === 'stage', { polling: 50 });
      await check('publish');
      await page.goto(`${server.url}/admin.html`);
      await appears(page, '.row');
      await appears(page, '#share-what option');
      await page.click('#share-make');
      await appears(page, '#share-result:not([hidden])');
      await check('admin');
      await page.click('#add');
      await page.$eval('#editor details', (element) => { element.open = true; });
      await page.click('#save');
      await check('editor');
    }
    await server.api('DELETE', '/v1/cameras/gone');
    assert.deepEqual(faults, []);
  },

  'the keyboard reaches every control, and one sees where it is': async (fixture) => {
    const page = await fixture.page();
    await logIn(page, server, '/publish.html');
    const order = await tabOrder(page);
    const names = order.map(({ name }) => name);
    assert.equal(names[0], 'Skip to content');
    for (const wanted of ['Cameras', 'Publish', 'Admin', 'log-out', 'mount', 'quality', 'start']) {
      assert.ok(names.includes(wanted), `${wanted} is not reached: ${names}`);
    }
    assert.deepEqual(order.filter(({ visible }) => !visible), []);
  },
};
