// Tab storage: texts of this tab by name, until it is closed. All access to the browser's storage is here.

// The browser may forbid its storage, and the storage may be full: then a text lasts until the page is left.
const unsaved = new Map();

/** Return the text of a name, or null. */
export function readText(name) {
  if (unsaved.has(name)) return unsaved.get(name);
  try { return sessionStorage.getItem(name); } catch { return null; }
}

/** Keep a text in the browser's storage; return whether it has room for it. */
export function saveText(name, text) {
  try {
    sessionStorage.setItem(name, text);
    return true;
  } catch {
    return false;
  }
}

/** Keep a text in the browser's storage, or else in this page. */
export function keepText(name, text) {
  if (saveText(name, text)) unsaved.delete(name);
  else unsaved.set(name, text);
}
