// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// `sotto publish --direct` watched in the player: the picture comes from the publisher, the page and
// the introduction from the server.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { buildRoot } from '../support/browsers.mjs';
import { expectMovement } from '../support/media.mjs';
import { Process, temporaryFolder } from '../support/processes.mjs';
import { Server, logIn } from '../support/server.mjs';

let server;
let publisher;

export async function setUp(fixture) {
  server = fixture.keep(await Server.start({ mounts: [{ id: 'porch', title: 'Porch' }] }));
  const token = join(temporaryFolder('direct'), 'token');
  writeFileSync(token, await server.share('stream:porch:publish'), { mode: 0o600 });
  publisher = fixture.keep(new Process('sotto publish', join(buildRoot, 'cli/sotto'),
    ['publish', 'test', '--direct', '--max-viewers', '1', '--size', '320x240', '--fps', '15', '--bitrate', '300',
      '--reports', 'json', '--every', '1', '--to', `${server.url}/whip/porch`, '--token-file', token],
    { env: { GST_PLUGIN_PATH: join(buildRoot, 'elements'), GST_REGISTRY: join(buildRoot, 'gst-registry.bin') } }));
  await publisher.line(/^Live/);
}

/** The publisher's next report on its direct viewers that is as wanted. */
async function report(wanted) {
  for (;;) {
    const { direct } = JSON.parse((await publisher.nextLine(/^\{.*"direct".*/))[0]);
    if (wanted(direct)) return direct;
  }
}

async function watch(fixture) {
  const page = await fixture.page();
  // Not by way of the wall, which would be a viewer of its own.
  await logIn(page, server, '/watch.html?id=porch');
  await expectMovement(page, '#video');
  return page;
}

export const tests = {
  'the player shows what the publisher sends it, and who comes after is served by the server': async (fixture) => {
    await watch(fixture);
    const first = await report(({ viewers, bits_per_second: rate }) => viewers === 1 && rate > 0);
    assert.equal(first.relaying, false, 'the server has a share in the picture');
    await watch(fixture);
    const both = await report(({ relaying }) => relaying);
    assert.equal(both.viewers, 1);
  },
};
