// Start: puts the parts into the page, reads the index and follows the page's address.
// Needs all parts before it.

/** Show the question or the list that the page's address names. */
async function showAddress() {
  const rowIndex = rowInAddress();
  if (rowIndex !== null && rowIndex < questionIndex.rows.length) await showQuestion(rowIndex);
  else if (state.openRow >= 0 && location.hash === "#questions") showList(state.openRow);
}

async function startPage() {
  document.documentElement.classList.add("js-on");
  showChosenPlots();
  metricChooser.addEventListener("change", showChosenPlots);
  document.getElementById("app").append(questionTools, statusLine, questionView);
  if (typeof DecompressionStream === "undefined") {
    showStatus("This browser is too old to read the questions (it has no DecompressionStream). " +
      "They are in journal.jsonl of each run's folder.");
    return;
  }
  showStatus("reading the questions");
  await readIndex();
  state.metric = Number(metricChooser.value);
  showTools();
  await selectQuestions();
  showList();
  addEventListener("hashchange", showAddress);
  addEventListener("keydown", onKeyDown);
  await showAddress();
  // The browser tests and bench/report_size.py wait for these two.
  performance.mark("questions-shown");
  document.documentElement.dataset.ready = "true";
}

startPage();
