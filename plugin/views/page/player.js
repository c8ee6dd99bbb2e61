// player.js: one connection, step by step: both ends in figure 5, the segments between them, and the ladder as a table.

const player = { connection: null, steps: [], at: 0, timer: null, linking: null };
const WIRE = { width: 440, height: 412, rows: 6, rowHeight: 67, left: 12, right: 428 };

// ---------------------------------------------------------------- words

const otherRole = (role) => (role === 'client' ? 'server' : 'client');

// How an end's state is known at the present step. Before the first segment nothing has been proved yet.
function proofOf(role) {
  if (isAssumed(player.steps[player.at][role])) {
    return 'assumed';
  }
  return player.at ? 'proved' : 'at the start';
}

function framesText(row) {
  return row.run ? `frames ${row.frame} to ${row.last_frame}, ${secondsText(row.time)} to ${secondsText(row.last_time)}`
    : `frame ${row.frame}, ${secondsText(row.time)}`;
}

function runText(row) {
  const count = (number) => number.toLocaleString('en');
  return `… ${count(row.run)} segments, ${count(row.client_bytes)} bytes from client, ${count(row.server_bytes)} from server`;
}

function segmentText(row) {
  return row.run ? runText(row) : row.segment;
}

function controlOf(row) {
  return row.segment.match(/<CTL=([^>]*)>/)[1] || 'no flags';
}

function statusText() {
  const step = player.steps[player.at];
  const ends = ROLES.map((role) => `${role[0].toUpperCase()}${role.slice(1)} ${stateName(step[role])}, ${proofOf(role)}.`);
  const corrected = step.transitions.some((index) => eventOf.get(player.connection.transitions[index].event).corrects);
  const what = !step.row ? 'before the first segment.' : step.row.run ? `${framesText(step.row)}: ${runText(step.row)}.`
    : `${framesText(step.row)}: ${step.row.from} sends ${controlOf(step.row)}.`;
  return `Step ${player.at} of ${player.steps.length - 1}, ${what} ${ends.join(' ')}${corrected ? ' An assumption is corrected.' : ''}`;
}

// ---------------------------------------------------------------- an end: its state, why, and its way

function rfcLink(section) {
  return el('a', { href: `https://www.rfc-editor.org/rfc/rfc9293#section-${section}`, rel: 'noreferrer' },
    `RFC 9293 section ${section}`);
}

function stepLink(at, text) {
  return el('a', { href: `#c=${player.connection.connection}&s=${at}` }, text);
}

// The assumptions that a transition proves wrong, by index.
function correctedBy(index) {
  return ladderOf.get(player.connection.connection).way
    .map((one, n) => (one[1] === index ? n : -1)).filter((n) => n >= 0);
}

function correctionText(index) {
  const wrong = correctedBy(index);
  if (!wrong.length) {
    return null;
  }
  const links = wrong.flatMap((n, place) => {
    const at = stepOfTransition(player.steps, n);
    return [place ? ', ' : '', stepLink(at, `step ${at}`), `: ${player.connection.transitions[n].to}`];
  });
  const replay = el('button', { type: 'button', class: 'replay' }, 'Replay the correction');
  replay.addEventListener('click', () => replayFrom(stepOfTransition(player.steps, wrong[0])));
  return el('p', { class: 'correction' }, el('strong', {}, 'Correction: '), 'what was assumed was not so (', ...links, '). ', replay);
}

// Why an end changed: the event, its sentence, and what it corrects.
function eventText(index) {
  const event = eventOf.get(player.connection.transitions[index].event);
  return [el('p', {}, el('strong', {}, event.text), ` ${event.sentence} `, rfcLink(event.section)), correctionText(index)];
}

// Since when an end is in its state, and why: all that its segment did, where it passed through several states.
function whyText(role, index) {
  if (index < 0) {
    return [el('p', {}, player.connection.midstream ? 'The state is older than the capture.' : 'As it was before the connection.')];
  }
  const at = stepOfTransition(player.steps, index);
  const elapsed = Math.max(0, player.steps[player.at].time - player.steps[at].time);
  const own = player.steps[at].transitions.filter((one) => player.connection.transitions[one].end === role);
  return [
    el('p', {}, 'Since ', stepLink(at, `step ${at}`), `, frame ${player.connection.transitions[index].frame}, `,
      at === player.at ? 'just now.' : `${ageText(elapsed)} ago.`),
    ...own.flatMap(eventText),
  ];
}

// Which arcs of the figure the end took up to the present step; undone ones count once the proof has come.
function wayOf(role) {
  const way = ladderOf.get(player.connection.connection).way;
  const reached = reachedTransition(player.steps, player.at);
  const kinds = new Map();
  for (let index = 0; index <= reached; index++) {
    if (player.connection.transitions[index].end === role && way[index][0] >= 0) {
      const undone = way[index][1] >= 0 && way[index][1] <= reached;
      kinds.set(way[index][0], undone ? 'undone' : 'taken');
    }
  }
  for (const index of player.steps[player.at].transitions) {
    if (player.connection.transitions[index].end === role && way[index][0] >= 0) {
      kinds.set(way[index][0], 'now');
    }
  }
  return kinds;
}

function drawEnd(role) {
  const text = player.steps[player.at][role];
  const index = latestTransition(player.connection, player.steps, player.at, role);
  const proof = proofOf(role);
  byId(`${role}-end`).replaceChildren(
    el('h3', {}, `${role === 'client' ? '● Client' : '■ Server'} `, el('span', { class: 'socket' }, socketOf(player.connection, role))),
    el('p', { class: 'state' }, el('strong', {}, stateName(text)), ' ', el('span', { class: `proof ${proof}` }, { assumed: '? ', proved: '✓ ' }[proof] || '', proof)),
    drawFigure(role, text, index >= 0, wayOf(role)),
    el('p', { class: 'meaning' }, stateOf.get(stateName(text)).sentence),
    el('div', { class: 'why' }, ...whyText(role, index).filter(Boolean)));
}

// ---------------------------------------------------------------- the wire between them

// Above a segment its frame and its notation, below it the states, at either side, as in the figures of the RFC.
function wireLabels(step, y) {
  const middle = WIRE.width / 2;
  return [
    svg('text', { x: middle, y: y - 17, class: 'when' }, framesText(step.row)),
    svg('text', { x: middle, y: y - 4, class: 'notation' }, segmentText(step.row)),
    svg('text', { x: WIRE.left + 5, y: y + 34, class: 'left' }, step.client),
    svg('text', { x: WIRE.right - 5, y: y + 34, class: 'right' }, step.server),
  ];
}

function drawSegment(step, number, y) {
  const now = number === player.at;
  const toRight = step.row.from === 'client';
  const [x1, x2] = toRight ? [WIRE.left, WIRE.right] : [WIRE.right, WIRE.left];
  const group = svg('g', { class: now ? 'segment now' : 'segment', 'data-step': number });
  group.append(...wireLabels(step, y));
  if (step.row.run) {
    group.append(svg('path', { class: 'run', d: `M${WIRE.left} ${y + 10}H${WIRE.right}` }));
    return group;
  }
  group.append(svg('path', { class: 'arrow', d: `M${x1} ${y + 4}L${x2} ${y + 20}`, 'marker-end': 'url(#wire-head)' }));
  if (now) { // it travels from its sender to its receiver; its place at rest is the receiver
    const dot = svg('circle', { class: 'packet', cx: x2, cy: y + 20, r: 6 });
    dot.style.setProperty('--from-x', `${x1 - x2}px`);
    dot.style.setProperty('--from-y', '-16px');
    group.append(dot);
  }
  return group;
}

function drawWire() {
  const first = Math.max(1, player.at - WIRE.rows + 1);
  const drawing = svg('svg', { viewBox: `0 0 ${WIRE.width} ${WIRE.height}`, 'aria-hidden': 'true' },
    svg('defs', {}, svg('marker', { id: 'wire-head', viewBox: '0 0 10 10', refX: 9, refY: 5, markerWidth: 10, markerHeight: 10,
      markerUnits: 'userSpaceOnUse', orient: 'auto' }, svg('path', { class: 'head', d: 'M0 0L10 5L0 10Z' }))),
    svg('path', { class: 'life', d: `M${WIRE.left} 4V${WIRE.height - 4}M${WIRE.right} 4V${WIRE.height - 4}` }));
  for (let n = first; n <= player.at; n++) {
    drawing.append(drawSegment(player.steps[n], n, 30 + (n - first) * WIRE.rowHeight));
  }
  if (!player.at) {
    drawing.append(svg('text', { x: WIRE.width / 2, y: 60, class: 'when' }, 'Before the first segment'));
  }
  byId('wire').replaceChildren(drawing);
}

// ---------------------------------------------------------------- the ladder as a table

// Why an end changed, above the state that it is in then, as in the ladder of tshark: each state passed through.
function ladderEnd(step, role) {
  const own = step.transitions.map((index) => player.connection.transitions[index]).filter((one) => one.end === role);
  const lines = own.flatMap((one, n) => [
    el('span', { class: 'event' }, eventOf.get(one.event).text),
    n < own.length - 1 ? el('span', { class: 'passed' }, one.to) : null,
  ]).filter(Boolean);
  return el('td', { class: role }, ...lines, el('span', { class: 'state-text' }, step[role]));
}

function ladderSegment(step) {
  if (!step.row) {
    return el('td', { class: 'segment-text' }, '');
  }
  if (step.row.run) {
    return el('td', { class: 'segment-text' }, runText(step.row));
  }
  const arrow = step.row.from === 'client' ? '-->' : '<--';
  return el('td', { class: 'segment-text' }, el('span', { class: 'arrow-text', 'aria-hidden': 'true' }, arrow), ' ',
    el('span', { class: 'hidden-text' }, `from ${step.row.from} to ${otherRole(step.row.from)}: `),
    el('code', {}, step.row.segment), ' ', el('span', { class: 'arrow-text', 'aria-hidden': 'true' }, arrow));
}

function ladderRow(step, number) {
  return el('tr', { 'data-step': number }, el('th', { scope: 'row' }, stepLink(number, String(number))),
    el('td', {}, step.row ? framesText(step.row) : 'before'), ladderEnd(step, 'client'), ladderSegment(step), ladderEnd(step, 'server'));
}

function drawLadder() {
  byId('ladder').tBodies[0].replaceChildren(...player.steps.map(ladderRow));
}

function markStep() {
  const rows = byId('ladder').tBodies[0].rows;
  for (const row of byId('ladder').querySelectorAll('[aria-current]')) {
    row.removeAttribute('aria-current');
  }
  rows[player.at].setAttribute('aria-current', 'step');
  const box = byId('ladder').parentElement;
  const top = rows[player.at].offsetTop;
  if (top < box.scrollTop + 40 || top > box.scrollTop + box.clientHeight - 80) {
    box.scrollTop = top - box.clientHeight / 2;
  }
}

// ---------------------------------------------------------------- time

// Moments for the scrubber; where time stamps run backwards, it stands still.
function momentOf(at) {
  return player.moments[at];
}

function setMoments() {
  let latest = 0;
  player.moments = player.steps.map((step) => (latest = Math.max(latest, step.time)));
}

function setScrubber() {
  const end = momentOf(player.steps.length - 1);
  const scrubber = byId('scrubber');
  scrubber.value = end > 0 ? Math.round(10000 * momentOf(player.at) / end) : 10000 * player.at / (player.steps.length - 1);
  scrubber.setAttribute('aria-valuetext', `step ${player.at} of ${player.steps.length - 1}, ${momentOf(player.at).toFixed(3)} s`);
  byId('moment').textContent = `${momentOf(player.at).toFixed(3)} of ${end.toFixed(3)} s, step ${player.at} of ${player.steps.length - 1}`;
}

// The last step at or before the moment that the scrubber was drawn to.
function scrub() {
  const share = byId('scrubber').value / 10000;
  const end = momentOf(player.steps.length - 1);
  let at = end > 0 ? 0 : Math.round(share * (player.steps.length - 1));
  while (end > 0 && at < player.steps.length - 1 && momentOf(at + 1) <= share * end + end / 20000) {
    at++;
  }
  pause();
  goTo(at);
}

// How long a step is shown, ms. As captured: as long as until the next segment, within what one can watch.
function delayOf(at) {
  const speed = byId('speed').value;
  const captured = 1000 * (momentOf(at + 1) - momentOf(at));
  if (speed === 'time') {
    return Math.min(Math.max(captured, 50), 10000);
  }
  return speed === 'slower' ? Math.min(Math.max(10 * captured, 50), 10000) : 2000 / Number(speed);
}

function schedule() {
  player.timer = setTimeout(() => {
    goTo(player.at + 1);
    if (player.at < player.steps.length - 1) {
      schedule();
    } else {
      pause();
    }
  }, delayOf(player.at));
}

function pause() {
  clearTimeout(player.timer);
  player.timer = null;
  byId('play').textContent = '▶ Play';
}

function play() {
  if (player.at >= player.steps.length - 1) {
    goTo(0);
  }
  byId('play').textContent = '❚❚ Pause';
  schedule();
}

function togglePlay() {
  if (player.timer) {
    pause();
  } else if (player.steps.length > 1) {
    play();
  }
}

// From the step before the assumption on, which plays until it is corrected and beyond.
function replayFrom(at) {
  pause();
  goTo(Math.max(0, at - 1));
  play();
  byId('player').focus({ preventScroll: true });
}

// ---------------------------------------------------------------- steps

// The address tells the step, without an entry in the browser's history for each; browsers forbid many changes a second.
function setLink() {
  clearTimeout(player.linking);
  player.linking = setTimeout(() => {
    history.replaceState(null, '', `#c=${player.connection.connection}&s=${player.at}`);
  }, 300);
}

function drawStep() {
  ROLES.forEach(drawEnd);
  drawWire();
  markStep();
  setScrubber();
  byId('status').textContent = statusText();
  const [atFirst, atLast] = [player.at === 0, player.at === player.steps.length - 1];
  // Not "disabled": the focus would be lost on the way.
  for (const [id, off] of [['first', atFirst], ['back', atFirst], ['forward', atLast], ['last', atLast]]) {
    byId(id).setAttribute('aria-disabled', off);
  }
}

function goTo(at) {
  player.at = Math.min(Math.max(at, 0), player.steps.length - 1);
  drawStep();
  setLink();
}

function stepBy(count) {
  pause();
  goTo(player.at + count);
}

const KEYS = {
  ArrowRight: () => stepBy(1), ArrowLeft: () => stepBy(-1), ArrowDown: () => stepBy(1), ArrowUp: () => stepBy(-1),
  Home: () => stepBy(-Infinity), End: () => stepBy(Infinity),
};

// Only while the player has the focus: elsewhere these keys scroll. In the choice of speed they choose.
function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === 'SELECT') {
    return;
  }
  if (KEYS[event.key]) {
    KEYS[event.key]();
    event.preventDefault();
  } else if (event.key === ' ' && (event.target.id === 'player' || event.target.id === 'scrubber')) {
    togglePlay();
    event.preventDefault();
  }
}

function drawTitle() {
  const connection = player.connection;
  const ladder = ladderOf.get(connection.connection);
  const closers = { client: 'closed by the client', server: 'closed by the server', simultaneous: 'closed by both at once' };
  const how = [closers[connection.closed_by] || connection.closed_by, connection.listed.why].filter(Boolean).join(': ');
  byId('player-title').textContent = `Connection ${connection.connection}: ${socketOf(connection, 'client')} to ${socketOf(connection, 'server')}`;
  byId('player-note').textContent = [`${VERDICTS[connection.listed.rank]}`, how,
    connection.midstream ? 'handshake not captured' : '',
    ladder.rows_left_out ? `the first ${plural(ladder.rows.length, 'step')}, ${ladder.rows_left_out.toLocaleString('en')} are left out` : '']
    .filter(Boolean).join('; ') + '.';
}

// Shows a connection at a step; the last one shown may be the same.
function showConnection(connection, at) {
  pause();
  if (player.connection !== connection) {
    player.connection = connection;
    player.steps = stepsOf(connection);
    setMoments();
    drawLadder();
    markPlayed();
    askQuestions(connection);
  }
  drawTitle();
  goTo(at);
}

function startPlayer() {
  const actions = { first: () => stepBy(-Infinity), back: () => stepBy(-1), play: togglePlay, forward: () => stepBy(1),
    last: () => stepBy(Infinity) };
  for (const [id, action] of Object.entries(actions)) {
    byId(id).addEventListener('click', action);
  }
  byId('scrubber').addEventListener('input', scrub);
  byId('player').addEventListener('keydown', onKey);
}
