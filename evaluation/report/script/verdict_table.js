// Verdict table: the comparisons and grades of texts in a step.
// Needs textBox() of text_boxes.js.

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
