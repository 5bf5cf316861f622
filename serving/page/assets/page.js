// Page: the form, the questions of this tab, and the runs of each question side by side.

import { element, formatCount, inlineText, withCapital } from "./page_elements.js";
import { readSettings, takeToken } from "./question_stream.js";
import { RunView } from "./run_view.js";
import { readHistory, saveHistory } from "./session_history.js";

const form = document.getElementById("ask-form");
const questionField = document.getElementById("question");
const configField = document.getElementById("config");
const answers = document.getElementById("answers");
const problem = document.getElementById("problem");
const examples = document.getElementById("examples");
let settings = null;
let questions = [];
let isLeaving = false;

// After this time, a page that was to be left is still here: the browser made a download, or its user stopped it.
const LEAVING_MS = 1_000;

/** A question with its runs; its view is built when it is unfolded. */
class QuestionView {
  constructor(question, savedRuns = []) {
    this.question = question;
    this.savedRuns = savedRuns;
    this.runs = [];
    this.savedText = null;
    this.grid = element("div", { class: "runs" });
    this.askBesideForm = element("div", { class: "ask-beside" });
    this.node = element("details", { class: "question", ontoggle: () => this.build() },
      element("summary", {}, element("h2", { class: "question-text" }, inlineText(question))),
      this.askBesideForm, this.grid);
    this.node.addEventListener("run-changed", () => {
      this.savedText = null;
      save();
    });
    this.node.addEventListener("retry", (event) => this.retry(event.target));
  }

  build() {
    if (!this.node.open || this.askBesideForm.childNodes.length) return;
    const runs = this.savedRuns;
    this.savedRuns = [];
    for (const { config, documents } of runs) this.add(config).restore(documents);
    this.offerAnotherConfig();
  }

  offerAnotherConfig() {
    const select = element("select", {}, configOptions());
    const used = new Set(this.runs.map((run) => run.config));
    select.value = Object.keys(settings.configs).find((name) => !used.has(name)) || settings.default_config;
    this.askBesideForm.replaceChildren(
      element("label", {}, "Ask another config ", select),
      element("button", { type: "button", onclick: () => this.askBeside(select.value) }, "Ask beside"));
  }

  add(config) {
    const run = new RunView(this.question, config);
    this.runs.push(run);
    this.grid.append(run.node);
    this.grid.classList.toggle("several", this.runs.length > 1);
    return run;
  }

  ask(config) {
    const run = this.add(config);
    this.offerAnotherConfig();
    run.start();
  }

  askBeside(config) {
    this.ask(config);
    this.runs.at(-1).node.scrollIntoView({ block: "nearest" });
  }

  /** Ask once more with the config of a run that has no answer, in its place. */
  retry(node) {
    const index = this.runs.findIndex((run) => run.node === node);
    const run = this.runs[index] = new RunView(this.question, this.runs[index].config);
    node.replaceWith(run.node);
    run.start();
    run.stopButton.focus({ preventScroll: true });
  }

  /** Return what the history keeps, as JSON that is made anew only after a change. */
  historyText() {
    const runs = [...this.savedRuns, ...this.runs].map(({ config, documents }) => ({ config, documents }));
    return this.savedText ??= JSON.stringify({ question: this.question, runs });
  }
}

const configOptions = () =>
  Object.keys(settings.configs).map((name) => element("option", { value: name }, name));

function save() {
  // A browser ends the answers of a page that is left: that is no failure of theirs.
  if (!isLeaving) saveHistory(questions.map((question) => question.historyText()));
}

function ask() {
  const text = questionField.value;
  if (!text.trim() || !settings) {
    if (settings) complain("The question is empty: write one.");
    questionField.focus();
    return;
  }
  const length = [...text].length;
  if (length > settings.question_chars) {
    complain(`The question has ${formatCount(length)} characters: write at most ${formatCount(settings.question_chars)}.`);
    return;
  }
  complain("");
  for (const earlier of questions) earlier.node.open = false;
  const question = new QuestionView(text);
  questions = [question, ...questions];
  answers.prepend(question.node);
  question.node.open = true;
  examples.hidden = true;
  questionField.value = "";
  question.ask(configField.value);
}

function showSteps() {
  document.getElementById("config-steps").textContent = `Steps: ${settings.configs[configField.value]}`;
}

function complain(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

function restore() {
  questions = readHistory().map(({ question, runs }) => new QuestionView(question, runs));
  answers.append(...questions.map(({ node }) => node));
  if (questions.length) questions[0].node.open = true;
  examples.hidden = questions.length > 0;
}

// A token in the address of an open tab.
addEventListener("hashchange", () => {
  if (takeToken() && !settings) start();
});

addEventListener("pagehide", () => { isLeaving = true; });
addEventListener("pageshow", () => { isLeaving = false; });
addEventListener("beforeunload", () => {
  isLeaving = true;
  setTimeout(() => {
    isLeaving = false;
    save();
  }, LEAVING_MS);
});

async function start() {
  takeToken();
  let offered;
  try {
    offered = await readSettings();
  } catch (error) {
    complain(withCapital(error.message));
    return;
  }
  // A token that came meanwhile has started the page too.
  if (settings) return;
  settings = offered;
  complain("");
  configField.append(...configOptions());
  configField.value = settings.default_config;
  showSteps();
  document.getElementById("about").textContent =
    `${settings.model}, profile ${settings.profile}; posts of ${settings.corpus}`;
  document.getElementById("caution").hidden = !settings.is_embedded;
  restore();
  document.documentElement.dataset.ready = "";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
configField.addEventListener("change", showSteps);
questionField.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    ask();
  }
});
document.addEventListener("keydown", (event) => {
  // Esc also closes a list, and ends the composition of a character; whoever else takes it prevents its default.
  if (event.key !== "Escape" || event.isComposing || event.defaultPrevented || event.target instanceof HTMLSelectElement) return;
  for (const { node, runs } of questions) if (node.open) for (const run of runs) run.stop();
});
for (const button of document.querySelectorAll(".example")) {
  button.addEventListener("click", () => {
    questionField.value = button.textContent;
    questionField.focus();
  });
}
start();
