// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a machine can check of accessibility: names in the accessibility tree, one main landmark,
// one first heading, contrast of text, reach by keyboard, no sideways scrolling.

const NEED_NAMES = new Set(['button', 'link', 'textbox', 'searchbox', 'combobox', 'listbox', 'checkbox', 'radio',
  'slider', 'switch', 'img', 'image', 'dialog', 'group', 'navigation', 'Video', 'region']);

async function namelessNodes(page) {
  const client = await page.createCDPSession();
  const { nodes } = await client.send('Accessibility.getFullAXTree');
  await client.detach();
  const shown = nodes.filter(({ ignored }) => !ignored);
  const faults = shown
    .filter(({ role, name }) => NEED_NAMES.has(role?.value) && !name?.value?.trim())
    // A fieldset without a legend or a details is a group, too; those of a media element are not ours.
    .filter(({ role, properties = [] }) => role.value !== 'group' || properties.some(({ name }) => name === 'focusable'))
    .map(({ role, backendDOMNodeId }) => `a ${role.value} has no name (node ${backendDOMNodeId})`);
  const mains = shown.filter(({ role }) => role?.value === 'main').length;
  // Behind a modal dialog everything else is hidden from all.
  const modal = shown.some(({ role }) => role?.value === 'dialog');
  if (mains !== (modal ? 0 : 1)) faults.push(`${mains} main landmarks`);
  return faults;
}

function faultsInPage() {
  const faults = [];
  const visible = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    && !element.closest('.visually-hidden, .skip');
  const describe = (element) => `${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ''}`
    + `${element.className ? `.${String(element.className).replaceAll(' ', '.')}` : ''}`;

  const first = [...document.querySelectorAll('h1')].filter(visible);
  if (first.length !== 1) faults.push(`${first.length} first headings`);
  if (!document.documentElement.lang) faults.push('the page names no language');
  if (!document.title) faults.push('the page has no title');
  if (document.documentElement.scrollWidth > innerWidth) faults.push('the page scrolls sideways');

  // Contrast: WCAG 2.2, 1.4.3.
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const backdrop = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour[3] !== 0) layers.push(colour);
      if (colour.length === 3) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), dark ? [0, 0, 0] : [255, 255, 255]);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !visible(element) || element.closest('option, script, noscript')) continue;
    if (element.closest('[aria-disabled=true], :disabled')) continue;
    const style = getComputedStyle(element);
    const below = backdrop(element);
    const [a, b] = [light(over(parse(style.color), below)), light(below)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) {
      faults.push(`contrast ${ratio.toFixed(2)} of ${describe(element)} "${texts.currentNode.data.trim().slice(0, 30)}"`);
    }
  }

  // Targets: WCAG 2.2, 2.5.8; ours are larger on purpose.
  const controls = [...document.querySelectorAll('button, .button, input, select')].filter(visible);
  for (const control of controls) {
    const { width, height } = control.getBoundingClientRect();
    const label = control.closest('label.choice')?.getBoundingClientRect();
    if (Math.max(height, label?.height ?? 0) < 24 && control.type !== 'range') faults.push(`${describe(control)} is ${height} px high`);
    if (width < 16) faults.push(`${describe(control)} is ${width} px wide`);
  }
  return faults;
}

/** Every fault found in the page as it is now. */
export async function accessibilityFaults(page) {
  return [...await namelessNodes(page), ...await page.evaluate(faultsInPage)];
}

/** What the Tab key reaches, in order, as ids or names; stops when it comes around. */
export async function tabOrder(page, most = 80) {
  const order = [];
  for (let count = 0; count < most; count += 1) {
    await page.keyboard.press('Tab');
    const here = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return {
        name: element.id || element.getAttribute('aria-label') || element.textContent.trim(),
        visible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
      };
    });
    if (!here || order.some(({ name }) => name === here.name)) break;
    order.push(here);
  }
  return order;
}
