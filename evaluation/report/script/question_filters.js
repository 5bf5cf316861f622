// Filters: which questions the select box "Show" lets through.
// Needs the state and the runs of report_state.js, and questionIndex of packed_questions.js.

const OUTCOME_FILTER = "outcome-";

/** Return a run's cell of a row; null where the run has no record of the question. */
const cellOf = (row, run) => (run < 0 ? null : row.cells[run]);

/** Return a run's value of the chosen metric. */
function metricValueOf(row, run) {
  const cell = cellOf(row, run);
  return cell ? cell.values[state.metric] : null;
}

/** Return the chosen run's value minus the other run's, or null where one of them has none. */
function differenceOf(row) {
  const value = metricValueOf(row, state.run);
  const otherValue = metricValueOf(row, state.otherRun);
  return isNumber(value) && isNumber(otherValue) ? value - otherValue : null;
}

/** Return the options of "Show" as [value, text]. */
function filterOptions() {
  const run = runLetter(state.run);
  const options = [
    ["all", "all questions"],
    ["failed", `failed in ${run}`],
    ["empty", `empty answer in ${run}`],
    ["unscored", `no value in ${run}`],
    ...questionIndex.outcomeNames.map((name, outcome) =>
      [`${OUTCOME_FILTER}${outcome}`, `${name} in ${run}`]),
  ];
  if (hasOtherRun()) {
    const otherRun = runLetter(state.otherRun);
    options.push(
      ["differ", `answers of ${run} and ${otherRun} differ`],
      ["better", `${run} better than ${otherRun}`],
      ["worse", `${run} worse than ${otherRun}`],
      ["missing", `not in both ${run} and ${otherRun}`]);
  }
  return options;
}

/** Tell whether the chosen filter lets a row through. */
function passesFilter(row) {
  const cell = cellOf(row, state.run);
  const otherCell = cellOf(row, state.otherRun);
  if (state.filter.startsWith(OUTCOME_FILTER)) {
    return cell !== null && cell.outcome === Number(state.filter.slice(OUTCOME_FILTER.length));
  }
  switch (state.filter) {
    case "failed":
    case "empty":
      return cell !== null && cell.condition === state.filter;
    case "unscored":
      return cell !== null && cell.condition !== "failed" &&
        !isNumber(metricValueOf(row, state.run));
    case "differ":
      return cell !== null && otherCell !== null && cell.answerNumber !== otherCell.answerNumber;
    case "better":
      return differenceOf(row) > 0;
    case "worse":
      return differenceOf(row) < 0;
    case "missing":
      return (cell === null) !== (otherCell === null);
    default:
      return true;
  }
}
