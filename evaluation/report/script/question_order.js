// Order: how the select box "Sort by" sorts the questions.
// Needs the state and the runs of report_state.js, and the values of a row of question_filters.js.

/** Return the options of "Sort by" as [value, text]. */
function sortOptions() {
  const run = runLetter(state.run);
  const options = [
    ["order", "in their order"],
    ["low", `score of ${run}, lowest first`],
    ["high", `score of ${run}, highest first`],
  ];
  if (hasOtherRun()) {
    const otherRun = runLetter(state.otherRun);
    options.push(
      ["gain", `${run} − ${otherRun}, highest first`],
      ["loss", `${run} − ${otherRun}, lowest first`],
      ["apart", "furthest apart"]);
  }
  return options;
}

const negative = (value) => (isNumber(value) ? -value : null);

/** Return the function that gives a row's sort key, or null where the rows stay in their order. */
function sortKeyFunction() {
  switch (state.sort) {
    case "low":
      return (row) => metricValueOf(row, state.run);
    case "high":
      return (row) => negative(metricValueOf(row, state.run));
    case "gain":
      return (row) => negative(differenceOf(row));
    case "loss":
      return differenceOf;
    case "apart":
      return (row) => {
        const difference = differenceOf(row);
        return isNumber(difference) ? -Math.abs(difference) : null;
      };
    default:
      return null;
  }
}

/** Sort indexes of `rows` in place; rows without a value come last in every order. */
function sortRowIndexes(rowIndexes, rows) {
  const keyOf = sortKeyFunction();
  if (!keyOf) return;
  const keys = new Map(rowIndexes.map((rowIndex) => [rowIndex, keyOf(rows[rowIndex])]));
  rowIndexes.sort((left, right) => {
    const leftKey = keys.get(left), rightKey = keys.get(right);
    if (isNumber(leftKey) && isNumber(rightKey)) return leftKey - rightKey || left - right;
    if (isNumber(leftKey)) return -1;
    return isNumber(rightKey) ? 1 : left - right;
  });
}
