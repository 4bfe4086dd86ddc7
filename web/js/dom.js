// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Small helpers to build pages without a framework and without markup in strings.

/** An element with attributes, listeners ("onclick") and children. null children are left out. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'muted' || name === 'playsInline' || name === 'autoplay') node[name] = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

/** Says something to people who do not see the page, once. */
export function announce(text) {
  const region = byId('announcer');
  if (region && region.textContent !== text) region.textContent = text;
}

/** Shows a message in a place meant for it; `kind` is error, ok or note. Empty text clears it. */
export function tell(place, text, kind = 'note') {
  place.replaceChildren();
  place.className = 'message';
  place.hidden = !text;
  if (!text) return;
  place.classList.add(`message-${kind}`);
  place.append(text);
}

/** Runs `work` while the button shows that it is busy; errors go to `place`. */
export async function busy(button, place, work) {
  if (button.getAttribute('aria-disabled') === 'true') return undefined;
  button.setAttribute('aria-disabled', 'true');
  button.setAttribute('aria-busy', 'true');
  try {
    return await work();
  } catch (error) {
    tell(place, error.message, 'error');
    return undefined;
  } finally {
    button.removeAttribute('aria-disabled');
    button.removeAttribute('aria-busy');
  }
}

/** Copies to the clipboard where the browser lets us; false when the person must do it. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
