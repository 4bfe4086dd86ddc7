// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// janus.js as npm and as Debian have it, unmodified, against our Janus API: it watches a mountpoint
// and runs the echo test, by long poll and by WebSocket.
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { modules, sourceRoot } from '../support/browsers.mjs';
import { CLIPS, Camera } from '../support/camera.mjs';
import { FileServer } from '../support/files.mjs';
import { expectMovement, expectPicture, expectSound, expectTone } from '../support/media.mjs';
import { Process } from '../support/processes.mjs';
import { Server, logIn } from '../support/server.mjs';

// janus.js may poll once more when the session is destroyed already; the Janus API answers 404 then,
// and it says so. A session lost before would fail a test in other ways.
const LAST_POLL = [/404 .*\/janus\/\d+\?rid=/, /API call failed/];

let camera;
let server;
let files;

export async function setUp(fixture) {
  camera = fixture.keep(await Camera.start(['h264', 'vp8']));
  server = fixture.keep(await Server.start({
    cameras: [
      { id: 'h264', title: 'H.264 camera', url: camera.url('h264') },
      { id: 'vp8', title: 'VP8 camera', url: camera.url('vp8') },
    ],
    janus: { api_secret: 'for the test' },
  }));
  files = fixture.keep(await FileServer.start({
    pages: join(sourceRoot, 'tests/web/pages'), npm: join(modules, 'node_modules'),
    debian: '/usr/share/javascript/janus-gateway',
  }));
}

async function open(fixture, build, transport) {
  if (transport === 'http') fixture.expected.push(...LAST_POLL);
  const page = await fixture.page();
  await page.goto(`${files.url}/pages/janus-${build}.html`);
  await page.waitForFunction(() => window.Janus && window.client, { polling: 50 });
  await page.evaluate((options) => client.connect(options), {
    server: transport === 'http' ? server.janusUrl : server.janusWs, apisecret: 'for the test', iceServers: [],
  });
  return page;
}

const reaches = (page, state) => page.waitForFunction((wanted) => {
  const failed = client.states.find((each) => each.startsWith('error'));
  if (failed) throw new Error(failed);
  return client.states.includes(wanted);
}, { polling: 50 }, state);

async function watch(fixture, build, transport, title, clip) {
  const page = await open(fixture, build, transport);
  await page.evaluate((name) => client.watch(name), title);
  await reaches(page, 'up');
  await expectPicture(page, '#remote', clip);
  await expectTone(page, '#remote');
  const statuses = await page.evaluate(() => client.events.map(({ result }) => result?.status).filter(Boolean));
  assert.deepEqual(statuses.slice(0, 3), ['preparing', 'starting', 'started']);
  await page.evaluate(() => client.end());
  await reaches(page, 'destroyed');
}

async function echo(fixture, build, transport) {
  const page = await open(fixture, build, transport);
  await page.evaluate(() => client.echo({ data: true }));
  await reaches(page, 'up');
  await expectMovement(page, '#remote');
  await expectSound(page, '#remote');
  await reaches(page, 'video on');
  await reaches(page, 'audio on');
  assert.equal(await page.evaluate(() => client.events.some((event) => event.result === 'ok')), true);
  await reaches(page, 'data open');
  await page.evaluate(() => client.handle.data({ text: 'hello', error: (cause) => client.states.push(`error: ${cause}`) }));
  await reaches(page, 'data: Janus EchoTest here! You wrote: hello');
  await page.evaluate(() => client.handle.send({ message: { video: false } }));
  await page.waitForFunction(() => client.events.filter((event) => event.result === 'ok').length >= 2, { polling: 50 });
  await page.evaluate(() => client.handle.hangup());
  await reaches(page, 'cleanup');
  await page.evaluate(() => client.end());
  await reaches(page, 'destroyed');
}

/** A page that goes away does no more than this; the browser aborts SCTP, then DTLS. */
async function hangUp(fixture) {
  const page = await open(fixture, 'npm', 'ws');
  await page.evaluate(() => client.echo({ data: true }));
  await reaches(page, 'data open');
  await reaches(page, 'video on');
  const before = server.log().length;
  await page.evaluate(() => {
    client.handle.data({ text: 'the answer finds nobody' });
    client.handle.webrtcStuff.pc.close();
  });
  await reaches(page, 'hangup: DTLS alert');
  const log = server.log().slice(before);
  assert.match(log, /peer connection ended .*reason=remote/);
  assert.doesNotMatch(log, /warning|reason=internal/);
}

/** What Janus' API made is a source like any other: our page watches it by WHEP. */
async function whep(fixture) {
  const talk = async (path, body) => {
    const response = await fetch(server.janusUrl + path, {
      method: 'POST', body: JSON.stringify({ transaction: 't', apisecret: 'for the test', ...body }),
    });
    const answer = await response.json();
    assert.equal(answer.janus, 'success', JSON.stringify(answer));
    return answer;
  };
  const session = `/${(await talk('', { janus: 'create' })).data.id}`;
  const handle = `${session}/${(await talk(session, { janus: 'attach', plugin: 'janus.plugin.streaming' })).data.id}`;
  const media = [{ type: 'video', codec: 'vp8', pt: 100, port: 0 }, { type: 'data', port: 0 }];
  const made = await talk(handle, { janus: 'message', body: { request: 'create', type: 'rtp', id: 7, media } });
  const [{ port }] = made.plugindata.data.stream.ports;
  const sender = fixture.keep(new Process('sender', 'gst-launch-1.0', [
    ...'videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1'.split(' '),
    ...'! vp8enc deadline=1 keyframe-max-dist=15 ! rtpvp8pay pt=100 ! udpsink host=127.0.0.1'.split(' '), `port=${port}`,
  ]));
  const page = await fixture.page();
  await logIn(page, server);
  await page.goto(`${server.url}/watch.html?id=mountpoint-7`);
  await expectMovement(page, '#video');
  await page.close();
  await sender.stop();
}

export const tests = {
  'npm janus.js by WebSocket watches an H.264 mountpoint': (fixture) => watch(fixture, 'npm', 'ws', 'H.264 camera', CLIPS.h264),
  'npm janus.js by long poll watches a VP8 mountpoint': (fixture) => watch(fixture, 'npm', 'http', 'VP8 camera', CLIPS.vp8),
  'Debian janus.js by WebSocket watches a VP8 mountpoint': (fixture) => watch(fixture, 'debian', 'ws', 'VP8 camera', CLIPS.vp8),
  'Debian janus.js by long poll watches an H.264 mountpoint': (fixture) => watch(fixture, 'debian', 'http', 'H.264 camera', CLIPS.h264),
  'npm janus.js by WebSocket runs the echo test': (fixture) => echo(fixture, 'npm', 'ws'),
  'a page that closes its connection has hung up, and nothing failed': hangUp,
  'our page watches a mountpoint by WHEP': whep,
  'npm janus.js by long poll runs the echo test': (fixture) => echo(fixture, 'npm', 'http'),
  'Debian janus.js by WebSocket runs the echo test': (fixture) => echo(fixture, 'debian', 'ws'),
  'Debian janus.js by long poll runs the echo test': (fixture) => echo(fixture, 'debian', 'http'),
};
