// end.js: an end in the player: its state, how that is known, since when and why, and its way through figure 5.

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
  return row.run
    ? `frames ${row.frame} to ${row.last_frame}, ${secondsText(row.time)} to ${secondsText(row.last_time)}`
    : `frame ${row.frame}, ${secondsText(row.time)}`;
}

function runText(row) {
  return (
    `… ${grouped(row.run)} segments, ${grouped(row.client_bytes)} bytes from client, ` +
    `${grouped(row.server_bytes)} from server`
  );
}

function segmentText(row) {
  return row.run ? runText(row) : row.segment;
}

function controlOf(row) {
  return row.segment.match(/<CTL=([^>]*)>/)[1] || 'no flags';
}

function statusText() {
  const step = player.steps[player.at];
  const ends = ROLES.map(
    (role) => `${role[0].toUpperCase()}${role.slice(1)} ${stateName(step[role])}, ${proofOf(role)}.`,
  );
  const corrected = step.transitions.some((index) => eventOf.get(player.connection.transitions[index].event).corrects);
  const what = !step.row
    ? 'before the first segment.'
    : step.row.run
      ? `${framesText(step.row)}: ${runText(step.row)}.`
      : `${framesText(step.row)}: ${step.row.from} sends ${controlOf(step.row)}.`;
  const correction = corrected ? ' An assumption is corrected.' : '';
  return `Step ${player.at} of ${player.steps.length - 1}, ${what} ${ends.join(' ')}${correction}`;
}

// ---------------------------------------------------------------- since when, and why

function rfcLink(section) {
  return el(
    'a',
    { href: `https://www.rfc-editor.org/rfc/rfc9293#section-${section}`, rel: 'noreferrer' },
    `RFC 9293 section ${section}`,
  );
}

function stepLink(at, text) {
  return el('a', { href: `#c=${player.connection.connection}&s=${at}` }, text);
}

// The assumptions that a transition proves wrong, by index.
function correctedBy(index) {
  return ladderOf
    .get(player.connection.connection)
    .way.map((one, n) => (one[1] === index ? n : -1))
    .filter((n) => n >= 0);
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
  return el(
    'p',
    { class: 'correction' },
    el('strong', {}, 'Correction: '),
    'what was assumed was not so (',
    ...links,
    '). ',
    replay,
  );
}

// Why an end changed: the event, its sentence, and what it corrects.
function eventText(index) {
  const event = eventOf.get(player.connection.transitions[index].event);
  return [
    el('p', {}, el('strong', {}, event.text), ` ${event.sentence} `, rfcLink(event.section)),
    correctionText(index),
  ];
}

// The transition with which an end entered its state: where a proof put it back, when it first did. -1: none did.
function entryOf(role, index) {
  const transitions = player.connection.transitions;
  const { event, to } = transitions[index];
  if (!eventOf.get(event).corrects) {
    return index;
  }
  let before = index - 1;
  while (before >= 0 && !(transitions[before].end === role && transitions[before].to === to)) {
    before--;
  }
  if (before >= 0) {
    return entryOf(role, before);
  }
  return stateName(player.steps[0][role]) === to ? -1 : index;
}

function sinceText(role, index) {
  if (index < 0) {
    return player.connection.midstream ? 'The state is older than the capture.' : 'As it was before the connection.';
  }
  const at = stepOfTransition(player.steps, index);
  const elapsed = Math.max(0, player.steps[player.at].time - player.steps[at].time);
  const when = at === player.at ? 'just now.' : `${ageText(elapsed)} ago.`;
  return ['Since ', stepLink(at, `step ${at}`), `, frame ${player.connection.transitions[index].frame}, `, when];
}

// Since when an end is in its state, and why: all that its segment did, where it passed through several states.
function whyText(role, index) {
  if (index < 0) {
    return [el('p', {}, ...[sinceText(role, index)].flat())];
  }
  const at = stepOfTransition(player.steps, index);
  const own = player.steps[at].transitions.filter((one) => player.connection.transitions[one].end === role);
  const entry = entryOf(role, index);
  const back = entry === index ? [] : [' A proof put it back there at ', stepLink(at, `step ${at}`), '.'];
  return [el('p', {}, ...[sinceText(role, entry)].flat(), ...back), ...own.flatMap(eventText)];
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
    el(
      'h3',
      {},
      `${role === 'client' ? '● Client' : '■ Server'} `,
      el('span', { class: 'socket' }, socketOf(player.connection, role)),
    ),
    el(
      'p',
      { class: 'state' },
      el('strong', {}, stateName(text)),
      ' ',
      el('span', { class: `proof ${proof}` }, { assumed: '? ', proved: '✓ ' }[proof] || '', proof),
    ),
    drawFigure(role, text, index >= 0, wayOf(role)),
    el('p', { class: 'meaning' }, stateOf.get(stateName(text)).sentence),
    el('div', { class: 'why' }, ...whyText(role, index).filter(Boolean)),
  );
}
