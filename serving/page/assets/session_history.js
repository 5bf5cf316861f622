// Session history: the questions of this tab and their events, until the tab is closed.

import { readText, saveText } from "./tab_storage.js";

const HISTORY_KEY = "opencoder-history";
// A browser keeps about 5 million characters for a page.
const MOST_CHARS = 4_000_000;

/** Return the saved questions, the newest first: {question, runs: [{config, documents}]}. */
export function readHistory() {
  try {
    const saved = JSON.parse(readText(HISTORY_KEY) || "[]");
    return Array.isArray(saved) ? saved : [];
  } catch {
    return [];
  }
}

/** Save the questions; those that find no room are left out, the oldest first. */
export function saveHistory(questions) {
  const texts = [];
  let chars = 0;
  for (const question of questions) {
    const text = JSON.stringify(question);
    if (chars + text.length > MOST_CHARS) continue;
    chars += text.length;
    texts.push(text);
  }
  // Other pages of this address share the storage, so it may have less room.
  while (!saveText(HISTORY_KEY, `[${texts.join(",")}]`) && texts.length) texts.pop();
}
