// figure.js: figure 5 of RFC 9293 for one end, small enough to stand beside the ladder.
//
// Boxes and arcs are those of -z tcpstate,diagram. That figure has room for notes between its boxes; here the room is
// taken away: coordinates are mapped piece by piece, so that boxes keep their size and gaps shrink.

// From, to: where the pieces of the large figure begin, and where they lie in the small one.
const SMALL_X = { from: [0, 85, 255, 515, 685, 945, 1115, 1280], to: [0, 4, 118, 156, 270, 308, 422, 426] };
const SMALL_Y = {
  from: [0, 102, 158, 272, 328, 385, 555, 622, 678, 790, 926, 1022, 1078, 1187, 1247, 1320],
  to: [0, 4, 32, 56, 84, 104, 152, 172, 200, 224, 272, 302, 330, 356, 384, 388],
};
const SMALL = { width: 426, height: 388 };

function mapTo(pieces, value) {
  let n = 0;
  while (n < pieces.from.length - 2 && value > pieces.from[n + 1]) {
    n++;
  }
  const share = (value - pieces.from[n]) / (pieces.from[n + 1] - pieces.from[n]);
  return pieces.to[n] + share * (pieces.to[n + 1] - pieces.to[n]);
}

const smallX = (x) => mapTo(SMALL_X, Number(x));
const smallY = (y) => mapTo(SMALL_Y, Number(y));

// Path data of M, H, V and Q alone, all absolute.
function smallPath(path) {
  return path.replace(/([MHVQ])([^MHVQ]*)/g, (all, command, numbers) => {
    const values = numbers.trim().split(/[ ,]+/);
    const mapped = values.map((value, n) => {
      const isX = command === 'H' || (command !== 'V' && n % 2 === 0);
      return (isX ? smallX(value) : smallY(value)).toFixed(1);
    });
    return command + mapped.join(' ');
  });
}

function arrowHead(id) {
  return svg(
    'marker',
    {
      id,
      viewBox: '0 0 10 10',
      refX: 9,
      refY: 5,
      markerWidth: 9,
      markerHeight: 9,
      markerUnits: 'userSpaceOnUse',
      orient: 'auto',
    },
    svg('path', { d: 'M0 0L10 5L0 10Z', class: id }),
  );
}

// Which box an end stands in. CLOSED stands twice: where it begins, and last where it ends.
function boxIndex(state, hasMoved) {
  const boxes = data.boxes.map((box, n) => n).filter((n) => data.boxes[n].state === state);
  return hasMoved ? boxes[boxes.length - 1] : boxes[0];
}

function drawBox(box, isNow, isAssumedNow) {
  const [x, y] = [smallX(box.x), smallY(box.y)];
  const [width, height] = [smallX(box.x + box.width) - x, smallY(box.y + box.height) - y];
  return svg(
    'g',
    { class: isNow ? 'box now' : 'box', 'data-state': box.state, 'data-now': isNow ? 'yes' : null },
    svg('rect', { x, y, width, height, rx: 5, class: isNow && isAssumedNow ? 'assumed' : null }),
    svg(
      'text',
      { x: x + width / 2, y: y + height / 2 + 4.5 },
      (isNow ? '● ' : '') + box.state + (isNow && isAssumedNow ? '?' : ''),
    ),
  );
}

/*
 * The figure of one end.
 *  way  arcs by index: 'taken', 'undone' by a proof, or 'now'
 */
function drawFigure(role, stateText, hasMoved, way) {
  const now = boxIndex(stateName(stateText), hasMoved);
  const drawing = svg('svg', {
    viewBox: `0 0 ${SMALL.width} ${SMALL.height}`,
    class: `figure ${role}`,
    role: 'img',
    'aria-label': `RFC 9293 figure 5: the ${role} is in ${stateText}`,
  });
  drawing.append(svg('defs', {}, ...['head', 'taken-head', 'now-head'].map((id) => arrowHead(`${role}-${id}`))));
  const order = ['', 'undone', 'taken', 'now']; // what matters most on top
  for (const kind of order) {
    data.arcs.forEach((arc, n) => {
      if ((way.get(n) || '') === kind) {
        const head = kind === 'now' ? 'now-head' : kind === 'taken' ? 'taken-head' : 'head';
        drawing.append(
          svg(
            'path',
            {
              class: `arc ${kind}`,
              d: smallPath(arc.path),
              'marker-end': `url(#${role}-${head})`,
              'data-arc': kind ? `${arc.from} ${arc.to}` : null,
            },
            svg('title', {}, arc.label),
          ),
        );
      }
    });
  }
  drawing.append(...data.boxes.map((box, n) => drawBox(box, n === now, isAssumed(stateText))));
  return drawing;
}
