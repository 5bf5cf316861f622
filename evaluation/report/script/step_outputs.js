// Step outputs: the drafts, candidates and critique points of a step, and its replies.
// Needs text_boxes.js and reasoningBox() of record_parts.js.

/** Return the drafts or candidates of a step. `draftScores` are the record's scores of those of this step. */
function draftBoxes(step, draftScores) {
  return listOf(step.candidates).map(objectOf).map((draft, draftIndex) => {
    const ownScores = draftScores.find((scores) => scores.candidate === draftIndex);
    const isChosen = isChoice(step) && step.chosen === draftIndex;
    const heading = [
      element("b", {}, withCapital(candidateName(step, draftIndex))),
      hasSources(step) ? [", ", inlineText(sourceOf(draft))] : "",
      isChosen ? [" ", element("small", { class: "badge chosen" }, "chosen")] : "",
      ownScores ? draftValues(ownScores) : "",
    ];
    const texts = [
      // A refinement has the notes of the draft before it.
      step.node === "refine" ? "" : reasoningBox(draft.reasoning),
      markdownBox(draft.text),
    ];
    // The candidates of a step that chooses are in the steps before it too, so they are folded here.
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
  return element("div", { class: "points" },
    critiqueNotes(step),
    pointList(step));
}

function pointList(step) {
  const points = listOf(step.points);
  if (points.length) {
    return element("ol", {}, points.map((point) => element("li", {}, textBox(point, "point"))));
  }
  return element("p", {}, `${withCapital(emptyCritique(step))}.`);
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
