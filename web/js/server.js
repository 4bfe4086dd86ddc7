// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Which server the page talks to: the one it came from, or, when it is served from elsewhere, the
// one whose address was given at log-in or stands in a shared link (#server=https://…).
//
// An address in a link is used with that link's own token only; what is typed at log-in goes to the
// address that the log-in page shows.

const KEPT = 'sotto.server';
const HINT = 'server';
const ASK_MS = 5000;

/** `text` as an origin a page may talk to, or empty. */
export function serverOrigin(text) {
  try {
    const { protocol, origin, hostname } = new URL(text.includes('://') ? text : `https://${text}`);
    // Tokens do not travel in the clear, and browsers would refuse it of a secure page.
    const local = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
    return protocol === 'https:' || (protocol === 'http:' && local) ? origin : '';
  } catch {
    return '';
  }
}

/** The server that a shared link names, or empty. */
export const hintedServer = () => serverOrigin(new URLSearchParams(location.hash.slice(1)).get(HINT) ?? '');

const hasSharedToken = () => new URLSearchParams(location.hash.slice(1)).has('token');

/** The origin of the API. */
export function server() {
  return (hasSharedToken() && hintedServer()) || sessionStorage.getItem(KEPT) || location.origin;
}

/** For this tab, as long as its log-in; the page's own origin needs no note. */
export function useServer(origin) {
  if (origin === location.origin) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, origin);
}

/** An address at the server: "/v1/…", "/whep/…". */
export const at = (path) => new URL(path, server()).href;

/** The same for a WebSocket. */
export const socketAt = (path) => at(path).replace(/^http/, 'ws');

/** What a link from these pages carries so that it works for others, too: "" or "&server=…". */
export const serverForLinks = () => (server() === location.origin ? '' : `&${HINT}=${encodeURIComponent(server())}`);

/** Whether the page's own origin is a sotto server. */
export async function isServedByServer() {
  try {
    const answer = await fetch(new URL('/healthz', location.origin), { cache: 'no-store', signal: AbortSignal.timeout(ASK_MS) });
    return answer.ok && (await answer.text()) === 'ok\n';
  } catch {
    return false;
  }
}
