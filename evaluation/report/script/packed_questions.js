// Data: unpacks the index of all questions and the blocks that hold their records.
// Needs showStatus() of report_state.js.

const CACHED_BLOCKS = 6;

// {outcomeNames, blockSize, rows}; set once by readIndex().
let questionIndex = null;
const blockCache = new Map(); // the blocks that were read last, by block number

/** Return the JSON that a script element holds compressed, in base64. */
async function unpack(elementId) {
  const packed = atob(document.getElementById(elementId).textContent);
  const bytes = new Uint8Array(packed.length);
  for (let offset = 0; offset < packed.length; offset++) {
    bytes[offset] = packed.charCodeAt(offset);
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

/** Read the index: one row for each question, one cell in it for each run. */
async function readIndex() {
  const packedIndex = await unpack("index");
  questionIndex = {
    outcomeNames: packedIndex.outcomes,
    blockSize: packedIndex.block,
    rows: packedIndex.rows.map(([number, id, preview, cells]) => ({
      number,
      id,
      preview,
      cells: cells.map((cell) => cell && namedCell(cell)),
    })),
  };
}

/**
 * Name the fields of a cell.
 *
 * `condition` is "failed", "empty" or "". `outcome` is an index of outcomeNames, -1 for unknown.
 * Runs that gave the same answer have the same `answerNumber`. `values` are the metrics' values.
 */
const namedCell = ([condition, outcome, answerNumber, values]) =>
  ({ condition, outcome, answerNumber, values });

/**
 * Replace the numbers in a value by the texts that a block holds once for all its questions.
 *
 * A string that starts with U+0001 stands for the text of that number in the block's table.
 */
function withTexts(value, texts) {
  if (typeof value === "string") {
    return value[0] === "\u0001" ? texts[Number(value.slice(1))] : value;
  }
  if (value && typeof value === "object") {
    for (const key of Object.keys(value)) {
      const replacement = withTexts(value[key], texts);
      // An assignment to the key __proto__ would set the prototype and not a field.
      if (replacement !== value[key]) {
        Object.defineProperty(value, key, { value: replacement, enumerable: true });
      }
    }
  }
  return value;
}

/**
 * Return a block: {questions, packedHtml}.
 *
 * `questions` are {question, reference, runs: [record or null]}; `packedHtml` is a Map from each text
 * that the block has rendered too.
 */
async function readBlock(blockNumber) {
  const block = await unpack(`block-${blockNumber}`);
  const packedHtml = new Map(block.texts.filter(Array.isArray));
  const texts = block.texts.map((entry) => (Array.isArray(entry) ? entry[0] : entry));
  return { questions: withTexts(block.questions, texts), packedHtml };
}

/** Return the packed HTML of a text of a question that was read before, or undefined. */
function packedHtmlOf(text) {
  for (const { packedHtml } of blockCache.values()) {
    if (packedHtml.has(text)) return packedHtml.get(text);
  }
  return undefined;
}

async function cachedBlock(blockNumber) {
  if (!blockCache.has(blockNumber)) {
    blockCache.set(blockNumber, await readBlock(blockNumber));
    // A Map keeps the order of insertion, so the first key is the oldest.
    if (blockCache.size > CACHED_BLOCKS) blockCache.delete(blockCache.keys().next().value);
  }
  return blockCache.get(blockNumber);
}

async function readQuestion(rowIndex) {
  const block = await cachedBlock(Math.floor(rowIndex / questionIndex.blockSize));
  return block.questions[rowIndex % questionIndex.blockSize];
}

/**
 * Return the searchable text of each row, in lower case.
 *
 * It bypasses the cache, since every block put into it would push out one that is in use.
 */
async function readSearchTexts() {
  const { rows, blockSize } = questionIndex;
  const rowTexts = [];
  const blockCount = Math.ceil(rows.length / blockSize);
  for (let blockNumber = 0; blockNumber < blockCount; blockNumber++) {
    const progress = `${formatCount(rowTexts.length)} of ${formatCount(rows.length)}`;
    showStatus(`reading the questions: ${progress}`);
    for (const question of (await readBlock(blockNumber)).questions) {
      const { id } = rows[rowTexts.length];
      const answers = question.runs.map((record) => (record ? record.answer : ""));
      const texts = [id, question.question, question.reference, ...answers];
      rowTexts.push(texts.join("\n").toLowerCase());
    }
  }
  return rowTexts;
}
