// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs one suite of browser tests and speaks TAP: run.mjs SUITE [TEST-NAME-PART]
//
// A suite is a module in suites/ that exports `tests`, an object from what is required to a
// function (fixture) => Promise, and perhaps `browser` ("chromium" or "firefox"), `setUp(fixture)`
// for what all its tests share and `media: false` when it decodes nothing.
import { Fixture } from './support/fixture.mjs';
import { killAll } from './support/processes.mjs';

const TEST_BOUND_MS = 180_000;
const SETUP_BOUND_MS = 240_000; // Clips are encoded on first use.

const [name, part = ''] = process.argv.slice(2);
if (!name) {
  console.error('usage: run.mjs SUITE [TEST-NAME-PART]');
  process.exit(2);
}

function bounded(promise, ms, what) {
  let timer;
  const bound = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, bound]).finally(() => clearTimeout(timer));
}

const lines = (text) => String(text).split('\n').map((line) => `# ${line}`).join('\n');
const comment = (text) => console.log(lines(text));
/** What went wrong goes to standard error: that is what a test runner shows of a failed suite. */
const complain = (text) => console.error(lines(text));

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    killAll();
    process.exit(128);
  });
}
process.on('exit', killAll);

const suite = await import(`./suites/${name}.mjs`);
const chosen = Object.entries(suite.tests).filter(([title]) => title.includes(part));
console.log(`1..${chosen.length}`);
if (chosen.length === 0) process.exit(2);

const fixture = new Fixture(name, suite);
let failed = 0;
let broken = null;
try {
  await bounded(fixture.start(), SETUP_BOUND_MS * 4, 'starting the browser and waiting for our turn');
  if (suite.setUp) await bounded(suite.setUp(fixture), SETUP_BOUND_MS, 'the set-up');
} catch (error) {
  broken = error;
}
for (const [index, [title, run]] of chosen.entries()) {
  const started = Date.now();
  try {
    if (broken) throw broken;
    await bounded(run(fixture), TEST_BOUND_MS, 'the test');
    await fixture.settle();
    console.log(`ok ${index + 1} - ${title}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${index + 1} - ${title}`);
    complain(error.stack ?? error);
    await bounded(fixture.explain(title, complain), 20_000, 'the explanation').catch(complain);
  }
  await fixture.closePages();
  comment(`${((Date.now() - started) / 1000).toFixed(1)} s`);
}
await bounded(fixture.stop(), 30_000, 'the end').catch((error) => {
  failed += 1;
  console.log(`Bail out! ${error.message}`);
});
killAll();
process.exit(failed ? 1 : 0);
