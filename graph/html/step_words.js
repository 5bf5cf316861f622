// Step words: the words and numbers of steps, those of graph/narration.py where both show the same.
// A plain script: the report holds it, and the ask page loads it before its modules.
// A step may lack any field, so every function accepts a missing value.

const countFormat = new Intl.NumberFormat("en");

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** Return the value if it is an array, else an empty one. */
function listOf(value) {
  return Array.isArray(value) ? value : [];
}

/** Return the value if it is an object and no array, else an empty one. */
function objectOf(value) {
  return value && typeof value === "object" && !Array.isArray(value) ? value : {};
}

function formatCount(count) {
  return countFormat.format(count);
}

function formatValue(value) {
  return isNumber(value) ? value.toFixed(3) : "none";
}

function formatSeconds(seconds) {
  return isNumber(seconds) ? `${seconds.toFixed(1)} s` : "";
}

/** Return a count with its noun, for example "1 question" and "1,200 questions". */
function countOf(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function withCapital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// Names of the texts that a step writes; those of any other step are drafts.
const WRITTEN_NAMES = { refine: "refinement", adapt: "adaptation", extra_candidates: "extra candidate" };

function writtenName(step) {
  return Object.hasOwn(WRITTEN_NAMES, step.node) ? WRITTEN_NAMES[step.node] : "draft";
}

/** Tell whether a step chose one of its candidates. */
function isChoice(step) {
  return isNumber(step.chosen);
}

/** Return the name of a text that the step wrote or chose among, for example "candidate 2". */
function candidateName(step, index) {
  if (step.node === "accept") return index ? "the refinement" : "the answer before";
  return `${isChoice(step) ? "candidate" : writtenName(step)} ${index + 1}`;
}

/** Return the source of a candidate in words. */
function sourceOf(draft) {
  return isNumber(draft.passage) ? `passage ${draft.passage}` : draft.source || "draft";
}

/** Tell whether the candidates of a step have sources: in accept, their names already say it. */
function hasSources(step) {
  return isChoice(step) && step.node !== "accept";
}

/** Return the choice of a step, for example "chosen: candidate 2". */
function choiceOf(step) {
  const name = candidateName(step, step.chosen);
  return step.node === "accept" ? `${name} was kept` : `chosen: ${name}`;
}

/** Return an expected score and the decision by it. */
function decisionOf(step) {
  const answer = step.withheld ? "the answer is withheld" : "the answer stays";
  const passages = step.closed_book ? "no passage is in the prompts" : "the passages are in the prompts";
  return `expected score ${formatValue(step.expected_score)}: ${step.node === "abstain" ? answer : passages}`;
}

/** Return the reason why a critique has no points. */
function emptyCritique(step) {
  return step.critique_format === "empty" ? "the critique came back empty" : "the critique names no flaw";
}

/** Return all model calls of a step, in the order of calls_of() in nodes/state.py. */
function callsOf(step) {
  return [...listOf(step.replies), ...listOf(step.verdicts), ...listOf(step.likelihoods)].map(objectOf);
}

/**
 * Return tokens and seconds, for example "1,902 tokens read (1,024 cached), 230 written, 8.1 s".
 *
 * `cached_calls` of the cost counts the calls whose replies are those of an earlier run.
 */
function costText(cost) {
  const parts = [];
  const mark = cost.is_estimate ? "~" : "";
  const cached = cost.cached_tokens ? ` (${formatCount(cost.cached_tokens)} cached)` : "";
  if (cost.calls) parts.push(`${mark}${countOf(cost.prompt_tokens, "token")} read${cached}`);
  if (cost.replies) parts.push(`${mark}${formatCount(cost.new_tokens)} written`);
  if (cost.cut_tokens) parts.push(`${cost.is_cut_estimate ? "~" : ""}${formatCount(cost.cut_tokens)} cut to fit`);
  // A call from the cache takes no time, so seconds would say too little.
  if (cost.cached_calls) parts.push(`${cost.cached_calls} of ${countOf(cost.calls, "call")} from the cache`);
  else if (isNumber(cost.seconds)) parts.push(formatSeconds(cost.seconds));
  return parts.join(", ");
}

/** Return the score, votes and acceptance of a passage, for example "score 0.812, 3 votes, accepted". */
function passageFacts(passage) {
  const score = isNumber(passage.score) ? `score ${formatValue(passage.score)}` : "score unknown";
  const votes = isNumber(passage.votes) ? `, ${countOf(passage.votes, "vote")}` : "";
  return `${score}${votes}${passage.accepted === true ? ", accepted" : ""}`;
}
