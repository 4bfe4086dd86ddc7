// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// web/e2ee by itself: the same checks in Node and in Chromium, against RFC 9605's appendix.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { sourceRoot } from '../support/browsers.mjs';
import { FileServer } from '../support/files.mjs';
import { checks } from '../checks/e2ee.js';

export const media = false;

const NAMES = ['sframe', 'shims', 'frames', 'keys'];
const read = (name) => JSON.parse(readFileSync(join(sourceRoot, 'tests/vectors', name), 'utf8'));
const vectors = { ...read('rfc9605.json'), ...read('sealed-frames.json') };

const modules = Object.assign({}, ...await Promise.all(
  NAMES.map((name) => import(pathToFileURL(join(sourceRoot, 'web/e2ee', `${name}.js`))))));
let files;

export async function setUp(fixture) {
  files = fixture.keep(await FileServer.start({ web: join(sourceRoot, 'web'), tests: join(sourceRoot, 'tests/web') }));
}

async function inChromium(fixture) {
  const page = await fixture.page();
  await page.goto(`${files.url}/tests/pages/empty.html`);
  return page.evaluate(async (names, known) => {
    const found = Object.assign({}, ...await Promise.all(names.map((each) => import(`/web/e2ee/${each}.js`))));
    const all = (await import('/tests/checks/e2ee.js')).checks(found, known);
    for (const [title, check] of Object.entries(all)) {
      await check().catch((error) => { throw new Error(`${title}: ${error.message}`); });
    }
    return Object.keys(all).length;
  }, NAMES, vectors);
}

const all = checks(modules, vectors);

export const tests = {
  ...Object.fromEntries(Object.entries(all).map(([name, check]) => [`in Node: ${name}`, check])),

  'all of it in Chromium': async (fixture) => {
    assert.equal(await inChromium(fixture), Object.keys(all).length);
  },
};
