// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Pages whose sealed streams are noted frame by frame, and the comparison of what was noted.
import assert from 'node:assert/strict';

/** A page with tests/web/pages/e2ee.js as `e2ee`. `files` serves web/ and tests/web/ as tests/. */
export async function openTapped(fixture, files) {
  const page = await fixture.page();
  await page.goto(`${files.url}/tests/pages/empty.html`);
  await page.evaluate(async () => { window.e2ee = await import('/tests/pages/e2ee.js'); });
  return page;
}

/** Every hash that came out went in, and in that order. */
export function expectSame(sent, seen, what) {
  let last = -1;
  for (const [index, hash] of seen.entries()) {
    const place = sent.indexOf(hash, last + 1);
    assert.ok(place >= 0, `${what}: frame ${index} was ${sent.includes(hash) ? 'sent before the one in front of it' : 'never sent'}`);
    last = place;
  }
}
