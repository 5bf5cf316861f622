// Elements: builds HTML elements and labelled controls. Needs no other part.

/**
 * Return a new element.
 *
 * An attribute `on<event>` is a listener; an attribute that is false, null or undefined is left
 * out, as is such a child. Every child that is no node becomes a text node, so no text of a run is
 * ever parsed as HTML.
 */
function element(name, attributes, ...children) {
  const created = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) created.addEventListener(key.slice(2), value);
    else created.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    created.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return created;
}

/** Return a control below its label; the control gets the id. */
function labelledControl(id, label, control) {
  control.id = id;
  return element("div", { class: id === "search" ? "field wide" : "field" },
    element("label", { for: id }, label),
    control);
}

/** Return a labelled select box. `options` are [value, text]; `onChange` gets the new value. */
function selectBox(id, label, options, selectedValue, onChange) {
  const optionElements = options.map(([value, text]) =>
    element("option", { value, selected: String(value) === String(selectedValue) }, text));
  const onchange = (event) => onChange(event.target.value);
  return labelledControl(id, label, element("select", { onchange }, optionElements));
}
