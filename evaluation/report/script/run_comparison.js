// Comparison: the records of two runs of one question, side by side.
// Needs page_elements.js, text_boxes.js, report_state.js, record_parts.js, passage_list.js,
// step_trace.js and answer_alignment.js.

/** Return the parts of an open question for two runs; a run without a record gives null. */
function comparedRuns(record, otherRecord) {
  const answerOf = (runRecord) => (runRecord ? runRecord.answer : "");
  const marked = markedAnswers(answerOf(record), answerOf(otherRecord));
  const sides = [
    { run: state.run, record, otherRecord, nodes: marked.nodes },
    { run: state.otherRun, record: otherRecord, otherRecord: record, nodes: marked.otherNodes },
  ];

  /** Return a column for each run, filled by a function of its side. */
  const columns = (contentOf) =>
    element("div", { class: "columns" }, sides.map((side) =>
      element("div", { class: "column" },
        runLine(side.run),
        side.record ? contentOf(side) : noRecord(side.run))));

  return [
    pagePart("Answers", element("p", { class: "legend" }, marked.note), columns(answerColumn)),
    pagePart("Scores", scoresTable(sides.map((side) => [side.run, side.record]))),
    pagePart("Passages", columns((side) => comparedPassages(side.record, side.otherRecord))),
    pagePart("What happened", columns((side) => stepTrace(side.record, false))),
  ];
}

const answerColumn = ({ record, nodes }) => [
  failureBox(record),
  record.error ? "" : markedTextBox(record.answer, nodes, "answer"),
  reasoningBox(record.reasoning),
];
