// Question: one open question with its reference and what one run, or two, did with it.
// Needs text_boxes.js, report_state.js, packed_questions.js,
// selectedRows of question_selection.js, record_parts.js, step_trace.js, citation_links.js and run_comparison.js.

/** Show a question; with `focus`, the focus moves to its title. */
async function showQuestion(rowIndex, focus = true) {
  const row = questionIndex.rows[rowIndex];
  state.openRow = rowIndex;
  showStatus("reading the question");
  const question = await readQuestion(rowIndex);
  // The user may have moved on while the question was read.
  if (state.openRow !== rowIndex) return;
  const record = question.runs[state.run];
  const records = hasOtherRun()
    ? comparedRuns(record, question.runs[state.otherRun])
    : singleRun(record, state.run);
  const title = element("h3", { tabindex: "-1", id: "question-title" },
    `Question ${row.number} `,
    element("small", {}, inlineText(row.id)));
  questionView.replaceChildren(
    questionPager(rowIndex),
    element("article", { class: "question", "aria-labelledby": "question-title" },
      title,
      element("div", { class: "columns" },
        pagePart("Question", markdownBox(question.question)),
        pagePart("Reference", markdownBox(question.reference))),
      records));
  showStatus(`question ${row.number}, ${positionText(rowIndex)}`);
  if (focus) {
    title.focus({ preventScroll: true });
    questionView.scrollIntoView({ block: "start" });
  }
}

/** Return the position of the question among those that the list shows. */
function positionText(rowIndex) {
  const position = selectedRows.indexOf(rowIndex);
  if (position < 0) return "not among those shown";
  return `${position + 1} of ${formatCount(selectedRows.length)} shown`;
}

/** Return the buttons to the list and to the questions before and after. */
function questionPager(rowIndex) {
  const position = selectedRows.indexOf(rowIndex);
  const neighbourButton = (text, offset) => {
    const isMissing = position < 0 || selectedRows[position + offset] === undefined;
    const onclick = () => goToNeighbour(offset);
    return element("button", { type: "button", disabled: isMissing, onclick }, text);
  };
  return element("nav", { class: "pager", "aria-label": "Between questions" },
    element("button", { type: "button", class: "back", onclick: goToList }, "all questions (Esc)"),
    rawTextSwitch(),
    neighbourButton("← previous", -1),
    neighbourButton("next →", 1));
}

/** Return the button that shows all texts as they were written, or rendered again. */
function rawTextSwitch() {
  if (!settings.rendered) return "";
  const onclick = () => {
    state.showsRaw = !state.showsRaw;
    showRawTexts();
  };
  return element("button", { type: "button", id: "raw-texts", "aria-pressed": String(state.showsRaw), onclick }, "raw text (r)");
}

/** Show the texts of the open question as the state says. */
function showRawTexts() {
  questionView.classList.toggle("raw-texts", state.showsRaw);
  const button = document.getElementById("raw-texts");
  if (button) button.setAttribute("aria-pressed", String(state.showsRaw));
}

/** Open the question that is `offset` rows after the open one in the list. */
function goToNeighbour(offset) {
  const neighbour = selectedRows[selectedRows.indexOf(state.openRow) + offset];
  if (neighbour !== undefined) goToQuestion(neighbour);
}

/** Return the parts of an open question for one run. */
function singleRun(record, run) {
  if (!record) return noRecord(run);
  const parts = [
    pagePart("Answer",
      runLine(run),
      failureBox(record),
      record.error ? "" : markdownBox(record.answer, "answer"),
      reasoningBox(record.reasoning)),
    pagePart("Scores", scoresTable([[run, record]])),
    pagePart("Steps", stepTrace(record)),
  ];
  linkCitations(parts);
  return parts;
}
