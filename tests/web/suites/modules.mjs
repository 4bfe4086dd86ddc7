// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// whip.js, whep.js and player.js by themselves, against an endpoint that is a page.
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { sourceRoot } from '../support/browsers.mjs';
import { Endpoint } from '../support/endpoint.mjs';
import { FileServer } from '../support/files.mjs';
import { expectMovement } from '../support/media.mjs';

let files;

export async function setUp(fixture) {
  files = fixture.keep(await FileServer.start({ js: join(sourceRoot, 'web/js'), pages: join(sourceRoot, 'tests/web/pages') }));
}

/** A page with the modules as globals, and an endpoint. */
async function open(fixture) {
  const other = await fixture.page();
  await other.goto(`${files.url}/pages/empty.html`);
  const endpoint = await Endpoint.start(other);
  const page = await fixture.page();
  await page.goto(`${files.url}/pages/empty.html`);
  await page.evaluate(async () => {
    window.modules = {};
    for (const name of ['wish', 'whep', 'whip', 'player', 'stats']) Object.assign(window.modules, await import(`/js/${name}.js`));
  });
  return { page, endpoint };
}

const becomes = (page, expression) => page.waitForFunction(expression, { polling: 20 });

export const tests = {
  'Link headers become ICE servers, whatever stands between the quotes': async (fixture) => {
    const { page, endpoint } = await open(fixture);
    const servers = await page.evaluate(() => modules.iceServersFrom(
      '<stun:a.example>; rel="ice-server", <https://b.example>; rel="next",'
      + '<turn:c.example?transport=udp>; rel="ice-server"; username="x, <y> \\"z\\""; credential="p;q"; credential-type="password"'));
    assert.deepEqual(servers, [{ urls: 'stun:a.example' },
      { urls: 'turn:c.example?transport=udp', username: 'x, <y> "z"', credential: 'p;q' }]);
    assert.deepEqual(await page.evaluate(() => modules.iceServersFrom(null)), []);
    await endpoint.stop();
  },

  'a WHEP viewer posts, trickles with the entity tag, and deletes': async (fixture) => {
    const { page, endpoint } = await open(fixture);
    await page.evaluate(async (url) => {
      window.viewer = new modules.WhepViewer({ url: `${url}/whep/a`, token: 'secret', small: true });
      document.querySelector('video').srcObject = viewer.stream;
      await viewer.connect();
    }, endpoint.url);
    await becomes(page, () => viewer.state === 'connected');
    await expectMovement(page, 'video');
    assert.deepEqual(await page.evaluate(() => viewer.stream.getTracks().map(({ kind }) => kind).sort()), ['audio', 'video']);
    const configured = await page.evaluate(() => viewer.pc.getConfiguration().iceServers);
    assert.deepEqual(configured.map(({ urls }) => [urls].flat()[0]), ['stun:127.0.0.1:9', 'turn:127.0.0.1:9?transport=udp']);
    assert.equal(configured[1].username, 'a, "b"');

    const [post, ...patches] = endpoint.requests;
    assert.equal(post.method, 'POST');
    assert.equal(post.url, '/whep/a?small=1');
    assert.equal(post.headers['content-type'], 'application/sdp');
    assert.equal(post.headers.authorization, 'Bearer secret');
    assert.doesNotMatch(post.body, /a=candidate|a=sendonly|a=sendrecv/);
    assert.ok(patches.length >= 1);
    for (const patch of patches) {
      assert.equal(patch.method, 'PATCH');
      assert.equal(patch.headers['content-type'], 'application/trickle-ice-sdpfrag');
      assert.equal(patch.headers['if-match'], '"first"');
      assert.match(patch.body, /^(a=group:BUNDLE .*\r\n)?m=video .*\r\na=mid:0\r\na=ice-ufrag:.*\r\na=ice-pwd:.*\r\na=(candidate:|end-of-candidates)/);
      assert.equal(/a=ice-ufrag:(.*)\r/.exec(patch.body)[1], /a=ice-ufrag:(.*)\r/.exec(post.body)[1]);
    }
    await page.evaluate(() => viewer.stop());
    assert.equal(endpoint.requests.at(-1).method, 'DELETE');
    assert.equal(endpoint.requests.at(-1).headers.authorization, 'Bearer secret');
    assert.equal(await page.evaluate(() => viewer.state), 'closed');
    await endpoint.stop();
  },

  'a WHIP publisher sends camera and microphone': async (fixture) => {
    const { page, endpoint } = await open(fixture);
    await page.evaluate(async (url) => {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
      window.publisher = new modules.WhipPublisher({ url: `${url}/whip/a`, stream, maxBitrate: 500_000 });
      await publisher.connect();
    }, endpoint.url);
    await becomes(page, () => publisher.state === 'connected');
    const offer = endpoint.requests[0].body;
    assert.equal((offer.match(/a=sendonly/g) ?? []).length, 2);
    // The codec every viewer has comes first.
    const first = /m=video \d+ \S+ (\d+)/.exec(offer)[1];
    assert.match(offer, new RegExp(`a=rtpmap:${first} VP8/90000`));
    assert.equal(await page.evaluate(() => publisher.pc.getSenders()[0].getParameters().encodings[0].maxBitrate), 500_000);
    await page.waitForFunction(async () => {
      window.reader ??= new modules.StatsReader(publisher.pc);
      const stats = await window.reader.read();
      return stats.videoKbps > 0 && stats.audioKbps > 0 && stats.videoCodec === 'VP8';
    }, { polling: 200 });
    await page.evaluate(() => publisher.stop());
    assert.equal(endpoint.requests.at(-1).method, 'DELETE');
    await endpoint.stop();
  },

  'a refusal tells what the server said': async (fixture) => {
    fixture.expected.push(/422/);
    const { page, endpoint } = await open(fixture);
    endpoint.refusals.push({
      status: 422, headers: { 'Content-Type': 'application/problem+json' },
      body: JSON.stringify({ title: 'Unprocessable', detail: 'Offer H.264 or VP8.', status: 422 }),
    });
    const error = await page.evaluate((url) => new modules.WhepViewer({ url: `${url}/whep/a` }).connect()
      .catch(({ name, message, status }) => ({ name, message, status })), endpoint.url);
    assert.deepEqual(error, { name: 'SessionError', message: 'Offer H.264 or VP8.', status: 422 });
    await endpoint.stop();
  },

  'stopping while the server still thinks leaves no session behind': async (fixture) => {
    const { page, endpoint } = await open(fixture);
    await page.evaluate(async (url) => {
      window.viewer = new modules.WhepViewer({ url: `${url}/whep/a` });
      window.connecting = viewer.connect();
    }, endpoint.url);
    await endpoint.sees('POST');
    await page.evaluate(async () => {
      await viewer.stop();
      await connecting;
    });
    await endpoint.sees('DELETE');
    assert.equal(endpoint.requests.map(({ method }) => method).join(), 'POST,DELETE');
    await endpoint.stop();
  },

  'a player waits as long as it is told, tries again, and gives up where waiting is no use': async (fixture) => {
    fixture.expected.push(/503|403|404/);
    const { page, endpoint } = await open(fixture);
    endpoint.refusals.push({ status: 503, headers: { 'Retry-After': '1' } }, { status: 404 });
    await page.evaluate((url) => {
      window.told = [];
      window.player = new modules.Player(document.querySelector('video'), { url: `${url}/whep/a` });
      player.addEventListener('status', () => told.push(player.status));
      player.start();
    }, endpoint.url);
    await becomes(page, () => player.status === 'live');
    assert.equal(await page.evaluate(() => player.connections), 1);
    assert.deepEqual(await page.evaluate(() => told.filter((each, index) => each !== told[index - 1])),
      ['connecting', 'waiting', 'connecting', 'waiting', 'connecting', 'live']);
    await page.evaluate(() => player.stop());
    endpoint.refusals.push({ status: 403 });
    await page.evaluate(() => player.start());
    await becomes(page, () => player.status === 'refused');
    await page.evaluate(() => player.retry());
    await becomes(page, () => player.status === 'live');
    await page.evaluate(() => player.stop());
    await endpoint.sees('DELETE', 2);
    await endpoint.stop();
  },
};
