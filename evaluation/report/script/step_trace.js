// Trace: the steps of a record, each with its inputs, outputs, choice and cost.
// Needs text_boxes.js, passage_list.js, step_outputs.js and verdict_table.js.

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
          element("span", { class: "cost" }, costText(costOf(step)))),
        passageList(listOf(step.passages), relevantIds),
        draftBoxes(step, draftScores),
        critiquePoints(step),
        preferenceList(step),
        candidateNumbers(step),
        isNumber(step.expected_score) ? sentence(decisionOf(step)) : "",
        verdictTable(step),
        isChoice(step) ? sentence(choiceOf(step)) : "",
        rawReplies(step),
        stepScore(step),
        step.error ? textBox(step.error, "failure") : "",
        answerAfter(step)));
  }));
}

const sentence = (words) => element("p", {}, `${withCapital(words)}.`);

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

/** Return the tokens and seconds of a step, as costText() takes them. */
function costOf(step) {
  const calls = callsOf(step);
  const replies = listOf(step.replies).map(objectOf);
  const sumOf = (items, name) =>
    items.reduce((sum, item) => sum + (isNumber(item[name]) ? item[name] : 0), 0);
  return {
    seconds: step.seconds,
    calls: calls.length,
    replies: replies.length,
    prompt_tokens: sumOf(calls, "prompt_tokens"),
    cached_tokens: sumOf(calls, "cached_tokens"),
    new_tokens: sumOf(replies, "new_tokens"),
    cut_tokens: sumOf(calls, "cut_tokens"),
    is_estimate: calls.some((call) => call.tokens_estimated),
    is_cut_estimate: calls.some((call) => call.cut_tokens_estimated),
    cached_calls: calls.filter((call) => call.cached).length,
  };
}
