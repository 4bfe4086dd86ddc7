// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// web/e2ee/container.js by itself: the same checks in Node and in Chromium.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { sourceRoot } from '../support/browsers.mjs';
import { FileServer } from '../support/files.mjs';
import { containerChecks } from '../checks/container.js';

export const media = false;

const example = JSON.parse(await readFile(join(sourceRoot, 'tests/vectors/container.json'), 'utf8'));
const reader = await import(pathToFileURL(join(sourceRoot, 'web/e2ee/container.js')));
let files;

export async function setUp(fixture) {
  files = fixture.keep(await FileServer.start({ web: join(sourceRoot, 'web'), tests: join(sourceRoot, 'tests/web') }));
}

async function inChromium(fixture) {
  const page = await fixture.page();
  await page.goto(`${files.url}/tests/pages/empty.html`);
  return page.evaluate(async (wanted) => {
    const { containerChecks: made } = await import('/tests/checks/container.js');
    const all = made(await import('/web/e2ee/container.js'), wanted);
    for (const [title, check] of Object.entries(all)) {
      await check().catch((error) => { throw new Error(`${title}: ${error.message}`); });
    }
    return Object.keys(all).length;
  }, example);
}

const all = containerChecks(reader, example);

export const tests = {
  ...Object.fromEntries(Object.entries(all).map(([name, check]) => [`in Node: ${name}`, check])),

  'all of it in Chromium': async (fixture) => {
    assert.equal(await inChromium(fixture), Object.keys(all).length);
  },
};
