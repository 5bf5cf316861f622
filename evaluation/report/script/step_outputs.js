// Step outputs: the drafts and the critique points of a step, and its replies.
// Needs value_formats.js, page_elements.js, text_boxes.js and reasoningBox() of record_parts.js.

const isChoice = (step) => isNumber(step.chosen);

/** Return the drafts of a step. `draftScores` are the record's scores of drafts of this step. */
function draftBoxes(step, draftScores) {
  const drafts = listOf(step.candidates);
  return drafts.map((draft, draftIndex) => {
    const ownScores = draftScores.find((scores) => scores.candidate === draftIndex);
    const heading = [
      element("b", {}, drafts.length > 1 ? `Draft ${draftIndex + 1}` : "Draft"),
      ownScores ? draftValues(ownScores) : "",
    ];
    const { reasoning, text } = objectOf(draft);
    const texts = [reasoningBox(reasoning), textBox(text)];
    // The drafts of a step that chooses are in the steps before it too, so they are folded here.
    return isChoice(step)
      ? element("details", { class: "draft" }, element("summary", {}, heading), texts)
      : element("div", { class: "draft" }, element("p", { class: "whose" }, heading), texts);
  });
}

/** Return the metric values of a draft, for example "BLEU 0.250, ROUGE-1 0.500". */
function draftValues(scores) {
  const values = Object.entries(objectOf(scores.metrics))
    .filter(([, value]) => isNumber(value))
    .map(([metric, value]) => `${metric} ${formatValue(value)}`)
    .join(", ");
  return values ? element("span", { class: "cost" }, ` ${values}`) : "";
}

/** Return the points of a critique, for a step that has them. */
function critiquePoints(step) {
  if (!("points" in step)) return "";
  const flaws = listOf(step.critique_flaws).map(String).join("; ");
  return element("div", { class: "points" },
    listOf(step.critique_flaws).length
      ? element("p", { class: "none" }, "Flaws of the critique itself: ", inlineText(flaws))
      : "",
    step.critique_format === "free"
      ? element("p", { class: "none" }, "Not numbered: its paragraphs were taken as points.")
      : "",
    pointList(step));
}

function pointList(step) {
  const points = listOf(step.points);
  if (points.length) {
    return element("ol", {}, points.map((point) => element("li", {}, textBox(point, "point"))));
  }
  const isEmpty = step.critique_format === "empty";
  return element("p", {},
    isEmpty ? "The critique came back empty." : "The critique names no flaw of the answer.");
}

/** Return the replies that differ from the drafts: the step cut, trimmed or parsed them. */
function rawReplies(step) {
  const shownTexts = new Set(listOf(step.candidates).map(objectOf)
    .flatMap((draft) => [draft.text, draft.reasoning]));
  const rawTexts = listOf(step.replies)
    .map((reply) => objectOf(reply).text)
    .filter((text) => text && !shownTexts.has(text));
  if (!rawTexts.length) return "";
  return element("details", { class: "after" },
    element("summary", {}, "As the model wrote it"),
    rawTexts.map((text) => textBox(text)));
}
