// Step outputs: the drafts, candidates and critique points of a step, and its replies.
// Needs value_formats.js, page_elements.js, text_boxes.js and reasoningBox() of record_parts.js.

// Names of the texts that a step writes; those of any other step are drafts.
const WRITTEN_NAMES = { refine: "refinement", adapt: "adaptation", extra_candidates: "extra candidate" };

const isChoice = (step) => isNumber(step.chosen);

/** Return the name of a text that the step wrote or chose among, for example "candidate 2". */
function candidateName(step, index) {
  if (step.node === "accept") return index ? "the refinement" : "the answer before";
  return `${isChoice(step) ? "candidate" : WRITTEN_NAMES[step.node] || "draft"} ${index + 1}`;
}

/** Return the source of a candidate in words, as the trace of the terminal has it. */
function sourceOf(draft) {
  if (isNumber(draft.passage)) return `passage ${draft.passage}`;
  return draft.source || "draft";
}

const withCapital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Return the drafts or candidates of a step. `draftScores` are the record's scores of those of this step. */
function draftBoxes(step, draftScores) {
  return listOf(step.candidates).map(objectOf).map((draft, draftIndex) => {
    const ownScores = draftScores.find((scores) => scores.candidate === draftIndex);
    const isChosen = isChoice(step) && step.chosen === draftIndex;
    const heading = [
      element("b", {}, withCapital(candidateName(step, draftIndex))),
      isChoice(step) ? [", ", inlineText(sourceOf(draft))] : "",
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
    isEmpty ? "The critique came back empty." : "The critique names no flaw.");
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
