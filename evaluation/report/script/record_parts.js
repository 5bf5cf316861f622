// Record parts: the parts of a record that the views of one run and of two runs share.
// Needs difference_formats.js, text_boxes.js and the runs of report_state.js.

/** Return a part of an open question below its heading. */
const pagePart = (heading, ...children) =>
  element("section", { class: "part" }, element("h4", {}, heading), ...children);

const noRecord = (run) =>
  element("p", { class: "none" }, `${runTitle(run)} holds no record of this question.`);

/** Return the line that names the run of a text. */
const runLine = (run) => element("p", { class: "whose" }, runChip(run), " ", runName(run));

function failureBox(record) {
  if (!record.error) return "";
  return element("div", { class: "failure" },
    element("p", {}, "Failed: ", inlineText(record.error.type)),
    textBox(record.error.message));
}

function reasoningBox(text) {
  if (!text) return "";
  return element("details", {},
    element("summary", {}, "Notes before the answer"),
    markdownBox(text));
}

/** Return the metric values of one run, or of two with their difference, from [run, record]. */
function scoresTable(runRecords) {
  const metricsOf = (record) => (record ? objectOf(record.metrics) : {});
  const metricNames = new Set(runRecords.flatMap(([, record]) => Object.keys(metricsOf(record))));
  if (!metricNames.size) return element("p", { class: "none" }, "No scores: the question failed.");
  const showsDifference = runRecords.length > 1;

  const metricRow = (metric) => {
    const values = runRecords.map(([, record]) => metricsOf(record)[metric]);
    const difference =
      showsDifference && values.every(isNumber) ? values[0] - values[1] : null;
    return element("tr", {},
      element("th", { scope: "row" }, inlineText(metric)),
      values.map((value) => element("td", {}, isNumber(value) ? formatValue(value) : "unscored")),
      showsDifference
        ? element("td", { class: directionOf(difference) }, formatDifference(difference))
        : "");
  };

  return element("div", { class: "scroll" },
    element("table", { class: "scores-table" },
      element("thead", {},
        element("tr", {},
          element("th", { scope: "col" }, "metric"),
          runRecords.map(([run]) => element("th", { scope: "col" }, runChip(run))),
          showsDifference ? element("th", { scope: "col" }, "difference") : "")),
      element("tbody", {}, [...metricNames].map(metricRow))));
}
