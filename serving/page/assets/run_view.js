// Run view: one question answered by one config, while it runs and afterwards.

import { askQuestion } from "./question_stream.js";
import { countOf, element, formatSeconds, inlineText, renderedBox, textBox } from "./page_elements.js";
import { costText, sourceList, stepItem } from "./step_view.js";

const NEAR_END = 40;

/** The view of one run. `documents` are the events that it has shown, without the parts of replies. */
export class RunView {
  constructor(question, config) {
    this.question = question;
    this.config = config;
    this.documents = [];
    this.isRunning = false;
    this.replies = new Map();
    this.total = { prompt_tokens: 0, new_tokens: 0, cut_tokens: 0, is_estimate: false };
    this.status = element("span", { class: "status", role: "status" });
    this.stopButton = element("button", { type: "button", class: "stop", hidden: true, onclick: () => this.stop() }, "Stop");
    this.picture = element("div", { class: "flow-frame", tabindex: 0, role: "group", "aria-label": "Steps of this config" });
    this.answerLabel = partTitle("Answer");
    this.answer = element("div", { class: "answer" });
    this.live = element("div", { class: "live", hidden: true });
    this.sources = element("section", { class: "sources", hidden: true });
    this.steps = element("ol", { class: "steps" });
    this.stepsPart = element("section", { class: "steps-part", hidden: true },
      element("div", { class: "part-head" },
        partTitle("Steps"),
        element("button", { type: "button", class: "quiet", onclick: () => this.foldSteps() }, "Open or close all")),
      this.steps);
    this.cost = element("p", { class: "cost total" });
    this.node = element("article", { class: "run", "data-config": config },
      element("header", { class: "run-head" },
        element("b", { class: "config" }, inlineText(config)), this.status, this.stopButton),
      this.picture,
      element("section", { class: "answer-part" }, this.answerLabel, this.answer, this.live),
      this.sources, this.stepsPart, this.cost);
    this.node.addEventListener("click", (event) => this.followCitation(event));
  }

  /** Ask the question and show its events; resolves when the run has ended, however it ended. */
  async start() {
    this.isRunning = true;
    this.controller = new AbortController();
    this.stopButton.hidden = false;
    this.say("asks");
    try {
      await askQuestion(this.question, this.config, this.controller.signal, (document) => this.show(document));
      if (this.isRunning) this.show({ type: "failed", message: "the connection ended before the answer", node: null });
    } catch (error) {
      if (this.controller.signal.aborted) this.show({ type: "stopped" });
      else if (this.isRunning) this.show({ type: "failed", message: reasonOf(error), node: null });
    }
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
  }

  showChunk({ node, reply, text }) {
    let box = this.replies.get(reply);
    if (!box) {
      if (!this.replies.size) {
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
    this.live.hidden = true;
    this.light(step.node, "done");
    this.steps.append(stepItem(document));
    this.stepsPart.hidden = false;
    for (const name of ["prompt_tokens", "new_tokens", "cut_tokens"]) this.total[name] += cost[name];
    this.total.is_estimate ||= cost.is_estimate;
    if (document.has_passages) this.showSources(step.passages);
    if (document.answer_html !== undefined) {
      this.answerLabel.textContent = "Answer so far";
      this.answer.replaceChildren(renderedBox(document.answer_html));
    }
  }

  showSources(passages) {
    this.sources.hidden = false;
    this.sources.replaceChildren(
      partTitle("Sources"),
      passages.length ? sourceList(passages) : element("p", { class: "none" }, "No passage was found."));
  }

  showAnswer({ answer, answer_html: html, seconds }) {
    this.answerLabel.textContent = "Answer";
    this.answer.replaceChildren(answer
      ? textBox(answer, html)
      : element("p", { class: "none" }, "The model gave no answer."));
    this.light("__end__", "done");
    this.cost.textContent = [countOf(this.steps.children.length, "step"), costText({ ...this.total, seconds })].join(", ");
    this.end("answered", `answered in ${formatSeconds(seconds)}`);
  }

  showFailure({ message, node }) {
    if (node) this.light(node, "failed");
    this.answer.append(element("div", { class: "failure" },
      element("p", {}, node ? ["The step ", inlineText(node), " failed:"] : "There is no answer:"),
      element("pre", { class: "text" }, message)));
    this.end("failed", "failed");
  }

  end(kind, text) {
    this.isRunning = false;
    this.live.hidden = true;
    this.stopButton.hidden = true;
    for (const node of this.picture.querySelectorAll(".live")) node.classList.remove("live");
    if (kind === "stopped" && !this.answer.childNodes.length) {
      this.answer.append(element("p", { class: "none" }, "Stopped before there was an answer."));
    }
    this.say(text, kind);
    this.node.dispatchEvent(new CustomEvent("run-ended", { bubbles: true }));
  }

  foldSteps() {
    const all = [...this.steps.querySelectorAll(":scope > li > details")];
    const isOpen = all.every((details) => details.open);
    for (const details of all) details.open = !isOpen;
  }

  /** Go from a citation to its passage in this run. */
  followCitation(event) {
    const link = event.target.closest("a.citation");
    if (!link) return;
    event.preventDefault();
    const number = link.getAttribute("href").replace("#passage-", "");
    const passage = this.sources.querySelector(`[data-passage="${CSS.escape(number)}"]`);
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

const reasonOf = (error) => (error instanceof TypeError ? "the server cannot be reached" : error.message);

const queueText = (position) =>
  position ? `waits: ${countOf(position, "question")} before this one` : "is the next one";
