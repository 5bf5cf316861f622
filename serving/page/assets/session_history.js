// Session history: the questions of this tab and their events, until the tab is closed.

import { readText, saveText } from "./tab_storage.js";

const HISTORY_KEY = "opencoder-history";
// A change of the events or of their fields needs a new version: older texts are not read, and overwritten.
const VERSION = 1;
// A browser keeps about 5 million characters for a page.
const MOST_CHARS = 4_000_000;

/** Return the saved questions, the newest first: {question, runs: [{config, documents}]}. */
export function readHistory() {
  let saved = null;
  try { saved = JSON.parse(readText(HISTORY_KEY)); } catch { /* no JSON */ }
  if (saved?.version !== VERSION || !Array.isArray(saved.questions)) return [];
  return saved.questions.filter(isQuestion);
}

// The documents of a run have too many shapes to check: whoever shows them says so if one cannot be shown.
const isQuestion = (saved) => typeof saved?.question === "string" && Array.isArray(saved.runs) && saved.runs.every(isRun);
const isRun = (saved) => typeof saved?.config === "string" && Array.isArray(saved.documents);

/** Save the questions, each as JSON, the newest first. Without room for all, the oldest ones are left out. */
export function saveHistory(texts) {
  let chars = 0;
  const newest = texts.filter((text, index) => {
    chars += text.length;
    return !index || chars <= MOST_CHARS;
  });
  // Other pages of this address share the storage, so it may have less room. Without any, what it has remains.
  while (newest.length && !saveText(HISTORY_KEY, `{"version":${VERSION},"questions":[${newest.join(",")}]}`)) newest.pop();
}
