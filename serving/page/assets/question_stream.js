// Question stream: one question sent to the server, and its events as they arrive.

import { keepText, readText } from "./tab_storage.js";

const TOKEN_KEY = "opencoder-token";
const CLIENT_KEY = "opencoder-client";
// A header holds no other characters, such as those of an address that was copied in part.
const TOKEN = /^[\w.~-]+$/;

/** The reason why the server gave no answer, in words for people. */
export class RequestError extends Error {}

/** Take the token from the address, which then no longer shows it; return whether there was one. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token || !TOKEN.test(token)) return false;
  keepText(TOKEN_KEY, token);
  history.replaceState(null, "", location.pathname);
  return true;
}

function headers() {
  const token = readText(TOKEN_KEY);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Return the name of this tab, by which the server limits the questions of one client. */
function client() {
  let name = readText(CLIENT_KEY);
  if (!name) {
    name = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    keepText(CLIENT_KEY, name);
  }
  return name;
}

/** Return what the server offers. */
export async function readSettings() {
  const response = await request("/settings", { headers: headers() });
  return connected(response.json());
}

/** Ask a question; call `onDocument` with each event. Ends when the last one has arrived; `signal` ends it early. */
export async function askQuestion(question, config, signal, onDocument) {
  const response = await request("/ask", {
    method: "POST",
    headers: { ...headers(), "Content-Type": "application/json", "X-OpenCoder-Client": client() },
    body: JSON.stringify({ question, config }),
    signal,
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await connected(reader.read());
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      if (block.startsWith("data: ")) onDocument(JSON.parse(block.slice(6)));
    }
  }
}

async function request(path, options) {
  const response = await connected(fetch(path, { ...options, credentials: "omit" }), "the server cannot be reached");
  if (!response.ok) throw new RequestError(await reasonOf(response));
  return response;
}

/** Return what a promise of the browser's network gives; its TypeError means that there is no connection. */
async function connected(promise, reason = "the connection to the server broke") {
  try {
    return await promise;
  } catch (error) {
    throw error instanceof TypeError ? new RequestError(reason) : error;
  }
}

async function reasonOf(response) {
  const text = await connected(response.text());
  try { return JSON.parse(text).error || text; } catch { return text || `the server answered ${response.status}`; }
}
