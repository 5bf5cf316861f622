"use strict";
// The questions of the report. Every text of a run becomes a text node; nothing is ever parsed as HTML.
(() => {
const PAGE = 50;
const settings = JSON.parse(document.getElementById("settings").textContent);
const app = document.getElementById("app");
const state = { a: 0, b: -1, metric: 0, filter: "all", sort: "order", search: "", page: 0, open: -1 };
let index = null; // {outcomes, block, rows: [[number, id, preview, [cell or null for each run]]]}
let found = []; // places of the rows that the filter lets through, sorted
let haystack = null; // what the search looks at: a promise of a string for each row
const cache = new Map(); // the blocks read last

// ---- elements -----------------------------------------------------------------------------------

function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    made.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return made;
}

const number = new Intl.NumberFormat("en");
const is = (value) => typeof value === "number" && Number.isFinite(value);
const figure = (value, digits = 3) => (is(value) ? value.toFixed(digits) : "none");
const signed = (value) => (is(value) ? (value > 0 ? "+" : "") + value.toFixed(3) : "none");
const list = (value) => (Array.isArray(value) ? value : []);
const object = (value) => (value && typeof value === "object" && !Array.isArray(value) ? value : {});
const plural = (count, word) => `${number.format(count)} ${word}${count === 1 ? "" : "s"}`;

const chip = (run) =>
  el("span", { class: `chip run-${run % 8}`, title: settings.runs[run][1] }, settings.runs[run][0]);
const nameOf = (run) => `${settings.runs[run][0]} ${settings.runs[run][1]}`;

// Characters that cannot be seen or that reorder a text: named below it, since they stay in it.
const ODD = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\p{Cs}]|[\u{e0000}-\u{e007f}]/gu;

function oddOf(text) {
  const counts = new Map();
  for (const [one] of text.matchAll(ODD)) counts.set(one, (counts.get(one) || 0) + 1);
  return [...counts]
    .map(([one, count]) => `U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")} × ${count}`)
    .join(", ");
}

function textBox(text, kind = "") {
  const shown = typeof text === "string" ? text : "";
  return textWith(shown, [document.createTextNode(shown)], kind);
}

function textWith(text, nodes, kind) {
  const odd = oddOf(text);
  const long = text.length > 6000;
  return el("div", { class: "box" },
    el("pre", { class: `text ${kind}${long ? " long" : ""}`, tabindex: long ? "0" : null }, nodes),
    el("p", { class: "odd", hidden: !odd }, "Holds characters that cannot be seen: ", odd));
}

const inline = (text, kind = "") => el("span", { class: `inline ${kind}` }, typeof text === "string" ? text : "");

function link(url, text) {
  let parsed = null;
  try { parsed = new URL(url); } catch { /* no address */ }
  if (!parsed || !["http:", "https:"].includes(parsed.protocol)) return inline(text);
  return el("a", { href: parsed.href, rel: "noreferrer noopener", target: "_blank", class: "inline" }, text);
}

function field(name, label, control) {
  control.id = name;
  return el("div", { class: name === "search" ? "field wide" : "field" }, el("label", { for: name }, label), control);
}

function select(name, label, options, value, change) {
  return field(name, label, el("select", { onchange: (event) => change(event.target.value) },
    options.map(([key, text]) => el("option", { value: key, selected: String(key) === String(value) }, text))));
}

// ---- data ---------------------------------------------------------------------------------------

async function unpacked(id) {
  const packed = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(packed.length);
  for (let place = 0; place < packed.length; place++) bytes[place] = packed.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// A string that starts with U+0001 stands for a text of the block's table.
function filled(value, texts) {
  if (typeof value === "string") return value[0] === "\u0001" ? texts[Number(value.slice(1))] : value;
  if (value && typeof value === "object") {
    for (const key of Object.keys(value)) {
      const made = filled(value[key], texts);
      if (made !== value[key]) Object.defineProperty(value, key, { value: made, enumerable: true });
    }
  }
  return value;
}

async function block(part) {
  if (!cache.has(part)) {
    const read = await unpacked(`block-${part}`);
    cache.set(part, filled(read.questions, read.texts));
    if (cache.size > 6) cache.delete(cache.keys().next().value);
  }
  return cache.get(part);
}

async function question(place) {
  return (await block(Math.floor(place / index.block)))[place % index.block];
}

async function readHaystack() {
  const made = [];
  const parts = Math.ceil(index.rows.length / index.block);
  for (let part = 0; part < parts; part++) {
    say(`reading the questions: ${number.format(made.length)} of ${number.format(index.rows.length)}`);
    const read = await unpacked(`block-${part}`);
    for (const one of filled(read.questions, read.texts)) {
      const id = index.rows[made.length][1];
      const answers = one.runs.map((record) => (record ? record.answer : ""));
      made.push([id, one.question, one.reference, ...answers].join("\n").toLowerCase());
    }
  }
  return made;
}

// ---- which questions ----------------------------------------------------------------------------

const cell = (row, run) => (run < 0 ? null : row[3][run]);
const valueOf = (row, run) => { const at = cell(row, run); return at ? at[3][state.metric] : null; };
const gain = (row) => {
  const ours = valueOf(row, state.a), theirs = valueOf(row, state.b);
  return is(ours) && is(theirs) ? ours - theirs : null;
};

function filters() {
  const a = settings.runs[state.a][0];
  const made = [
    ["all", "all questions"],
    ["failed", `failed in ${a}`],
    ["empty", `empty answer in ${a}`],
    ["unscored", `no value in ${a}`],
    ...index.outcomes.map((name, place) => [`outcome-${place}`, `${name} in ${a}`]),
  ];
  if (state.b >= 0) {
    const b = settings.runs[state.b][0];
    made.push(["differ", `answers of ${a} and ${b} differ`], ["better", `${a} better than ${b}`],
      ["worse", `${a} worse than ${b}`], ["missing", `not in both ${a} and ${b}`]);
  }
  return made;
}

function sorts() {
  const a = settings.runs[state.a][0];
  const made = [["order", "in their order"], ["low", `score of ${a}, lowest first`], ["high", `score of ${a}, highest first`]];
  if (state.b >= 0) {
    const b = settings.runs[state.b][0];
    made.push(["gain", `${a} − ${b}, highest first`], ["loss", `${a} − ${b}, lowest first`], ["apart", `furthest apart`]);
  }
  return made;
}

function passes(row) {
  const at = cell(row, state.a), other = cell(row, state.b);
  if (state.filter.startsWith("outcome-")) return at !== null && at[1] === Number(state.filter.slice(8));
  switch (state.filter) {
    case "failed": return at !== null && at[0] === "failed";
    case "empty": return at !== null && at[0] === "empty";
    case "unscored": return at !== null && at[0] !== "failed" && !is(valueOf(row, state.a));
    case "differ": return at !== null && other !== null && at[2] !== other[2];
    case "better": return gain(row) > 0;
    case "worse": return gain(row) < 0;
    case "missing": return (at === null) !== (other === null);
    default: return true;
  }
}

function sortKey() {
  switch (state.sort) {
    case "low": return (row) => valueOf(row, state.a);
    case "high": return (row) => negative(valueOf(row, state.a));
    case "gain": return (row) => negative(gain(row));
    case "loss": return gain;
    case "apart": return (row) => { const by = gain(row); return is(by) ? -Math.abs(by) : null; };
    default: return null;
  }
}

const negative = (value) => (is(value) ? -value : null);

async function selectQuestions() {
  const wanted = () => state.search.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted().length && !haystack) haystack = readHaystack();
  const texts = wanted().length ? await haystack : [];
  const words = wanted(); // while the questions were read, another search may have been typed
  found = [];
  index.rows.forEach((row, place) => {
    if (passes(row) && words.every((word) => texts[place].includes(word))) found.push(place);
  });
  const key = sortKey();
  if (key) {
    const keys = new Map(found.map((place) => [place, key(index.rows[place])]));
    // What has no value comes last, whichever way it is sorted.
    found.sort((one, other) => {
      const left = keys.get(one), right = keys.get(other);
      if (!is(left) || !is(right)) return is(left) ? -1 : is(right) ? 1 : one - other;
      return left - right || one - other;
    });
  }
}

// ---- the list -----------------------------------------------------------------------------------

const status = el("p", { class: "status", role: "status", "aria-live": "polite" });
const tools = el("form", { class: "tools", role: "search", "aria-label": "Which questions", onsubmit: (event) => event.preventDefault() });
const view = el("div", { class: "view" });
const say = (text) => { status.textContent = text; };
const search = el("input", { type: "search", autocomplete: "off", spellcheck: "false", oninput: onSearch });
let timer = 0;
let working = Promise.resolve(); // the search that goes on

function onSearch() {
  clearTimeout(timer);
  timer = setTimeout(searchNow, 150);
}

async function searchNow() {
  clearTimeout(timer);
  if (state.search !== search.value) {
    state.search = search.value;
    working = refresh();
  }
  await working;
}

function showTools() {
  const runs = settings.runs.map((run, place) => [place, `${run[0]} ${run[1]}`]);
  const others = runs.filter(([place]) => place !== state.a);
  const focused = tools.contains(document.activeElement) ? [...tools.elements].indexOf(document.activeElement) : -1;
  const change = (name) => (value) => {
    state[name] = typeof state[name] === "number" ? Number(value) : value;
    if (state.b === state.a) state.b = -1;
    if (!filters().some(([key]) => key === state.filter)) state.filter = "all";
    if (!sorts().some(([key]) => key === state.sort)) state.sort = "order";
    showTools();
    refresh();
  };
  tools.replaceChildren(
    field("search", "Search in questions, references and answers", search),
    select("run", "Run", runs, state.a, change("a")),
    others.length ? select("other", "Side by side with", [[-1, "no other run"], ...others], state.b, change("b")) : "",
    select("by", "Metric", settings.metrics.map((name, place) => [place, name]), state.metric, change("metric")),
    select("show", "Show", filters(), state.filter, change("filter")),
    select("sort", "Sort by", sorts(), state.sort, change("sort")));
  if (focused >= 0 && tools.elements[focused]) tools.elements[focused].focus();
}

async function refresh() {
  state.page = 0;
  await selectQuestions();
  if (state.open >= 0) await showQuestion(state.open, false);
  else showList();
}

function showList(focus = -1) {
  state.open = -1;
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  if (focus >= 0 && found.includes(focus)) state.page = Math.floor(found.indexOf(focus) / PAGE);
  state.page = Math.min(state.page, pages - 1);
  const shown = found.slice(state.page * PAGE, (state.page + 1) * PAGE);
  say(`${plural(found.length, "question")} of ${number.format(index.rows.length)}` +
    (pages > 1 ? `, page ${state.page + 1} of ${pages}` : ""));
  const rows = el("ol", { class: `list${state.b >= 0 ? " two" : ""}`, "aria-label": "Questions" }, shown.map(listRow));
  view.replaceChildren(heads(), rows, pager(pages),
    el("p", { class: "keys" }, "Keys: ", el("kbd", {}, "/"), " search, ", el("kbd", {}, "↑"), " ", el("kbd", {}, "↓"),
      " move in the list, ", el("kbd", {}, "Enter"), " opens, ", el("kbd", {}, "Esc"), " goes back, ",
      el("kbd", {}, "←"), " ", el("kbd", {}, "→"), " the question before and after."));
  if (focus >= 0) {
    const again = view.querySelector(`a[href="#question-${focus}"]`) || search;
    again.focus({ preventScroll: true });
    again.scrollIntoView({ block: "center" });
  }
}

function heads() {
  const metric = settings.metrics[state.metric];
  return el("p", { class: "list-head", "aria-hidden": "true" }, el("span", {}, "question"),
    el("span", { class: "scores" }, inline(metric, "metric"), el("span", {}, chip(state.a)),
      state.b >= 0 ? [el("span", {}, chip(state.b)), el("span", {}, "difference")] : ""));
}

function listRow(place) {
  const row = index.rows[place];
  const scores = [score(row, state.a)];
  if (state.b >= 0) {
    const by = gain(row);
    scores.push(score(row, state.b),
      el("span", { class: `gain ${by > 0 ? "better" : by < 0 ? "worse" : ""}` }, is(by) ? signed(by) : "none"));
  }
  return el("li", {}, el("a", { href: `#question-${place}` },
    el("span", { class: "number" }, row[0]),
    el("span", { class: "preview" }, inline(row[2]), badge(row)),
    el("span", { class: "scores" }, scores)));
}

function score(row, run) {
  const at = cell(row, run);
  const said = at === null ? "not in it" : at[0] === "failed" ? "failed" : is(at[3][state.metric]) ? figure(at[3][state.metric]) : "unscored";
  return el("span", { class: "score" }, said, el("span", { class: "hidden" }, ` in ${settings.runs[run][0]}`));
}

function badge(row) {
  const at = cell(row, state.a);
  if (at === null) return "";
  const said = at[0] === "failed" ? "failed" : at[0] === "empty" ? "empty answer" : at[1] >= 0 ? index.outcomes[at[1]] : "";
  return said ? el("small", { class: `badge ${at[0] || `outcome-${at[1]}`}` }, said) : "";
}

function pager(pages) {
  if (pages < 2) return "";
  const go = (by) => () => {
    state.page += by;
    showList();
    const first = view.querySelector(".list a");
    if (first) first.focus({ preventScroll: true });
    status.scrollIntoView({ block: "start" });
  };
  return el("nav", { class: "pager", "aria-label": "Pages of the list" },
    el("button", { type: "button", disabled: state.page === 0, onclick: go(-1) }, "← previous"),
    el("span", {}, `page ${state.page + 1} of ${pages}`),
    el("button", { type: "button", disabled: state.page === pages - 1, onclick: go(1) }, "next →"));
}

// ---- one question -------------------------------------------------------------------------------

async function showQuestion(place, focus = true) {
  const row = index.rows[place];
  state.open = place;
  say("reading the question");
  const one = await question(place);
  if (state.open !== place) return;
  const at = found.indexOf(place);
  const ours = one.runs[state.a], theirs = state.b >= 0 ? one.runs[state.b] : null;
  const title = el("h3", { tabindex: "-1", id: "question-title" }, `Question ${row[0]} `, el("small", {}, inline(row[1])));
  const step = (by) => el("button", { type: "button", disabled: at < 0 || !(found[at + by] >= 0), onclick: () => move(by) },
    by < 0 ? "← previous" : "next →");
  view.replaceChildren(
    el("nav", { class: "pager", "aria-label": "Between questions" },
      el("button", { type: "button", class: "back", onclick: back }, "all questions (Esc)"), step(-1), step(1)),
    el("article", { class: "question", "aria-labelledby": "question-title" }, title,
      el("div", { class: "columns" }, part("Question", textBox(one.question)), part("Reference", textBox(one.reference))),
      state.b >= 0 ? sideBySide(ours, theirs) : whole(ours, state.a)));
  say(`question ${row[0]}, ${at < 0 ? "not among those shown" : `${at + 1} of ${number.format(found.length)} shown`}`);
  if (focus) {
    title.focus({ preventScroll: true });
    view.scrollIntoView({ block: "start" });
  }
}

const part = (heading, ...children) => el("section", { class: "part" }, el("h4", {}, heading), ...children);
const missing = (run) => el("p", { class: "none" }, `${nameOf(run)} holds no record of this question.`);

function whole(record, run) {
  if (!record) return missing(run);
  return [
    part("Answer", el("p", { class: "whose" }, chip(run), " ", settings.runs[run][1]), failure(record),
      record.error ? "" : textBox(record.answer, "answer"), reasoning(record.reasoning)),
    part("Scores", scoresTable([[run, record]])),
    part("What happened", trace(record)),
  ];
}

function failure(record) {
  if (!record.error) return "";
  return el("div", { class: "failure" }, el("p", {}, "Failed: ", inline(record.error.type)), textBox(record.error.message));
}

function reasoning(text) {
  return text ? el("details", {}, el("summary", {}, "Reasoning before the answer"), textBox(text)) : "";
}

function scoresTable(records) {
  const names = [...new Set(records.flatMap(([, record]) => (record ? Object.keys(object(record.metrics)) : [])))];
  if (!names.length) return el("p", { class: "none" }, "No scores: the question failed.");
  const of = (record, name) => { const value = record ? object(record.metrics)[name] : null; return is(value) ? value : null; };
  const two = records.length > 1;
  return el("div", { class: "scroll" }, el("table", { class: "scores-table" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "metric"),
      records.map(([run]) => el("th", { scope: "col" }, chip(run))), two ? el("th", { scope: "col" }, "difference") : "")),
    el("tbody", {}, names.map((name) => {
      const values = records.map(([, record]) => of(record, name));
      const by = two && is(values[0]) && is(values[1]) ? values[0] - values[1] : null;
      return el("tr", {}, el("th", { scope: "row" }, inline(name)),
        values.map((value) => el("td", {}, is(value) ? figure(value) : "unscored")),
        two ? el("td", { class: by > 0 ? "better" : by < 0 ? "worse" : "" }, is(by) ? signed(by) : "none") : "");
    }))));
}

// ---- the trace ----------------------------------------------------------------------------------

function trace(record, open = true) {
  const relevant = new Set(list(record.relevant_question_ids));
  const steps = list(record.steps);
  if (!steps.length) return el("p", { class: "none" }, "No step was finished.");
  return el("ol", { class: "trace" }, steps.map((step, place) => {
    const scores = list(record.candidates).filter((each) => object(each).step === place);
    return el("li", {}, el("details", { open }, el("summary", {}, el("b", {}, inline(step.node)), " ", el("span", { class: "cost" }, costOf(step))),
      passages(list(step.passages), relevant),
      list(step.candidates).map((draft, number_) => draftBox(draft, number_, step.candidates.length, scores, isChoice(step))),
      list(step.points).length || "points" in step ? points(step) : "",
      preferences(step), likelihoods(step), verdicts(step),
      is(step.chosen) ? el("p", {}, chosen(step)) : "",
      written(step),
      "score" in step ? el("p", {}, "Score: ", el("b", {}, is(step.score) ? figure(step.score) : "unscored")) : "",
      step.error ? textBox(step.error, "failure") : "",
      typeof step.answer === "string" ? el("details", { class: "after" }, el("summary", {}, "The answer after this step"), textBox(step.answer)) : ""));
  }));
}

// What the model wrote where it is not what the step made of it: cut, trimmed, or read as points.
function written(step) {
  const shown = new Set(list(step.candidates).flatMap((draft) => [object(draft).text, object(draft).reasoning]));
  const raw = list(step.replies).map((reply) => object(reply).text).filter((text) => text && !shown.has(text));
  if (!raw.length) return "";
  return el("details", { class: "after" }, el("summary", {}, "As the model wrote it"), raw.map((text) => textBox(text)));
}

function chosen(step) {
  if (step.node === "accept") return step.chosen ? "The refinement was kept." : "The refinement was not kept: the answer stayed as it was.";
  return `Chosen: draft ${step.chosen + 1}.`;
}

function costOf(step) {
  const replies = list(step.replies), asked = [...replies, ...list(step.verdicts), ...list(step.likelihoods)];
  const sum = (items, name) => items.reduce((total, item) => total + (is(object(item)[name]) ? item[name] : 0), 0);
  const parts = [];
  if (asked.length) parts.push(`${number.format(sum(asked, "prompt_tokens"))} tokens read`);
  if (replies.length) parts.push(`${number.format(sum(replies, "new_tokens"))} written`);
  const cut = sum(asked, "cut_tokens");
  if (cut) parts.push(`${number.format(cut)} cut to fit the window`);
  const cached = asked.filter((item) => object(item).cached).length;
  if (cached) parts.push(`${cached} of ${plural(asked.length, "call")} from the cache`);
  else if (is(step.seconds)) parts.push(`${step.seconds.toFixed(2)} s`);
  return parts.join(", ");
}

function passages(items, relevant) {
  if (!items.length) return "";
  return el("ol", { class: "passages" }, items.map((passage) => passageBox(object(passage), relevant)));
}

function passageBox(passage, relevant, mark = null) {
  return el("li", { class: mark && mark.only ? "only" : "" },
    el("p", {}, el("span", { class: "number" }, `[${passage.number}]`), " ", link(passage.url, passage.title || passage.question_id || "passage"), " ",
      el("span", { class: "cost" }, `score ${figure(passage.score)}`), " ",
      relevant.has(passage.question_id) ? el("small", { class: "badge outcome-0" }, "named as relevant") : "", " ",
      mark ? el("small", { class: `badge ${mark.only ? "failed" : ""}` }, mark.says) : ""),
    el("p", { class: "source" }, inline(passage.url), " ", inline(passage.licence)),
    el("details", {}, el("summary", {}, `Text, ${number.format((passage.text || "").length + (passage.left_out || 0))} characters`), textBox(passage.text),
      passage.left_out ? el("p", { class: "none" }, `${plural(passage.left_out, "character")} more in the journal.`) : ""));
}

// A step that chooses lists texts that stand in the steps before it.
const isChoice = (step) => is(step.chosen);

function draftBox(draft, place, count, scores, folded) {
  const own = scores.find((each) => each.candidate === place);
  const said = own ? Object.entries(object(own.metrics)).filter(([, value]) => is(value)).map(([name, value]) => `${name} ${figure(value)}`).join(", ") : "";
  const head = [el("b", {}, count > 1 ? `Draft ${place + 1}` : "Draft"), said ? el("span", { class: "cost" }, ` ${said}`) : ""];
  const text = [reasoning(object(draft).reasoning), textBox(object(draft).text)];
  return folded ? el("details", { class: "draft" }, el("summary", {}, head), text) : el("div", { class: "draft" }, el("p", { class: "whose" }, head), text);
}

function points(step) {
  const form = step.critique_format;
  return el("div", { class: "points" },
    list(step.critique_flaws).length ? el("p", { class: "none" }, "Flaws of the critique itself: ", inline(step.critique_flaws.map(String).join("; "))) : "",
    form === "free" ? el("p", { class: "none" }, "Not numbered: its paragraphs were taken as points.") : "",
    list(step.points).length ? el("ol", {}, step.points.map((point) => el("li", {}, textBox(point, "point")))) : el("p", {}, form === "empty" ? "The critique came back empty." : "Nothing to mend was named."));
}

function preferences(step) {
  const items = list(step.preferences);
  const agreements = list(step.agreements);
  const made = [];
  const label = (place) => (step.node === "accept" ? (place ? "the refinement" : "the answer before") : `draft ${place + 1}`);
  if (agreements.length) made.push(el("ul", {}, agreements.map((value, place) => el("li", {}, `draft ${place + 1}: agreement with the others ${figure(value)}`))));
  if (items.length) {
    made.push(el("ul", { class: "preferences" }, items.map((each) => el("li", {}, is(each.first_wins)
      ? [`${label(each.first)} over ${label(each.second)}: `, meter(each.first_wins), ` ${figure(each.first_wins)}, `, each.orders_agree ? "both orders agree" : "the two orders disagree"]
      : `${label(each.first)} and ${label(each.second)}: no readable verdict`))));
  }
  return made;
}

function likelihoods(step) {
  const items = list(step.likelihoods).map(object);
  if (!items.length) return "";
  return el("ul", {}, items.map((each, place) => el("li", {}, is(each.mean_logprob)
    ? `draft ${place + 1}: mean log-probability of a token ${figure(each.mean_logprob)}, over ${plural(each.scored_tokens, "token")}`
    : `draft ${place + 1}: empty, so it has no likelihood`)));
}

const meter = (value) => el("meter", { min: 0, max: 1, value: is(value) ? value : 0, "aria-hidden": "true" });

function verdicts(step) {
  const items = list(step.verdicts).map(object);
  if (!items.length) return "";
  const options = [...new Set(items.flatMap((each) => Object.keys(object(each.probabilities))))];
  return el("div", { class: "scroll" }, el("table", { class: "verdicts-table" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, step.node === "judge" ? "verdict" : "order"), el("th", { scope: "col" }, "choice"),
      options.map((option) => el("th", { scope: "col" }, `P(${option})`)), el("th", { scope: "col" }, "mass"))),
    el("tbody", {}, items.map((each, place) => el("tr", {},
      el("th", { scope: "row" }, step.node === "judge" ? "grade" : `${Math.floor(place / 2) + 1}${place % 2 ? " swapped" : ""}`),
      el("td", {}, each.choice === null || each.choice === undefined ? "unreadable" : inline(String(each.choice)), each.reply ? el("details", {}, el("summary", {}, "reply"), textBox(each.reply)) : ""),
      options.map((option) => el("td", {}, figure(object(each.probabilities)[option]), " ", meter(object(each.probabilities)[option]))),
      el("td", {}, figure(each.mass)))))));
}

// ---- two runs side by side ----------------------------------------------------------------------

function sideBySide(ours, theirs) {
  const pair = [[state.a, ours], [state.b, theirs]];
  const [left, right, note] = differing(ours ? ours.answer : "", theirs ? theirs.answer : "");
  const columns = (make) => el("div", { class: "columns" }, pair.map(([run, record], side) =>
    el("div", { class: "column" }, el("p", { class: "whose" }, chip(run), " ", settings.runs[run][1]), record ? make(record, side) : missing(run))));
  const answers = [left, right];
  return [
    part("Answers", el("p", { class: "legend" }, note), columns((record, side) => [failure(record), record.error ? "" : textWith(record.answer, answers[side], "answer"), reasoning(record.reasoning)])),
    part("Scores", scoresTable(pair)),
    part("Passages", columns((record, side) => otherPassages(record, side ? ours : theirs))),
    part("What happened", columns((record) => trace(record, false))),
  ];
}

function otherPassages(record, other) {
  const items = list(record.passages).map(object);
  if (!items.length) return el("p", { class: "none" }, "No passages.");
  const places = new Map(list(other && other.passages).map(object).map((passage) => [`${passage.question_id}\n${passage.text}`, passage.number]));
  const relevant = new Set(list(record.relevant_question_ids));
  return el("ol", { class: "passages" }, items.map((passage) => {
    const there = places.get(`${passage.question_id}\n${passage.text}`);
    const says = there === undefined ? "only here" : there === passage.number ? "in both" : `there as [${there}]`;
    return passageBox(passage, relevant, { only: there === undefined, says });
  }));
}

// Words that stand in one text alone are marked: a longest common subsequence, of bounded size.
function differing(one, other) {
  if (one === other) return [[one], [other], one ? "The two answers are the same, word for word." : ""];
  const a = one.match(/\s+|[^\s]+/g) || [], b = other.match(/\s+|[^\s]+/g) || [];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const keptA = new Uint8Array(a.length), keptB = new Uint8Array(b.length);
  keptA.fill(1, 0, start); keptB.fill(1, 0, start);
  keptA.fill(1, a.length - end); keptB.fill(1, b.length - end);
  const rows = a.length - start - end, columns = b.length - start - end;
  const small = rows * columns <= 4e6;
  if (small) align(a, b, start, rows, columns, keptA, keptB);
  return [marked(a, keptA), marked(b, keptB), small
    ? "Marked: words that the other answer does not have at this place."
    : "Marked: where the two differ, from the first to the last word; they are too long to be aligned word for word."];
}

function align(a, b, start, rows, columns, keptA, keptB) {
  const width = columns + 1;
  const longest = new Uint16Array((rows + 1) * width);
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      longest[i * width + j] = a[start + i] === b[start + j]
        ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  let i = 0, j = 0;
  while (i < rows && j < columns) {
    if (a[start + i] === b[start + j]) { keptA[start + i++] = 1; keptB[start + j++] = 1; }
    else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i++;
    else j++;
  }
}

function marked(words, kept) {
  const nodes = [];
  let from = 0;
  while (from < words.length) {
    let to = from;
    // White space between two marked words is marked with them.
    while (to < words.length && (kept[to] === kept[from] || (!kept[from] && !words[to].trim() && to + 1 < words.length && !kept[to + 1]))) to++;
    const text = words.slice(from, to).join("");
    nodes.push(kept[from] || !text.trim() ? text : el("mark", {}, text));
    from = to;
  }
  return nodes;
}

// ---- moving -------------------------------------------------------------------------------------

function back() { location.hash = "#questions"; }

function move(by) {
  const next = found[found.indexOf(state.open) + by];
  if (next >= 0) location.hash = `#question-${next}`;
}

async function route() {
  const wanted = /^#question-(\d+)$/.exec(location.hash);
  if (wanted && Number(wanted[1]) < index.rows.length) await showQuestion(Number(wanted[1]));
  else if (state.open >= 0 && location.hash === "#questions") showList(state.open);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "/" && !typing) { event.preventDefault(); search.focus(); search.select(); return; }
  if (event.key === "Escape") {
    if (event.target === search && search.value) { search.value = ""; onSearch(); return; }
    if (state.open >= 0) back();
    return;
  }
  if (event.target === search && (event.key === "ArrowDown" || event.key === "Enter")) {
    event.preventDefault();
    searchNow().then(() => focusRow(0));
    return;
  }
  if (typing) return;
  if (state.open >= 0) {
    if (event.target.closest(".scroll, .long")) return;
    if (event.key === "ArrowLeft") move(-1);
    if (event.key === "ArrowRight") move(1);
    return;
  }
  const rows = [...view.querySelectorAll(".list a")];
  const at = rows.indexOf(document.activeElement);
  if (at < 0) return;
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  if (to < 0) search.focus();
  else focusRow(Math.min(to, rows.length - 1));
}

function focusRow(place) {
  const row = view.querySelectorAll(".list a")[place];
  if (row) row.focus();
}

// ---- plots: one metric at a time ----------------------------------------------------------------

const box = document.getElementById("metric");

function showPlots() {
  for (const panel of document.querySelectorAll("figure[data-metric]")) panel.hidden = panel.dataset.metric !== box.value;
}

async function start() {
  document.documentElement.classList.add("js-on");
  showPlots();
  box.addEventListener("change", showPlots);
  app.append(tools, status, view);
  if (typeof DecompressionStream === "undefined") {
    say("This browser is too old to read the questions (it has no DecompressionStream). They stand in journal.jsonl of each run's folder.");
    return;
  }
  say("reading the questions");
  index = await unpacked("index");
  state.metric = Number(box.value);
  showTools();
  await selectQuestions();
  showList();
  addEventListener("hashchange", route);
  addEventListener("keydown", onKey);
  await route();
  performance.mark("questions-shown");
  document.documentElement.dataset.ready = "true";
}

start();
})();
