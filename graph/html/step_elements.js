// Step elements: HTML elements, and those of a step's comparisons. Needs step_words.js.
// A plain script: the report holds it, and the ask page loads it before its modules.

/**
 * Return a new element.
 *
 * An attribute `on<event>` is a listener; an attribute that is false, null or undefined is left
 * out, as is such a child. Every child that is no node becomes a text node, so no text of a run is
 * ever parsed as HTML.
 */
function element(name, attributes, ...children) {
  const created = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) created.addEventListener(key.slice(2), value);
    else created.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    created.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return created;
}

/**
 * Return a text of another author within a line, isolated from the direction of the text around it;
 * a value that is not a string is shown as an empty text.
 */
function inlineText(text, kind = "") {
  return element("bdi", { class: kind ? `inline ${kind}` : "inline" }, typeof text === "string" ? text : "");
}

/** Return a link, or the text alone where the address is no web address. */
function webLink(address, text) {
  let url = null;
  try {
    url = new URL(address);
  } catch {
    // The address is a text of another author and may be anything.
  }
  if (!url || !["http:", "https:"].includes(url.protocol)) return inlineText(text);
  return element("a", { href: url.href, target: "_blank", rel: "noreferrer noopener nofollow", class: "inline" }, text);
}

/** Return a bar for a probability, for beside its number. */
function probabilityMeter(value) {
  return element("meter", { min: 0, max: 1, value: isNumber(value) ? value : 0, "aria-hidden": "true" });
}

/** Return a list; "" if it would be empty. */
function bulletList(items) {
  return items.length ? element("ul", {}, items.map((item) => element("li", {}, item))) : "";
}

/** Return a list of the winners of pairs. A step asks in both orders, since order sways a model. */
function preferenceList(step) {
  return bulletList(listOf(step.preferences).map(objectOf).map((preference) => {
    const first = candidateName(step, preference.first), second = candidateName(step, preference.second);
    if (!isNumber(preference.first_wins)) return `${first} and ${second}: no readable verdict`;
    return [
      `${first} over ${second}: `, probabilityMeter(preference.first_wins), ` ${formatValue(preference.first_wins)}, `,
      preference.orders_agree ? "both orders agree" : "the two orders disagree",
    ];
  }));
}

/** Return a list of the numbers by which other ways of reranking choose. */
function candidateNumbers(step) {
  const candidates = listOf(step.candidates).map(objectOf);
  return bulletList([
    ...listOf(step.agreements).map((value, index) =>
      `${candidateName(step, index)}: agreement with the others ${formatValue(value)}`),
    ...listOf(step.likelihoods).map(objectOf).map(({ mean_logprob: value, scored_tokens: tokens }, index) =>
      isNumber(value)
        ? `${candidateName(step, index)}: mean log-probability of a token ${formatValue(value)}, over ${countOf(tokens, "token")}`
        : `${candidateName(step, index)}: empty, so it has no likelihood`),
    ...listOf(step.scores).map(objectOf).map(({ score, expected }, index) => [
      candidateName(step, index), ", ", inlineText(sourceOf(candidates[index] || {})),
      `: score ${formatValue(score)}`,
      isNumber(expected) ? `, expected score ${formatValue(expected)}` : "",
    ]),
  ]);
}

/** Return the notes on the form of a critique and on its own flaws. */
function critiqueNotes(step) {
  const flaws = listOf(step.critique_flaws).map(String).join("; ");
  const note = (...words) => element("p", { class: "none" }, words);
  return [
    step.critique_format === "free" ? note("Not numbered: its paragraphs were taken as points.") : "",
    flaws ? note("Flaws of the critique itself: ", inlineText(flaws)) : "",
  ];
}
