// main.js: what begins when the page has been read: the link in the address, the switch for privacy.

// "#c=3&s=7": connection 3, step 7. Others, the link that skips to the player among them, choose nothing.
function fromAddress() {
  const found = /^#c=(\d+)(?:&s=(\d+))?$/.exec(location.hash);
  const connection = found && connectionOf.get(Number(found[1]));
  return connection && ladderOf.has(connection.connection) ? { connection, step: Number(found[2] || 0) } : null;
}

function onAddress() {
  const chosen = fromAddress();
  if (chosen) {
    endQuiz();
    showConnection(chosen.connection, chosen.step);
    const { top } = byId('player').getBoundingClientRect();
    if (top < 0 || top > window.innerHeight / 2) {
      byId('player-section').scrollIntoView({ block: 'start' }); // from within the player, nothing jumps
    }
    byId('player').focus({ preventScroll: true });
  }
}

function drawAbout() {
  byId('about').textContent =
    `${plural(data.count, 'TCP connection')}` +
    (data.filter ? `, filter: ${hidden ? 'not shown' : data.filter}` : '') +
    '. Each end’s state is one of RFC 9293; this file needs no network.';
  byId('made').textContent =
    `Made by tcpstate ${data.version}, tshark -z tcpstate,page. A connection counts as left open after ` +
    `${data.stuck_after} s; TIME_WAIT lasts ${data.time_wait} s. ` +
    `Of a connection at most ${grouped(data.ladder_max)} steps ` +
    `and ${grouped(data.expert_max)} items of expert information are in the page.`;
}

function drawAll() {
  drawAbout();
  drawOverview();
  if (player.connection) {
    drawTitle();
    drawStep();
  }
}

function startPrivacy() {
  const box = byId('hide');
  box.checked = hidden;
  box.disabled = data.hidden;
  byId('hide-note').textContent = data.hidden ? '(the file has no others)' : '(the file still has those captured)';
  box.addEventListener('change', () => {
    hidden = box.checked;
    drawAll();
  });
}

function start() {
  startPrivacy();
  startOverview();
  startPlayer();
  drawAll();
  const chosen = fromAddress();
  const first = data.connections.find((connection) => ladderOf.has(connection.connection));
  if (chosen) {
    showConnection(chosen.connection, chosen.step);
  } else if (first) {
    showConnection(first, 0);
  }
  for (const id of ['player-section', 'quiz-section', 'plot-section']) {
    byId(id).hidden = !first && id !== 'plot-section';
  }
  window.addEventListener('hashchange', onAddress);
}

start();
