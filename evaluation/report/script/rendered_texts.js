// Rendered texts: builds the elements of a text in Markdown from its packed HTML.
// Needs no other part. rendered_texts.py packs the HTML, which graph/html/answer_markdown.py has made from the text.

// No text of a run can bring another element or attribute into the page, whatever the packed HTML holds.
const RENDERED_ELEMENTS = new Set([
  "p", "pre", "code", "span", "a", "em", "strong", "s", "br", "hr", "blockquote", "ul", "ol", "li",
  "table", "thead", "tbody", "tr", "th", "td", "h3", "h4", "h5", "h6",
]);
const RENDERED_ATTRIBUTES = new Set(["class", "href", "target", "rel", "start", "data-language"]);
const VOID_ELEMENTS = new Set(["br", "hr"]);
const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": "\"", "&#34;": "\"", "&#39;": "'" };

const withoutEntities = (text) => text.replace(/&(?:amp|lt|gt|quot|#34|#39);/g, (entity) => ENTITIES[entity]);

/** Return a box with the elements of a text. */
function renderedText(text, packedHtml) {
  const box = document.createElement("div");
  box.className = "answer-text";
  let parent = box, position = 0;
  for (const part of packedHtml.split(/(<[^>]*>)/)) {
    if (part.startsWith("</")) {
      if (parent !== box) parent = parent.parentNode;
    } else if (part.startsWith("<")) {
      const node = renderedElement(part);
      parent.append(node);
      if (!VOID_ELEMENTS.has(node.localName)) parent = node;
    } else if (part.startsWith("=")) {
      parent.append(withoutEntities(part.slice(1)));
    } else if (part) {
      const [length, skipped = 0] = part.split("+").map(Number);
      position += skipped + length;
      parent.append(text.slice(position - length, position));
    }
  }
  for (const block of box.querySelectorAll("pre")) {
    // A block that scrolls must be reachable with the Tab key.
    block.tabIndex = 0;
  }
  return box;
}

function renderedElement(tag) {
  const name = /^<(\w+)/.exec(tag)[1];
  const node = document.createElement(RENDERED_ELEMENTS.has(name) ? name : "span");
  for (const [, attribute, value] of tag.matchAll(/ ([\w-]+)="([^"]*)"/g)) {
    // A citation gets its address from linkCitations(), if its passage is on the page.
    const isSafe = attribute !== "href" || /^https?:/i.test(value);
    if (RENDERED_ATTRIBUTES.has(attribute) && isSafe) node.setAttribute(attribute, withoutEntities(value));
  }
  return node;
}
