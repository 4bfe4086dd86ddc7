// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Who is logged in, and requests to the server's API in their name.
//
// The token lives in sessionStorage: it is gone with the tab, other origins cannot read it, and
// it is never sent by the browser on its own (no cookie, so no cross-site request forgery).
// A link may carry a token of its own after the # ("share"); it is used for that page only.

import { at, hintedServer, server, serverForLinks } from './server.js';

const TOKEN = 'sotto.token';
const NAME = 'sotto.name';

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** The token of a shared link, which names it after the #. */
export function sharedToken() {
  return new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
}

function claims(token) {
  try {
    const part = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(new TextDecoder().decode(
      Uint8Array.from(atob(part), (character) => character.charCodeAt(0))));
  } catch {
    return {};
  }
}

export const session = {
  get token() {
    // A link to another server's stream: what we have is for ours.
    if (hintedServer() && hintedServer() !== server()) return '';
    const token = sessionStorage.getItem(TOKEN) ?? '';
    const { exp } = claims(token);
    if (exp && exp * 1000 < Date.now()) {
      this.forget();
      return '';
    }
    return token;
  },
  get name() { return sessionStorage.getItem(NAME) ?? ''; },
  get isAdmin() {
    const { scope = [] } = claims(this.token);
    return (Array.isArray(scope) ? scope : String(scope).split(' ')).includes('admin');
  },
  remember(token, name) {
    sessionStorage.setItem(TOKEN, token);
    sessionStorage.setItem(NAME, name);
  },
  /** The token's own name, by which the server revokes it. */
  get tokenId() { return claims(this.token).jti ?? ''; },
  forget() {
    sessionStorage.removeItem(TOKEN);
    sessionStorage.removeItem(NAME);
  },
};

/** To the log-in page, and back here afterwards. */
export function goToLogin(reason = '') {
  const target = new URL('login.html', document.baseURI);
  target.searchParams.set('next', location.pathname.split('/').at(-1) + location.search);
  if (reason) target.searchParams.set('reason', reason);
  const wanted = hintedServer() ? `&server=${encodeURIComponent(hintedServer())}` : serverForLinks();
  target.hash = wanted.slice(1);
  location.replace(target);
}

/** Pages for people who logged in call this first. False: the browser is on its way to log-in. */
export function requireLogin() {
  if (session.token) return true;
  goToLogin();
  return false;
}

let underWay = new AbortController();

/** Gives up what is under way, as before logging out: its refusal would tell nobody anything. */
export function dropRequests() {
  underWay.abort();
  underWay = new AbortController();
}

/**
 * One request. Gives the parsed JSON (null when there is none); throws an ApiError whose message
 * is for people. An expired log-in leads to the log-in page.
 */
export async function api(
  method, path, body, { login = true, token = session.token, timeout = 30000 } = {},
) {
  const headers = {};
  if (login && token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(at(path), {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.any([AbortSignal.timeout(timeout), underWay.signal]), cache: 'no-store',
    });
  } catch (error) {
    throw new ApiError(error.name === 'TimeoutError'
      ? 'The server did not answer in time. Try again.'
      : 'The server cannot be reached. Is it running, and is this device on its network?', 0);
  }
  if (response.status === 401 && login) {
    // Not when somebody logged out, or in again, while this request was under way.
    if (token && session.token === token) {
      session.forget();
      goToLogin('expired');
    }
    throw new ApiError('Your log-in has ended. Log in again.', 401);
  }
  const text = await response.text();
  let data = null;
  try { data = text ? JSON.parse(text) : null; } catch { /* Not JSON: the status decides. */ }
  if (!response.ok) {
    const detail = data?.detail || data?.title || '';
    const told = detail.charAt(0).toUpperCase() + detail.slice(1);
    const wait = Number(response.headers.get('Retry-After')) || 0;
    const hint = wait ? ` Try again in ${wait} s.` : '';
    throw new ApiError((told || `The server answered ${response.status}.`) + hint, response.status);
  }
  return data;
}
