// State: the choices of the user, the elements that show them, and addresses within the page.
// Needs no other part.

// {runs: [[letter, name, folder]], metrics: [name], control: letter, rendered: whether any text is},
// written by html_page.py.
const settings = JSON.parse(document.getElementById("settings").textContent);

// `run` and `otherRun` are indexes of settings.runs, `metric` of settings.metrics, `openRow` of the
// rows of questionIndex; -1 stands for none. `filter` and `sort` are values of the select boxes.
// `showsRaw` tells whether texts in Markdown are shown as they were written.
const state = {
  run: 0,
  otherRun: -1,
  metric: 0,
  filter: "all",
  sort: "order",
  search: "",
  listPage: 0,
  openRow: -1,
  showsRaw: false,
};

const statusLine = element("p", { class: "status", role: "status", "aria-live": "polite" });
const questionTools = element("form", {
  class: "tools",
  role: "search",
  "aria-label": "Which questions",
  onsubmit: (event) => event.preventDefault(),
});
const searchBox = element("input", { type: "search", autocomplete: "off", spellcheck: "false" });
// Holds the list of questions or one open question.
const questionView = element("div", { class: "view" });

const showStatus = (text) => { statusLine.textContent = text; };

const hasOtherRun = () => state.otherRun >= 0;
const runLetter = (run) => settings.runs[run][0];
const runName = (run) => settings.runs[run][1];
const runTitle = (run) => `${runLetter(run)} ${runName(run)}`;

/** Return a run's letter on its colour; style.css has eight colours. */
const runChip = (run) =>
  element("span", { class: `chip run-${run % 8}`, title: runName(run) }, runLetter(run));

const questionAddress = (rowIndex) => `#question-${rowIndex}`;

/** Return the row that the page's address names, or null. */
function rowInAddress() {
  const match = /^#question-(\d+)$/.exec(location.hash);
  return match ? Number(match[1]) : null;
}

// showAddress() of page_start.js reacts to the change of the address.
function goToQuestion(rowIndex) { location.hash = questionAddress(rowIndex); }

function goToList() { location.hash = "#questions"; }
