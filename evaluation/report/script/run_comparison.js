// Comparison: the records of two runs of one question, side by side.
// Needs text_boxes.js, report_state.js, record_parts.js, passage_list.js,
// step_trace.js, citation_links.js and answer_alignment.js.

/** Return the parts of an open question for two runs; a run without a record gives null. */
function comparedRuns(record, otherRecord) {
  const answerOf = (runRecord) => (runRecord ? runRecord.answer : "");
  const [box, otherBox, note] = markedBoxes(answerOf(record), answerOf(otherRecord));
  const sides = [
    { run: state.run, record, otherRecord, answerBox: box, nodes: [] },
    { run: state.otherRun, record: otherRecord, otherRecord: record, answerBox: otherBox, nodes: [] },
  ];

  /** Return a column for each run, filled by a function of its side. */
  const columns = (contentOf) =>
    element("div", { class: "columns" }, sides.map((side) => {
      const column = element("div", { class: "column" },
        runLine(side.run),
        side.record ? contentOf(side) : noRecord(side.run));
      side.nodes.push(column);
      return column;
    }));

  const parts = [
    pagePart("Answers", element("p", { class: "legend" }, note), columns(answerColumn)),
    pagePart("Scores", scoresTable(sides.map((side) => [side.run, side.record]))),
    pagePart("Passages", columns((side) => comparedPassages(side.record, side.otherRecord))),
    pagePart("Steps", columns((side) => stepTrace(side.record, false))),
  ];
  for (const { nodes } of sides) linkCitations(nodes);
  return parts;
}

/** Return the boxes of two answers, their different words marked, and a sentence about the marks. */
function markedBoxes(answer, otherAnswer) {
  const written = alignedTexts(answer, otherAnswer);
  const rendered = renderedOf(answer), otherRendered = renderedOf(otherAnswer);
  // Marks in the rendered text are about the words that it shows, without the signs of Markdown.
  if (rendered && otherRendered && answer !== otherAnswer) {
    const shown = alignedTexts(rendered.textContent, otherRendered.textContent);
    markRanges(rendered, shown.ranges);
    markRanges(otherRendered, shown.otherRanges);
  }
  return [
    boxOf(answer, rendered, markedNodes(answer, written.ranges), "answer"),
    boxOf(otherAnswer, otherRendered, markedNodes(otherAnswer, written.otherRanges), "answer"),
    written.note,
  ];
}

const answerColumn = ({ record, answerBox }) => [
  failureBox(record),
  record.error ? "" : answerBox,
  reasoningBox(record.reasoning),
];
