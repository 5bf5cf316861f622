// Text boxes: texts of a run as a block, never as HTML.
// Needs packedHtmlOf() of packed_questions.js and renderedText() of rendered_texts.js.

// Longer texts get a box of their own that scrolls.
const LONG_TEXT = 6000;

// Characters that cannot be seen or that reorder a text. They stay in the text, so a line below the
// text names them.
const INVISIBLE_KINDS = [
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/, // controls, not tab and line ends
  /[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/, // without width, or of direction
  /[\p{Cs}\u{e0000}-\u{e007f}]/u, // lone surrogates and tags
];
const INVISIBLE = new RegExp(INVISIBLE_KINDS.map((kind) => kind.source).join("|"), "gu");

/** Return the invisible characters of a text with their counts, for example "U+200B × 2". */
function invisibleCharacters(text) {
  const counts = new Map();
  for (const [character] of text.matchAll(INVISIBLE)) {
    counts.set(character, (counts.get(character) || 0) + 1);
  }
  return [...counts]
    .map(([character, count]) => {
      const code = character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      return `U+${code} × ${count}`;
    })
    .join(", ");
}

/** Return a block with a text as it was written; what is no string is shown as an empty text. */
function textBox(text, kind = "") {
  const shownText = typeof text === "string" ? text : "";
  return boxOf(shownText, null, [shownText], kind);
}

/** Return a block with a text in Markdown, rendered and as it was written; report.css hides one of them. */
function markdownBox(text, kind = "") {
  const rendered = renderedOf(text);
  return rendered ? boxOf(text, rendered, [text], kind) : textBox(text, kind);
}

/** Return the elements of a text in Markdown; null if the page does not have them. */
function renderedOf(text) {
  const packedHtml = packedHtmlOf(text);
  return packedHtml === undefined ? null : renderedText(text, packedHtml);
}

/** Return a block with a text. `rendered` is null or its elements, `nodes` are the text in parts, some of them marked. */
function boxOf(text, rendered, nodes, kind) {
  const invisible = invisibleCharacters(text);
  const isLong = text.length > LONG_TEXT;
  const views = [rendered, element("pre", { class: "text" }, nodes)].filter(Boolean);
  for (const view of views) {
    view.classList.add(...kind.split(" ").filter(Boolean), ...(isLong ? ["long"] : []));
    // A box that scrolls must be reachable with the Tab key.
    if (isLong) view.tabIndex = 0;
  }
  return element("div", { class: "box" },
    views,
    element("p", { class: "invisible", hidden: !invisible },
      "Holds characters that cannot be seen: ", invisible));
}
