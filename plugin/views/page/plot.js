// plot.js: how many ends are in each state over time, as stacked plots and as a table.

// The width is that of the page, so that a phone shows the text as large as a desk does.
const PLOT = { width: 900, height: 190, left: 56, right: 10, top: 12, bottom: 30 };
const STATES_SHOWN = data.states
  .map((state) => state.state)
  .filter((state) => state !== 'CLOSED' && state !== 'LISTEN');

// The states that any end is in at any sample.
function statesIn(timeline) {
  return STATES_SHOWN.filter((state) => timeline.samples.some((sample) => ROLES.some((role) => sample[role][state])));
}

function sumOf(counts) {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function plotX(n, samples) {
  return PLOT.left + ((PLOT.width - PLOT.left - PLOT.right) * n) / samples;
}

function plotY(count, most) {
  return PLOT.height - PLOT.bottom - ((PLOT.height - PLOT.top - PLOT.bottom) * count) / most;
}

// A layer: from the counts below it up to its own, in steps: a sample holds until the next.
function layerPath(below, above, most) {
  const count = above.length;
  let path = `M${plotX(0, count)} ${plotY(above[0], most)}`;
  for (let n = 0; n < count; n++) {
    path += `V${plotY(above[n], most).toFixed(1)}H${plotX(n + 1, count).toFixed(1)}`;
  }
  for (let n = count - 1; n >= 0; n--) {
    path += `V${plotY(below[n], most).toFixed(1)}H${plotX(n, count).toFixed(1)}`;
  }
  return `${path}Z`;
}

// Each state has a hatch of its own besides its colour.
function hatch(state, prefix) {
  const n = STATES_SHOWN.indexOf(state);
  const size = 6 + (n % 3) * 3;
  return svg(
    'pattern',
    {
      id: `${prefix}-${state}`,
      width: size,
      height: size,
      patternUnits: 'userSpaceOnUse',
      patternTransform: `rotate(${n * 40})`,
    },
    svg('rect', { width: size, height: size, class: `fill${n}` }),
    n % 2 ? svg('path', { d: `M0 0H${size}`, class: 'hatch' }) : null,
  );
}

function axisTexts(samples, most) {
  const end = samples * data.interval;
  const texts = [
    [plotX(0, 1), 'start', '0 s'],
    [plotX(1, 1), 'end', `${+end.toPrecision(4)} s`],
  ];
  return [
    ...texts.map(([x, anchor, text]) => svg('text', { x, y: PLOT.height - 10, 'text-anchor': anchor }, text)),
    svg('text', { x: PLOT.left - 6, y: PLOT.top + 10, 'text-anchor': 'end' }, grouped(most)),
    svg('text', { x: PLOT.left - 6, y: PLOT.height - PLOT.bottom, 'text-anchor': 'end' }, '0'),
    svg('path', {
      class: 'axis',
      d: `M${PLOT.left} ${PLOT.top}V${PLOT.height - PLOT.bottom}H${PLOT.width - PLOT.right}`,
    }),
  ];
}

function plotOf(timeline, role, states) {
  const samples = timeline.samples.map((sample) => sample[role]);
  const most = Math.max(1, ...samples.map(sumOf));
  const drawing = svg('svg', {
    width: PLOT.width,
    viewBox: `0 0 ${PLOT.width} ${PLOT.height}`,
    role: 'img',
    'aria-label': `${role} ends by state over time; the table below has the numbers`,
  });
  drawing.append(svg('defs', {}, ...states.map((state) => hatch(state, role))));
  let below = samples.map(() => 0);
  for (const state of states) {
    const above = below.map((count, n) => count + (samples[n][state] || 0));
    if (sumOf(above) > sumOf(below)) {
      drawing.append(
        svg(
          'path',
          { class: 'layer', fill: `url(#${role}-${state})`, d: layerPath(below, above, most) },
          svg('title', {}, state),
        ),
      );
    }
    below = above;
  }
  drawing.append(...axisTexts(samples.length, most));
  return el(
    'figure',
    {},
    el('figcaption', {}, `${role === 'client' ? 'Clients' : 'Servers'}: ends in each state`),
    drawing,
  );
}

function legend(states) {
  const items = states.map((state) =>
    el(
      'li',
      {},
      svg(
        'svg',
        { viewBox: '0 0 24 14', width: 24, height: 14, 'aria-hidden': 'true' },
        svg('defs', {}, hatch(state, 'legend')),
        svg('rect', { width: 24, height: 14, class: 'layer', fill: `url(#legend-${state})` }),
      ),
      ` ${state}`,
    ),
  );
  return el('ul', { class: 'legend' }, ...items);
}

// Rows only where something changed: a long capture would repeat itself.
function sampleRows(timeline, states) {
  const rows = [];
  for (const role of ROLES) {
    let before = null;
    timeline.samples.forEach((sample, n) => {
      const counts = states.map((state) => sample[role][state] || 0);
      if (before !== counts.join()) {
        rows.push(
          el(
            'tr',
            {},
            el('th', { scope: 'row' }, `${+(n * data.interval).toPrecision(10)} s`),
            el('td', {}, role),
            ...counts.map((count) => el('td', { class: 'number' }, grouped(count))),
          ),
        );
      }
      before = counts.join();
    });
  }
  return rows;
}

function drawPlot(timeline) {
  const states = statesIn(timeline);
  PLOT.width = Math.min(900, Math.max(300, byId('plot').clientWidth));
  byId('plot').replaceChildren(legend(states), ...ROLES.map((role) => plotOf(timeline, role, states)));
  byId('plot-note').textContent =
    `${serverName(timeline) === 'all' ? 'All servers' : `Server ${serverName(timeline)}`}, ` +
    `sampled every ${data.interval} s, as netstat would show it. Choose a server above the list of connections.`;
  byId('samples').replaceChildren(
    el('caption', {}, 'Ends in each state, from that time on; a row where the numbers change.'),
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        ...['Time', 'Ends', ...states].map((head, n) =>
          el('th', { scope: 'col', class: n > 1 ? 'number' : null }, head),
        ),
      ),
    ),
    el('tbody', {}, ...sampleRows(timeline, states)),
  );
}
