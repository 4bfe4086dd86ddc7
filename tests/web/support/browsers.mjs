// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Debian's Chromium and Firefox ESR, headless, with a fake camera and microphone.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export const buildRoot = process.env.SOTTO_BUILD_ROOT;
export const sourceRoot = process.env.SOTTO_SOURCE_ROOT;
export const modules = join(buildRoot, 'tests/web-modules');

const find = createRequire(join(modules, 'package.json'));
const { default: puppeteer } = await import(pathToFileURL(find.resolve('puppeteer-core')));

const CHROMIUM = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--mute-audio',
  '--use-fake-device-for-media-stream=fps=5', '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required', '--ignore-certificate-errors',
  // Pages in the background must go on: the tests look at several at once.
  '--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  // Candidates under mDNS names need a responder that a test machine may lack.
  '--disable-features=WebRtcHideLocalIpsWithMdns,OptimizationHints,MediaRouter',
];

const FIREFOX = {
  'media.navigator.permission.disabled': true,
  'media.navigator.streams.fake': true,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.peerconnection.ice.loopback': true,
  'media.volume_scale': '0.0',
  'app.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  // Nothing is fetched from outside, the H.264 plug-in least of all: what Firefox can do offline
  // must not depend on the network.
  'media.gmp-manager.updateEnabled': false,
  'media.gmp-manager.url': 'http://127.0.0.1:9/',
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
};

export async function launch(kind) {
  if (kind === 'firefox') {
    return puppeteer.launch({
      browser: 'firefox', executablePath: '/usr/bin/firefox-esr', headless: true,
      protocolTimeout: 180_000, timeout: 120_000, extraPrefsFirefox: FIREFOX,
      acceptInsecureCerts: true,
      // The size is the window's: older ESRs (140) lack a command that setting a viewport sends.
      defaultViewport: null, args: ['--width=1000', '--height=700'],
    });
  }
  return puppeteer.launch({
    executablePath: '/usr/bin/chromium', headless: true, args: CHROMIUM,
    protocolTimeout: 180_000, timeout: 120_000, acceptInsecureCerts: true,
  });
}
