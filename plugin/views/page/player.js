// player.js: one connection, step by step: what the controls, the keys and the clock do.

const player = { connection: null, steps: [], at: 0, timer: null, linking: null };

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
  scrubber.value =
    end > 0 ? Math.round((10000 * momentOf(player.at)) / end) : (10000 * player.at) / (player.steps.length - 1);
  scrubber.setAttribute(
    'aria-valuetext',
    `step ${player.at} of ${player.steps.length - 1}, ${momentOf(player.at).toFixed(3)} s`,
  );
  byId('moment').textContent =
    `${momentOf(player.at).toFixed(3)} of ${end.toFixed(3)} s, step ${player.at} of ${player.steps.length - 1}`;
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

// The address tells the step, without an entry in the browser's history for each. Browsers forbid many changes at once.
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
  for (const [id, off] of [
    ['first', atFirst],
    ['back', atFirst],
    ['forward', atLast],
    ['last', atLast],
  ]) {
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
  ArrowRight: () => stepBy(1),
  ArrowLeft: () => stepBy(-1),
  ArrowDown: () => stepBy(1),
  ArrowUp: () => stepBy(-1),
  Home: () => stepBy(-Infinity),
  End: () => stepBy(Infinity),
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
  const closers = {
    client: 'closed by the client',
    server: 'closed by the server',
    simultaneous: 'closed by both at once',
  };
  const how = [closers[connection.closed_by] || connection.closed_by, connection.listed.why].filter(Boolean).join(': ');
  byId('player-title').textContent =
    `Connection ${connection.connection}: ${socketOf(connection, 'client')} to ${socketOf(connection, 'server')}`;
  const verdict = VERDICTS[connection.listed.rank];
  byId('player-note').textContent =
    [
      verdict[0].toUpperCase() + verdict.slice(1),
      how,
      connection.midstream ? 'handshake not captured' : '',
      ladder.rows_left_out
        ? `the first ${plural(ladder.rows.length, 'step')}, ${grouped(ladder.rows_left_out)} are left out`
        : '',
    ]
      .filter(Boolean)
      .join('; ') + '.';
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
  const actions = {
    first: () => stepBy(-Infinity),
    back: () => stepBy(-1),
    play: togglePlay,
    forward: () => stepBy(1),
    last: () => stepBy(Infinity),
  };
  for (const [id, action] of Object.entries(actions)) {
    byId(id).addEventListener('click', action);
  }
  byId('scrubber').addEventListener('input', scrub);
  byId('player').addEventListener('keydown', onKey);
}
