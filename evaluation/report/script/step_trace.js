// Trace: the steps of a record, each with its inputs, outputs, choice and cost.
// Needs value_formats.js, page_elements.js, text_boxes.js, passage_list.js, step_outputs.js and
// step_judgements.js.

/** Return the steps of a record as a list, unfolded with `open`. */
function stepTrace(record, open = true) {
  const steps = listOf(record.steps);
  if (!steps.length) return element("p", { class: "none" }, "No step was finished.");
  const relevantIds = relevantIdsOf(record);
  return element("ol", { class: "trace" }, steps.map((step, stepIndex) => {
    const draftScores =
      listOf(record.candidates).filter((scores) => objectOf(scores).step === stepIndex);
    return element("li", {},
      element("details", { open },
        element("summary", {},
          element("b", {}, inlineText(step.node)), " ",
          element("span", { class: "cost" }, stepCost(step))),
        passageList(listOf(step.passages), relevantIds),
        draftBoxes(step, draftScores),
        critiquePoints(step),
        draftAgreements(step),
        preferenceList(step),
        likelihoodList(step),
        learnedScores(step),
        expectedScore(step),
        verdictTable(step),
        isChoice(step) ? element("p", {}, choiceSentence(step)) : "",
        rawReplies(step),
        stepScore(step),
        step.error ? textBox(step.error, "failure") : "",
        answerAfter(step)));
  }));
}

function choiceSentence(step) {
  const name = candidateName(step, step.chosen);
  return step.node === "accept" ? `${withCapital(name)} was kept.` : `Chosen: ${name}.`;
}

function stepScore(step) {
  if (!("score" in step)) return "";
  const score = isNumber(step.score) ? formatValue(step.score) : "unscored";
  return element("p", {}, "Score: ", element("b", {}, score));
}

function answerAfter(step) {
  if (typeof step.answer !== "string") return "";
  return element("details", { class: "after" },
    element("summary", {}, "The answer after this step"),
    markdownBox(step.answer));
}

/** Return the cost of the calls of a step, for example "1,024 tokens read, 80 written, 0.52 s". */
function stepCost(step) {
  const replies = listOf(step.replies);
  const calls = [...replies, ...listOf(step.verdicts), ...listOf(step.likelihoods)].map(objectOf);
  const sumOf = (items, name) =>
    items.reduce((sum, item) => sum + (isNumber(item[name]) ? item[name] : 0), 0);
  const parts = [];
  // The model reported no counts for some of the calls.
  const mark = calls.some((call) => call.tokens_estimated) ? "~" : "";
  const readBefore = sumOf(calls, "cached_tokens");
  if (calls.length) {
    const before = readBefore ? ` (${formatCount(readBefore)} before)` : "";
    parts.push(`${mark}${countOf(sumOf(calls, "prompt_tokens"), "token")} read${before}`);
  }
  if (replies.length) {
    parts.push(`${mark}${formatCount(sumOf(replies.map(objectOf), "new_tokens"))} written`);
  }
  const cutTokens = sumOf(calls, "cut_tokens");
  if (cutTokens) parts.push(`${mark}${formatCount(cutTokens)} cut to fit`);
  const cachedCalls = calls.filter((call) => call.cached).length;
  // A call from the cache takes no time, so seconds would say too little.
  if (cachedCalls) parts.push(`${cachedCalls} of ${countOf(calls.length, "call")} from the cache`);
  else if (isNumber(step.seconds)) parts.push(`${step.seconds.toFixed(2)} s`);
  return parts.join(", ");
}
