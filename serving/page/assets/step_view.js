// Step view: what a step read, wrote and decided.

import { countOf, element, inlineText, textBox, withCapital } from "./page_elements.js";

// Of the plain scripts that the report has too.
const {
  callsOf, candidateName, candidateNumbers, choiceOf, critiqueNotes, emptyCritique, formatValue, hasSources, isChoice, isNumber,
  listOf, passageFacts, preferenceList, probabilityMeter, sourceOf, webLink, writtenName,
} = globalThis;
export const { costText, decisionOf } = globalThis;

/** Return a step of the list of steps, folded, with its cost and its result in the first line. */
export function stepItem(document) {
  const { step, cost } = document;
  return element("li", { class: "step" },
    element("details", {},
      element("summary", {},
        element("b", { class: "step-name" }, inlineText(step.node)), " ",
        element("span", { class: "outcome" }, outcomeOf(document)), " ",
        element("span", { class: "cost" }, costText(cost))),
      element("div", { class: "step-body" }, stepBody(document))));
}

function stepBody(document) {
  const { step } = document;
  return [
    passageTable(step),
    draftCards(document),
    critiquePoints(step),
    preferenceList(step),
    verdictTable(step),
    candidateNumbers(step),
    changedWords(document.changes),
    step.error ? element("p", { class: "failure" }, inlineText(step.error)) : "",
    modelCalls(step),
  ];
}

/** Return the result of a step in a few words: those of `ask --trace` and of the report. */
function outcomeOf({ step, has_passages: hasPassages, changes }) {
  if (hasPassages) {
    const count = listOf(step.passages).length;
    return count ? countOf(count, "passage") : "no passage was found";
  }
  if (step.points) return step.points.length ? countOf(step.points.length, "point") : emptyCritique(step);
  if (isNumber(step.expected_score)) return decisionOf(step);
  if (isChoice(step)) return choiceOf(step);
  if (step.candidates) {
    const texts = countOf(step.candidates.length, writtenName(step));
    return changes.length ? `${texts}, the answer changed` : texts;
  }
  return "";
}

function passageTable(step) {
  const passages = listOf(step.passages);
  if (!passages.length) return "";
  const parts = [...new Set(passages.flatMap((passage) => Object.keys(passage.part_scores || {})))];
  const head = (text) => element("th", { scope: "col" }, text);
  return element("div", { class: "scroll" },
    element("table", {},
      element("thead", {}, element("tr", {},
        head("passage"), head("score"), parts.map((part) => head(inlineText(part))))),
      element("tbody", {}, passages.map((passage) => element("tr", {},
        element("th", { scope: "row", class: "title" }, `[${passage.number}] `, inlineText(passage.title)),
        element("td", {}, formatValue(passage.score)),
        parts.map((part) => element("td", {}, formatValue((passage.part_scores || {})[part]))))))));
}

/** Return a list of passages with score, votes, title, link, licence and text. */
export function passageList(passages) {
  return element("ol", { class: "passages" }, passages.map((passage) =>
    element("li", { class: "passage", "data-passage": passage.number, tabindex: -1 },
      element("details", {},
        element("summary", {},
          element("span", { class: "number" }, `[${passage.number}]`), " ",
          element("span", { class: "title" }, inlineText(passage.title || "without a title")), " ",
          element("span", { class: "cost" }, passageFacts(passage))),
        textBox(passage.text, passage.text_html)),
      passage.url || passage.licence
        ? element("p", { class: "source" },
          passage.url ? webLink(passage.url, passage.url) : "",
          passage.url && passage.licence ? " · " : "",
          passage.licence ? element("span", { class: "licence" }, inlineText(passage.licence)) : "")
        : "")));
}

const MOST_UNFOLDED = 4;

function draftCards(document) {
  const { step } = document;
  const drafts = listOf(step.candidates);
  if (!drafts.length) return "";
  const cards = drafts.map((draft, index) => draftCard(step, draft, index, document.candidates_html[index]));
  const grid = element("div", { class: "drafts" }, cards);
  // The candidates of a step that chooses are in the steps before it too, and many texts would hide the steps below.
  if (!isChoice(step) && drafts.length <= MOST_UNFOLDED) return grid;
  const name = isChoice(step) ? "candidate" : writtenName(step);
  return element("details", {}, element("summary", {}, `The ${countOf(drafts.length, name)}`), grid);
}

function draftCard(step, draft, index, html) {
  const isChosen = isChoice(step) && index === step.chosen;
  return element("div", { class: isChosen ? "draft chosen" : "draft" },
    element("p", { class: "draft-name" },
      element("b", {}, withCapital(candidateName(step, index))),
      hasSources(step) ? [", ", inlineText(sourceOf(draft))] : "",
      isChosen ? element("span", { class: "badge" }, "chosen") : ""),
    // A refinement has the notes of the draft before it.
    draft.reasoning && step.node !== "refine"
      ? element("details", { class: "reasoning", open: !isChoice(step) },
        element("summary", {}, "Notes before the answer"), element("pre", { class: "text" }, draft.reasoning))
      : "",
    draft.text ? textBox(draft.text, html) : element("p", { class: "none" }, "(empty)"));
}

function critiquePoints(step) {
  if (!step.points) return "";
  return element("div", { class: "points" },
    step.points.length
      ? element("ol", {}, step.points.map((point) => element("li", {}, element("pre", { class: "text point" }, point))))
      : element("p", {}, `${withCapital(emptyCritique(step))}.`),
    critiqueNotes(step));
}

/** Return a table of the model's choices with the probability of each option. */
function verdictTable(step) {
  const verdicts = listOf(step.verdicts);
  if (!verdicts.length) return "";
  const options = [...new Set(verdicts.flatMap((verdict) => Object.keys(verdict.probabilities || {})))];
  const head = (text) => element("th", { scope: "col" }, text);
  return element("div", { class: "scroll" },
    element("table", { class: "verdicts" },
      element("thead", {}, element("tr", {},
        head("order"), head("choice"), options.map((option) => head(`P(${option})`)), head("mass"))),
      element("tbody", {}, verdicts.map((verdict, index) => element("tr", {},
        element("th", { scope: "row" }, `pair ${Math.floor(index / 2) + 1}${index % 2 ? ", swapped" : ""}`),
        element("td", {}, verdict.choice === null ? "unreadable" : inlineText(verdict.choice)),
        options.map((option) => {
          const probability = (verdict.probabilities || {})[option];
          return element("td", {}, probabilityMeter(probability), " ", formatValue(probability));
        }),
        element("td", {}, formatValue(verdict.mass)))))));
}

/** Return the answer with the words that the step took out and put in. */
function changedWords(changes) {
  if (!changes.length) return "";
  const tags = { same: "span", deleted: "del", inserted: "ins" };
  return element("div", { class: "changes" },
    element("p", { class: "draft-name" }, element("b", {}, "What changed")),
    element("pre", { class: "text" }, changes.map(([kind, text]) => element(tags[kind], {}, text))));
}

/** Return what the model was sent and what it wrote, word for word. */
function modelCalls(step) {
  const calls = callsOf(step).filter(({ prompt }) => prompt);
  if (!calls.length) return "";
  return element("details", { class: "calls" },
    element("summary", {}, `${countOf(calls.length, "model call")}, word for word`),
    calls.map((call, index) => element("details", {},
      element("summary", {}, `Call ${index + 1}: ${countOf(call.prompt_tokens, "token")} read`),
      element("p", { class: "label" }, "Sent"), element("pre", { class: "text" }, call.prompt),
      typeof replyOf(call) === "string"
        ? [element("p", { class: "label" }, "Written"), element("pre", { class: "text" }, replyOf(call))]
        : "")));
}

/** Return the text that a call wrote; none for a verdict that was read from probabilities, and for a likelihood. */
const replyOf = (call) => call.text ?? call.reply;
