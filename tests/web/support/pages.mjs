// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Waiting on pages that may be on their way to another.

/**
 * Until `selector` is on the page, through any number of navigations. (puppeteer's waitForSelector
 * hands the element over as well, and fails when the page moves on at that moment.)
 */
export const appears = (page, selector) => page.waitForFunction(
  (query) => document.querySelector(query) !== null, { polling: 50 }, selector);
