// List: one page of the selected questions, with the metric values of the chosen runs.
// Needs difference_formats.js, text_boxes.js, report_state.js, questionIndex of
// packed_questions.js, the values of a row of question_filters.js and selectedRows of
// question_selection.js.

const ROWS_PER_PAGE = 50;

/** Show the list. With `focusedRow`, turn to its page and focus it, or else the search box. */
function showList(focusedRow = -1) {
  state.openRow = -1;
  const pageCount = Math.max(1, Math.ceil(selectedRows.length / ROWS_PER_PAGE));
  if (focusedRow >= 0 && selectedRows.includes(focusedRow)) {
    state.listPage = Math.floor(selectedRows.indexOf(focusedRow) / ROWS_PER_PAGE);
  }
  state.listPage = Math.min(state.listPage, pageCount - 1);
  const firstOnPage = state.listPage * ROWS_PER_PAGE;
  const rowsOnPage = selectedRows.slice(firstOnPage, firstOnPage + ROWS_PER_PAGE);
  const selected = countOf(selectedRows.length, "question");
  const all = formatCount(questionIndex.rows.length);
  const page = pageCount > 1 ? `, page ${state.listPage + 1} of ${pageCount}` : "";
  showStatus(`${selected} of ${all}${page}`);
  const attributes = { class: `list${hasOtherRun() ? " two" : ""}`, "aria-label": "Questions" };
  questionView.replaceChildren(
    listHead(),
    element("ol", attributes, rowsOnPage.map(listRow)),
    listPager(pageCount),
    keyboardHelp());
  if (focusedRow >= 0) {
    const focused =
      questionView.querySelector(`a[href="${questionAddress(focusedRow)}"]`) || searchBox;
    focused.focus({ preventScroll: true });
    focused.scrollIntoView({ block: "center" });
  }
}

function keyboardHelp() {
  const key = (name) => element("kbd", {}, name);
  return element("p", { class: "keys" },
    "Keys: ",
    key("/"), " search, ",
    key("↑"), " ", key("↓"), " move in the list, ",
    key("Enter"), " opens, ",
    key("Esc"), " goes back, ",
    key("←"), " ", key("→"), " the question before and after, ",
    key("r"), " raw text.");
}

/** Return the line above the list that names its columns. */
function listHead() {
  const otherColumns = hasOtherRun()
    ? [
      element("span", {}, runChip(state.otherRun)),
      element("span", {}, "difference"),
    ]
    : "";
  return element("p", { class: "list-head", "aria-hidden": "true" },
    element("span", {}, "question"),
    element("span", { class: "scores" },
      inlineText(settings.metrics[state.metric], "metric"),
      element("span", {}, runChip(state.run)),
      otherColumns));
}

function listRow(rowIndex) {
  const row = questionIndex.rows[rowIndex];
  const values = [listValue(row, state.run)];
  if (hasOtherRun()) {
    const difference = differenceOf(row);
    values.push(
      listValue(row, state.otherRun),
      element("span", { class: `gain ${directionOf(difference)}` }, formatDifference(difference)));
  }
  return element("li", {},
    element("a", { href: questionAddress(rowIndex) },
      element("span", { class: "number" }, row.number),
      element("span", { class: "preview" }, inlineText(row.preview), conditionBadge(row)),
      element("span", { class: "scores" }, values)));
}

function listValue(row, run) {
  return element("span", { class: "score" },
    listValueText(cellOf(row, run)),
    element("span", { class: "hidden" }, ` in ${runLetter(run)}`));
}

function listValueText(cell) {
  if (cell === null) return "not in it";
  if (cell.condition === "failed") return "failed";
  const value = cell.values[state.metric];
  return isNumber(value) ? formatValue(value) : "unscored";
}

/** Return the badge of a row: that the run failed, or what became of the relevant passages. */
function conditionBadge(row) {
  const cell = cellOf(row, state.run);
  if (cell === null) return "";
  const text = conditionText(cell);
  const kind = cell.condition || `outcome-${cell.outcome}`;
  return text ? element("small", { class: `badge ${kind}` }, text) : "";
}

function conditionText(cell) {
  if (cell.condition === "failed") return "failed";
  if (cell.condition === "empty") return "empty answer";
  return cell.outcome >= 0 ? questionIndex.outcomeNames[cell.outcome] : "";
}

/** Return the buttons that turn the pages of the list. */
function listPager(pageCount) {
  if (pageCount < 2) return "";
  const turnBy = (offset) => () => {
    state.listPage += offset;
    showList();
    const firstRow = questionView.querySelector(".list a");
    if (firstRow) firstRow.focus({ preventScroll: true });
    statusLine.scrollIntoView({ block: "start" });
  };
  const button = (text, disabled, onclick) =>
    element("button", { type: "button", disabled, onclick }, text);
  return element("nav", { class: "pager", "aria-label": "Pages of the list" },
    button("← previous", state.listPage === 0, turnBy(-1)),
    element("span", {}, `page ${state.listPage + 1} of ${pageCount}`),
    button("next →", state.listPage === pageCount - 1, turnBy(1)));
}
