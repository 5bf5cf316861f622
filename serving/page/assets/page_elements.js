// Page elements: texts in their rendered and raw form, and buttons.

// The functions of step_words.js and step_elements.js, which the report has too, are global.
export const { countOf, element, formatCount, formatSeconds, inlineText, withCapital } = globalThis;

// Only HTML of the server passes here, fresh or from the tab's history: its renderer escapes every text.
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
    const focused = document.activeElement;
    const area = element("textarea", { class: "hidden" });
    area.value = text;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    focused?.focus({ preventScroll: true });
    return isCopied;
  }
}
