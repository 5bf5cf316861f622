// Step judgements: the comparisons and grades of texts in a step, and their likelihoods.
// Needs value_formats.js, page_elements.js, text_boxes.js and step_outputs.js.

/** Return a bar for a probability, for beside its number. */
const probabilityMeter = (value) =>
  element("meter", { min: 0, max: 1, value: isNumber(value) ? value : 0, "aria-hidden": "true" });

const listItems = (items) => items.map((item) => element("li", {}, item));

/** Return a list with the agreement of each draft with the other drafts of the step. */
function draftAgreements(step) {
  const agreements = listOf(step.agreements);
  if (!agreements.length) return null;
  return element("ul", {}, listItems(agreements.map((agreement, draftIndex) =>
    `${candidateName(step, draftIndex)}: agreement with the others ${formatValue(agreement)}`)));
}

/** Return a list of the winners of pairs. A step asks in both orders, since order sways a model. */
function preferenceList(step) {
  const preferences = listOf(step.preferences);
  if (!preferences.length) return null;
  const preferenceText = (preference) => {
    const first = candidateName(step, preference.first);
    const second = candidateName(step, preference.second);
    if (!isNumber(preference.first_wins)) return `${first} and ${second}: no readable verdict`;
    return [
      `${first} over ${second}: `,
      probabilityMeter(preference.first_wins),
      ` ${formatValue(preference.first_wins)}, `,
      preference.orders_agree ? "both orders agree" : "the two orders disagree",
    ];
  };
  return element("ul", { class: "preferences" }, listItems(preferences.map(preferenceText)));
}

/** Return a list with the mean log-probability of each draft. */
function likelihoodList(step) {
  const likelihoods = listOf(step.likelihoods).map(objectOf);
  if (!likelihoods.length) return null;
  const likelihoodText = (likelihood, draftIndex) => {
    const draft = candidateName(step, draftIndex);
    if (!isNumber(likelihood.mean_logprob)) return `${draft}: empty, so it has no likelihood`;
    const value = formatValue(likelihood.mean_logprob);
    const tokens = countOf(likelihood.scored_tokens, "token");
    return `${draft}: mean log-probability of a token ${value}, over ${tokens}`;
  };
  return element("ul", {}, listItems(likelihoods.map(likelihoodText)));
}

/** Return a list with the score of each candidate by learned reranking. */
function learnedScores(step) {
  const scores = listOf(step.scores).map(objectOf);
  if (!scores.length) return null;
  const candidates = listOf(step.candidates).map(objectOf);
  return element("ul", {}, listItems(scores.map(({ score, expected }, index) => [
    candidateName(step, index), ", ", inlineText(sourceOf(candidates[index] || {})),
    `: score ${formatValue(score)}`,
    isNumber(expected) ? `, expected score ${formatValue(expected)}` : "",
  ])));
}

/** Return a sentence with the expected score of a step and the decision by it. */
function expectedScore(step) {
  if (!isNumber(step.expected_score)) return "";
  const passages = step.closed_book
    ? "no passage is in the prompts" : "the passages are in the prompts";
  const answer = step.withheld ? "the answer is withheld" : "the answer stays";
  const decision = step.node === "abstain" ? answer : passages;
  return element("p", {}, `Expected score ${formatValue(step.expected_score)}: ${decision}.`);
}

/** Return a table of the model's choices with the probability of each option. */
function verdictTable(step) {
  const verdicts = listOf(step.verdicts).map(objectOf);
  if (!verdicts.length) return null;
  const isJudge = step.node === "judge";
  const optionsOf = (verdict) => objectOf(verdict.probabilities);
  const options = [...new Set(verdicts.flatMap((verdict) => Object.keys(optionsOf(verdict))))];
  // Any other step asks about each pair twice, the second time with the two texts swapped.
  const rowName = (verdictIndex) =>
    isJudge ? "grade" : `pair ${Math.floor(verdictIndex / 2) + 1}${verdictIndex % 2 ? ", swapped" : ""}`;
  const columnHead = (text) => element("th", { scope: "col" }, text);

  const verdictRow = (verdict, verdictIndex) =>
    element("tr", {},
      element("th", { scope: "row" }, rowName(verdictIndex)),
      element("td", {}, choiceText(verdict), replyBox(verdict)),
      options.map((option) => {
        const probability = optionsOf(verdict)[option];
        return element("td", {}, formatValue(probability), " ", probabilityMeter(probability));
      }),
      element("td", {}, formatValue(verdict.mass)));

  return element("div", { class: "scroll" },
    element("table", { class: "verdicts-table" },
      element("thead", {},
        element("tr", {},
          columnHead(isJudge ? "verdict" : "order"),
          columnHead("choice"),
          options.map((option) => columnHead(`P(${option})`)),
          columnHead("mass"))),
      element("tbody", {}, verdicts.map(verdictRow))));
}

function choiceText({ choice }) {
  return choice === null || choice === undefined ? "unreadable" : inlineText(String(choice));
}

function replyBox({ reply }) {
  if (!reply) return "";
  return element("details", {}, element("summary", {}, "reply"), textBox(reply));
}
