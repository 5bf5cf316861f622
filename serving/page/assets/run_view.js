// Run view: one question answered by one config, while it runs and afterwards.

import { askQuestion, RequestError } from "./question_stream.js";
import { countOf, element, formatSeconds, inlineText, renderedBox, textBox, withCapital } from "./page_elements.js";
import { costText, decisionOf, passageList, stepItem } from "./step_view.js";

const NEAR_END = 40;
const MIDDLE_BUTTON = 1;
const COUNTS = [
  "calls", "replies", "prompt_tokens", "cached_tokens", "new_tokens", "cut_tokens", "is_estimate", "is_cut_estimate",
];
const PATIENCE_MS = 10_000;
const SLOW_START =
  "The first question can take minutes: the server builds a missing index and loads the model. Its terminal shows how far it is.";
let hasSeenAnswer = false;
// Why a run has no whole answer, without a failure.
const CUT_OFF = { stopped: "Stopped", interrupted: "The page was left" };

/** The view of one run. `documents` are the events that it has shown, without the parts of replies. */
export class RunView {
  constructor(question, config) {
    this.question = question;
    this.config = config;
    this.documents = [];
    this.isRunning = false;
    this.replies = new Map();
    this.stepsEnded = [];
    // The sum of each count over the steps; of a flag, the number of steps that have it.
    this.total = Object.fromEntries(COUNTS.map((name) => [name, 0]));
    this.status = element("span", { class: "status", role: "status" });
    this.stopButton = element("button", { type: "button", class: "stop", hidden: true, onclick: () => this.stop() }, "Stop");
    this.retryButton = element("button", {
      type: "button",
      hidden: true,
      onclick: () => this.node.dispatchEvent(new CustomEvent("retry", { bubbles: true })),
    }, "Ask again");
    this.picture = element("div", { class: "flow-frame", tabindex: 0, role: "group", "aria-label": "Steps of this config" });
    this.answerLabel = partTitle("Answer");
    this.answer = element("div", { class: "answer" });
    this.live = element("div", { class: "live", hidden: true });
    this.passages = element("section", { class: "passages-part", hidden: true });
    this.steps = element("ol", { class: "steps" });
    this.stepsPart = element("section", { class: "steps-part", hidden: true },
      element("div", { class: "part-head" },
        partTitle("Steps"),
        element("button", { type: "button", class: "quiet", onclick: () => this.foldSteps() }, "Open or close all")),
      this.steps);
    this.cost = element("p", { class: "cost total" });
    this.node = element("article", { class: "run", "data-config": config },
      element("header", { class: "run-head" },
        element("b", { class: "config" }, inlineText(config)), this.status, this.stopButton, this.retryButton),
      this.picture,
      element("section", { class: "answer-part" }, this.answerLabel, this.answer, this.live),
      this.passages, this.stepsPart, this.cost);
    this.node.addEventListener("click", (event) => this.followCitation(event));
    this.node.addEventListener("auxclick", (event) => {
      if (event.button === MIDDLE_BUTTON) this.followCitation(event);
    });
  }

  /** Ask the question and show its events; resolves when the run has ended, however it ended. */
  async start() {
    this.isRunning = true;
    this.controller = new AbortController();
    this.stopButton.hidden = false;
    this.say("asks");
    this.tellChange();
    try {
      await askQuestion(this.question, this.config, this.controller.signal, (document) => this.receive(document));
      if (this.isRunning) throw new RequestError("the connection ended before the answer");
      hasSeenAnswer ||= this.documents.at(-1).type === "answered";
    } catch (error) {
      if (!this.isRunning) return;
      if (this.controller.signal.aborted) this.receive({ type: "stopped" });
      else if (error instanceof RequestError) this.receive({ type: "failed", message: error.message, node: null });
      else {
        this.showFault(error);
        this.tellChange();
      }
    } finally {
      // If this page could not show an event, the server still answers.
      this.controller.abort();
    }
  }

  /** Show the events of a run that this page did not ask: of one that was cut off, the last one is missing. */
  restore(documents) {
    this.isRunning = true;
    try {
      for (const document of documents) this.show(document);
      if (this.isRunning) this.end("interrupted", "interrupted");
    } catch (error) {
      this.showFault(error);
    }
    // Also those after one that cannot be shown stay in the history.
    this.documents = documents;
  }

  receive(document) {
    const count = this.documents.length;
    this.show(document);
    if (this.documents.length > count) this.tellChange();
  }

  tellChange() {
    this.node.dispatchEvent(new CustomEvent("run-changed", { bubbles: true }));
  }

  /** Stop the question: the server sees the closed connection. */
  stop() {
    if (this.isRunning) this.controller.abort();
  }

  /** Show one event. */
  show(document) {
    if (document.type === "chunk") {
      this.showChunk(document);
      return;
    }
    if (document.type !== "queued" && document.type !== "step_started") this.documents.push(document);
    switch (document.type) {
      case "queued": return this.say(queueText(document.position));
      case "started": return this.showPicture(document.picture_html);
      case "step_started": return this.startStep(document.node);
      case "step": return this.endStep(document);
      case "answered": return this.showAnswer(document);
      case "stopped": return this.end("stopped", "stopped");
      case "failed": return this.showFailure(document);
    }
  }

  say(text, kind = "busy") {
    this.status.textContent = text;
    this.status.className = `status ${kind}`;
  }

  showPicture(html) {
    this.picture.replaceChildren(renderedBox(html, "flow-box"));
    this.say("starts");
    this.light("__start__", "done");
  }

  /** Give a node of the picture a state, and keep it in sight. */
  light(name, state) {
    for (const node of this.picture.querySelectorAll(".node")) {
      if (node.dataset.node !== name) continue;
      node.classList.remove("live", "done", "failed");
      node.classList.add(state);
      const { left, width } = node.getBoundingClientRect(), frame = this.picture.getBoundingClientRect();
      this.picture.scrollLeft += left + width / 2 - (frame.left + frame.width / 2);
    }
  }

  startStep(name) {
    this.say(`${name} runs`);
    this.light(name, "live");
    this.replies.clear();
    this.live.replaceChildren(element("p", { class: "label" }, element("span", { class: "pulse" }), `${name} is at work`));
    this.live.hidden = false;
    clearTimeout(this.patience);
    if (!hasSeenAnswer) this.patience = setTimeout(() => this.live.append(element("p", { class: "note" }, SLOW_START)), PATIENCE_MS);
  }

  showChunk({ node, reply, text }) {
    let box = this.replies.get(reply);
    if (!box) {
      if (!this.replies.size) {
        clearTimeout(this.patience);
        this.live.replaceChildren(element("p", { class: "label" }, element("span", { class: "pulse" }), `${node} writes`));
        this.live.append(element("div", { class: "drafts" }));
      }
      box = element("pre", { class: "text" });
      this.replies.set(reply, box);
      this.live.lastElementChild.append(box);
    }
    const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END;
    box.append(text);
    if (isAtEnd) box.scrollTop = box.scrollHeight;
  }

  endStep(document) {
    const { step, cost } = document;
    clearTimeout(this.patience);
    this.replies.clear();
    this.live.hidden = true;
    this.light(step.node, "done");
    this.stepsEnded.push(step);
    this.steps.append(stepItem(document));
    this.stepsPart.hidden = false;
    for (const name of Object.keys(this.total)) this.total[name] += cost[name];
    if (document.has_passages) this.showPassages(step.passages);
    if (document.answer_html !== undefined) {
      this.answerLabel.textContent = "Answer so far";
      this.answer.replaceChildren(renderedBox(document.answer_html));
    }
  }

  showPassages(passages) {
    this.passages.hidden = false;
    this.passages.replaceChildren(
      partTitle("Passages"),
      passages.length ? passageList(passages) : element("p", { class: "none" }, "No passage was found."));
  }

  showAnswer({ answer, answer_html: html, seconds }) {
    const withholding = this.stepsEnded.find((step) => step.withheld);
    this.answerLabel.textContent = "Answer";
    this.answer.replaceChildren(
      withholding ? element("p", { class: "withheld" }, `${withCapital(decisionOf(withholding))}.`) : "",
      this.copyNote(answer),
      answer ? textBox(answer, html) : element("p", { class: "none" }, this.noAnswer()));
    this.light("__end__", "done");
    this.cost.textContent = [countOf(this.stepsEnded.length, "step"), costText({ ...this.total, seconds })].join(", ");
    if (withholding) this.end("withheld", `the answer is withheld, after ${formatSeconds(seconds)}`);
    else this.end("answered", `answered in ${formatSeconds(seconds)}`);
  }

  /** Return a line that names the passage whose answer this is, word for word; empty if the model wrote it. */
  copyNote(answer) {
    const candidates = this.stepsEnded.flatMap((step) => step.candidates || []);
    const copied = answer && candidates.find((draft) => draft.passage && draft.text === answer);
    if (!copied) return "";
    const { passage: number } = copied;
    return element("p", { class: "note" }, "Word for word from passage ",
      element("a", { class: "citation", href: `#passage-${number}` }, `[${number}]`), ":");
  }

  /** Return the reason why the answer is empty. */
  noAnswer() {
    if (this.total.calls) return "The model gave no answer.";
    if (!this.passages.querySelector(".passage")) return "No passage was found.";
    const isPick = this.stepsEnded.some((step) => step.node === "rerank_passages");
    return isPick ? "No passage has an answer." : "The first passage has no answer.";
  }

  showFailure({ message, node }) {
    if (node) this.light(node, "failed");
    this.fail(node ? ["The step ", inlineText(node), " failed:"] : "There is no answer:", message);
  }

  /** Show an error of this page itself, such as one at an event of another version. */
  showFault(error) {
    console.error(error);
    this.fail("The page cannot show this run:", String(error));
  }

  fail(heading, message) {
    this.answer.append(element("div", { class: "failure" },
      element("p", {}, heading), element("pre", { class: "text" }, message)));
    this.end("failed", "failed");
  }

  end(kind, text) {
    this.isRunning = false;
    clearTimeout(this.patience);
    this.live.hidden = true;
    this.stopButton.hidden = true;
    for (const node of this.picture.querySelectorAll(".live")) node.classList.remove("live");
    this.retryButton.hidden = kind === "answered" || kind === "withheld";
    if (kind in CUT_OFF) {
      const end = this.answer.childNodes.length ? "the last step had ended. This is the answer so far" : "there was an answer";
      this.answer.append(element("p", { class: "none" }, `${CUT_OFF[kind]} before ${end}.`));
      if (this.replies.size) this.answer.append(element("p", { class: "label" }, "Not finished:"), this.live.lastElementChild);
    }
    this.say(text, kind);
  }

  foldSteps() {
    const all = [...this.steps.querySelectorAll(":scope > li > details")];
    const isOpen = all.every((details) => details.open);
    for (const details of all) details.open = !isOpen;
  }

  /** Go from a citation to its passage in this run, also on a middle click: another tab would not have the passage. */
  followCitation(event) {
    const link = event.target.closest("a.citation");
    if (!link) return;
    event.preventDefault();
    const number = link.getAttribute("href").replace("#passage-", "");
    const passage = this.passages.querySelector(`[data-passage="${CSS.escape(number)}"]`);
    if (!passage) return;
    passage.querySelector("details").open = true;
    passage.scrollIntoView({ block: "center" });
    passage.querySelector("summary").focus();
    passage.classList.remove("followed");
    // The next frame starts the animation anew.
    requestAnimationFrame(() => passage.classList.add("followed"));
  }
}

const partTitle = (text) => element("h3", { class: "part-title" }, text);

const queueText = (position) =>
  position ? `waits: ${countOf(position, "question")} before this one` : "is the next one";
