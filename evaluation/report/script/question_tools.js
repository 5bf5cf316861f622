// Tools: the search box and the select boxes above the list.
// Needs labelled_controls.js, report_state.js, the options of question_filters.js and
// question_order.js, selectQuestions() of question_selection.js, showList() of question_list.js and
// showQuestion() of question_view.js.

const SEARCH_DELAY = 150; // milliseconds after the last key

let searchTimer = 0;
let runningSearch = Promise.resolve();

searchBox.addEventListener("input", searchSoon);

function searchSoon() {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(searchNow, SEARCH_DELAY);
}

/** Search for the text in the search box, and wait until the result is shown. */
async function searchNow() {
  clearTimeout(searchTimer);
  if (state.search !== searchBox.value) {
    state.search = searchBox.value;
    runningSearch = showSelection();
  }
  await runningSearch;
}

/** Select the questions again and show the first page of the list, or the open question. */
async function showSelection() {
  state.listPage = 0;
  await selectQuestions();
  if (state.openRow >= 0) await showQuestion(state.openRow, false);
  else showList();
}

/** Show the controls; their options depend on the chosen runs. */
function showTools() {
  const runs = settings.runs.map((_, run) => [run, runTitle(run)]);
  const otherRuns = runs.filter(([run]) => run !== state.run);
  const metrics = settings.metrics.map((name, metric) => [metric, name]);
  const focusedControl = [...questionTools.elements].indexOf(document.activeElement);
  questionTools.replaceChildren(
    labelledControl("search", "Search in questions, references and answers", searchBox),
    selectBox("run", "Run", runs, state.run, changeOf("run")),
    otherRuns.length
      ? selectBox("other", "Side by side with", [[-1, "no other run"], ...otherRuns],
        state.otherRun, changeOf("otherRun"))
      : "",
    selectBox("by", "Metric", metrics, state.metric, changeOf("metric")),
    selectBox("show", "Show", filterOptions(), state.filter, changeOf("filter")),
    selectBox("sort", "Sort by", sortOptions(), state.sort, changeOf("sort")));
  // The new controls replace the focused one.
  if (focusedControl >= 0 && questionTools.elements[focusedControl]) {
    questionTools.elements[focusedControl].focus();
  }
}

/** Return the listener of a control that sets this field of the state. */
const changeOf = (name) => (value) => {
  state[name] = typeof state[name] === "number" ? Number(value) : value;
  if (state.otherRun === state.run) state.otherRun = -1;
  if (!hasOption(filterOptions(), state.filter)) state.filter = "all";
  if (!hasOption(sortOptions(), state.sort)) state.sort = "order";
  showTools();
  showSelection();
};

const hasOption = (options, chosenValue) => options.some(([value]) => value === chosenValue);
