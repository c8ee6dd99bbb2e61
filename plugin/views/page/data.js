// data.js: the data of the page, and the few helpers that all other files use. Nothing here draws.

const data = JSON.parse(document.getElementById('data').textContent);
const ROLES = ['client', 'server'];
const SVG = 'http://www.w3.org/2000/svg';

// Makes an element. Texts become text nodes, never markup: that is why nothing in a capture can inject any.
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

// ---------------------------------------------------------------- what is looked up

const eventOf = new Map(data.events.map((event) => [event.event, event]));
const stateOf = new Map(data.states.map((state) => [state.state, state]));
const ladderOf = new Map(data.ladders.map((ladder) => [ladder.connection, ladder]));
const connectionOf = new Map(data.connections.map((connection) => [connection.connection, connection]));
data.connections.forEach((connection, n) => {
  connection.listed = data.listed[n];
});

const VERDICTS = { 1: 'left open', 2: 'an end waits', 3: 'open', 4: 'over' };

// Whether documentation addresses are shown: the switch in the page, or a preference when the page was made.
let hidden = data.hidden;

function hostOf(connection, role) {
  return hidden ? connection.listed[role] : connection[role].address;
}

function socketOf(connection, role) {
  const host = hostOf(connection, role);
  return host.includes(':') ? `[${host}]:${connection[role].port}` : `${host}:${connection[role].port}`;
}

function serverName(timeline) {
  return hidden ? timeline.alias : timeline.server;
}

// "FIN_WAIT_1?" is FIN_WAIT_1, assumed.
function isAssumed(text) {
  return text.endsWith('?');
}

function stateName(text) {
  return text.replace('?', '');
}

function finalText(end) {
  return end.final + (end.final_confirmed ? '' : '?');
}

// "14,480". One formatter for all: to make one takes long.
const NUMBERS = new Intl.NumberFormat('en');

function grouped(number) {
  return NUMBERS.format(number);
}

function plural(count, word) {
  return `${grouped(count)} ${word}${count === 1 ? '' : 's'}`;
}

function secondsText(s) {
  return `${s.toFixed(6)} s`;
}

// "586 s", "2.1 h": how long, in a few columns.
function ageText(s) {
  if (s < 1) {
    return `${(s * 1000).toFixed(s < 0.01 ? 2 : 0)} ms`;
  }
  const units = [
    [86400, 'd'],
    [3600, 'h'],
    [600, 'min'],
    [1, 's'],
  ];
  const [least, unit] = units.find(([from]) => s >= from);
  const value = s / (unit === 'min' ? 60 : least);
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}

// Who ended a connection, and why it was reset or never opened, where that is known.
function causeText(connection) {
  return [connection.closed_by, connection.listed.why].filter(Boolean).join(': ');
}

// ---------------------------------------------------------------- the steps of a connection

/*
 * Step 0 is before the first segment; step n is the n-th row of the ladder. Each has the text of both ends' states, its
 * row, and the transitions that its segment made, by their index in the connection's list.
 */
function stepsOf(connection) {
  const ladder = ladderOf.get(connection.connection);
  const steps = [{ client: ladder.client, server: ladder.server, row: null, transitions: [], time: 0 }];
  let next = 0;
  for (const row of ladder.rows) {
    const step = { client: row.client, server: row.server, row, transitions: [], time: row.time };
    const last = row.run ? row.last_frame : row.frame;
    // A transition without a row of its own, by an ICMP error, is told with the row that follows.
    while (next < connection.transitions.length && connection.transitions[next].frame < last) {
      step.transitions.push(next++);
    }
    for (let n = 0; n < (row.transitions || 0) && next < connection.transitions.length; n++) {
      step.transitions.push(next++);
    }
    steps.push(step);
  }
  while (next < connection.transitions.length) {
    steps[steps.length - 1].transitions.push(next++);
  }
  return steps;
}

// The number of the step that made a transition.
function stepOfTransition(steps, index) {
  return steps.findIndex((step) => step.transitions.includes(index));
}

// The latest transition of an end at or before a step, by index; -1 where its state is older than the capture.
function latestTransition(connection, steps, at, role) {
  for (let n = at; n > 0; n--) {
    const own = steps[n].transitions.filter((index) => connection.transitions[index].end === role);
    if (own.length) {
      return own[own.length - 1];
    }
  }
  return -1;
}

// The latest transition whose step has come.
function reachedTransition(steps, at) {
  let reached = -1;
  for (let n = 0; n <= at; n++) {
    for (const index of steps[n].transitions) {
      reached = Math.max(reached, index);
    }
  }
  return reached;
}
