// wire.js: the last segments between the two ends of the player, as the figures of the RFC draw them.

// Small enough that a phone shows the text as large as a desk does.
const WIRE = { width: 340, height: 412, rows: 5, rowHeight: 80, left: 10, right: 330, lineChars: 38 };

// A segment's notation in one line or two, as they fit; of a run what each end sent, for the table has the words.
function wireLines(row) {
  if (row.run) {
    return [
      `… ${plural(row.run, 'segment')}`,
      `→ ${grouped(row.client_bytes)} bytes, ← ${grouped(row.server_bytes)} bytes`,
    ];
  }
  const parts = row.segment.split(/(?=<CTL)/);
  return row.segment.length > WIRE.lineChars ? [parts[0], parts.slice(1).join('')] : [row.segment];
}

// Above a segment its frame and its notation, below it the states, at either side, as in the figures of the RFC.
function wireLabels(step, y) {
  const middle = WIRE.width / 2;
  const lines = wireLines(step.row);
  const top = y - 4 - 14 * lines.length;
  return [
    svg('text', { x: middle, y: top, class: 'when' }, framesText(step.row)),
    svg(
      'text',
      { class: 'notation' },
      ...lines.map((line, n) => svg('tspan', { x: middle, y: top + 14 * (n + 1) }, line)),
    ),
    svg('text', { x: WIRE.left + 5, y: y + 33, class: 'left' }, step.client),
    svg('text', { x: WIRE.right - 5, y: y + 33, class: 'right' }, step.server),
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
  if (now) {
    // it travels from its sender to its receiver; its place at rest is the receiver
    const dot = svg('circle', { class: 'packet', cx: x2, cy: y + 20, r: 6 });
    dot.style.setProperty('--from-x', `${x1 - x2}px`);
    dot.style.setProperty('--from-y', '-16px');
    group.append(dot);
  }
  return group;
}

function drawWire() {
  const first = Math.max(1, player.at - WIRE.rows + 1);
  const drawing = svg(
    'svg',
    { viewBox: `0 0 ${WIRE.width} ${WIRE.height}`, 'aria-hidden': 'true' },
    svg(
      'defs',
      {},
      svg(
        'marker',
        {
          id: 'wire-head',
          viewBox: '0 0 10 10',
          refX: 9,
          refY: 5,
          markerWidth: 10,
          markerHeight: 10,
          markerUnits: 'userSpaceOnUse',
          orient: 'auto',
        },
        svg('path', { class: 'head', d: 'M0 0L10 5L0 10Z' }),
      ),
    ),
    svg('path', { class: 'life', d: `M${WIRE.left} 4V${WIRE.height - 4}M${WIRE.right} 4V${WIRE.height - 4}` }),
  );
  for (let n = first; n <= player.at; n++) {
    drawing.append(drawSegment(player.steps[n], n, 46 + (n - first) * WIRE.rowHeight));
  }
  if (!player.at) {
    drawing.append(svg('text', { x: WIRE.width / 2, y: 60, class: 'when' }, 'Before the first segment'));
  }
  byId('wire').replaceChildren(drawing);
}
