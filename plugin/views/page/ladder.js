// ladder.js: all steps of the player's connection as a table.

// Why an end changed, above the state that it is in then, as in the ladder of tshark: each state passed through.
function ladderEnd(step, role) {
  const own = step.transitions.map((index) => player.connection.transitions[index]).filter((one) => one.end === role);
  const lines = own
    .flatMap((one, n) => [
      el('span', { class: 'event' }, eventOf.get(one.event).text),
      n < own.length - 1 ? el('span', { class: 'passed' }, one.to) : null,
    ])
    .filter(Boolean);
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
  return el(
    'td',
    { class: 'segment-text' },
    el('span', { class: 'arrow-text', 'aria-hidden': 'true' }, arrow),
    ' ',
    el('span', { class: 'hidden-text' }, `from ${step.row.from} to ${otherRole(step.row.from)}: `),
    el('code', {}, step.row.segment),
    ' ',
    el('span', { class: 'arrow-text', 'aria-hidden': 'true' }, arrow),
  );
}

function ladderRow(step, number) {
  return el(
    'tr',
    { 'data-step': number },
    el('th', { scope: 'row' }, stepLink(number, String(number))),
    el('td', {}, step.row ? framesText(step.row) : 'before'),
    ladderEnd(step, 'client'),
    ladderSegment(step),
    ladderEnd(step, 'server'),
  );
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
