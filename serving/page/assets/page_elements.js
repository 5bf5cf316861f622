// Page elements: building nodes, texts in their rendered and raw form, and numbers for people.

/** Return an element. Strings among its children become text, and never HTML. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

/** Return a text of another author on one line, isolated from the direction of the text around it. */
export const inlineText = (text) => element("bdi", { class: "inline" }, String(text));

// Only what the server rendered passes here: its renderer escapes every text.
const policy = globalThis.trustedTypes
  ? trustedTypes.createPolicy("opencoder", { createHTML: (html) => html })
  : { createHTML: (html) => html };

/** Return a box with HTML that the server rendered; its blocks of code can be copied. */
export function renderedBox(html, className = "answer-text") {
  const box = element("div", { class: className });
  box.innerHTML = policy.createHTML(html);
  for (const block of box.querySelectorAll("pre.code")) {
    const frame = element("div", { class: "code-frame" });
    block.replaceWith(frame);
    const language = block.dataset.language;
    frame.append(
      element("div", { class: "code-bar" },
        element("span", {}, language || "code"),
        copyButton(() => block.textContent, "Copy", `Copy this ${language || "code"}`)),
      block);
    // A block that scrolls must be reachable by the keyboard.
    block.tabIndex = 0;
  }
  return box;
}

/** Return a text box: rendered if there is HTML for it, with a button that shows the text as it was written. */
export function textBox(text, html) {
  const raw = element("pre", { class: "text" }, text);
  if (html === undefined) return element("div", { class: "box" }, raw, invisibleNote(text));
  const rendered = renderedBox(html);
  raw.hidden = true;
  const toggle = element("button", {
    type: "button",
    class: "quiet raw-toggle",
    "aria-pressed": "false",
    onclick: () => {
      raw.hidden = !raw.hidden;
      rendered.hidden = !raw.hidden;
      toggle.setAttribute("aria-pressed", String(!raw.hidden));
    },
  }, "Raw text");
  const bar = element("div", { class: "box-bar" }, toggle, copyButton(() => text, "Copy", "Copy this text"));
  return element("div", { class: "box" }, rendered, raw, invisibleNote(text), bar);
}

const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;

function invisibleNote(text) {
  const count = (text.replace(/\r\n/g, "\n").match(INVISIBLE) || []).length;
  return count ? element("p", { class: "invisible" }, `${countOf(count, "invisible character")} in this text`) : "";
}

/** Return a button that copies a text. */
export function copyButton(textOf, label, name) {
  const button = element("button", { type: "button", class: "quiet copy", "aria-label": name }, label);
  button.addEventListener("click", async () => {
    button.textContent = (await copyText(textOf())) ? "Copied" : "Select and copy by hand";
    setTimeout(() => { button.textContent = label; }, 1500);
  });
  return button;
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Over plain http to another machine there is no clipboard to write to.
    const area = element("textarea", { class: "hidden" });
    area.value = text;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
}

/** Return a link to a page of the web, or the address as text if it is none. */
export function webLink(address, ...label) {
  let url = null;
  try { url = new URL(address); } catch { /* no address */ }
  if (!url || !["http:", "https:"].includes(url.protocol)) return element("span", {}, label);
  return element("a", { href: url.href, target: "_blank", rel: "noreferrer noopener nofollow" }, label);
}

const numbers = new Intl.NumberFormat("en");
export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
export const countOf = (count, one) => `${numbers.format(count)} ${one}${count === 1 ? "" : "s"}`;
export const withCapital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const formatCount = (count) => numbers.format(count);
export const formatValue = (value) => (isNumber(value) ? value.toFixed(3) : "none");
export const formatSeconds = (value) => (isNumber(value) ? `${value.toFixed(1)} s` : "");

/** Return a bar for a probability, for beside its number. */
export const probabilityMeter = (value) =>
  element("meter", { min: 0, max: 1, value: isNumber(value) ? value : 0, "aria-hidden": "true" });
