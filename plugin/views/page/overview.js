// overview.js: the list of connections, sorted and filtered, and the summary by server endpoint.

const PAGE_ROWS = 200; // a browser lays out that many at once; a button shows more
const SERVER_ROWS = 50;

// "number": right-aligned.
const COLUMNS = [
  { title: 'No.', value: (c) => c.connection },
  { title: 'Verdict', value: (c) => c.listed.rank, text: (c) => VERDICTS[c.listed.rank] },
  { title: 'Client is', value: (c) => finalText(c.client) },
  { title: 'Server is', value: (c) => finalText(c.server) },
  { title: 'For', number: true, value: waitOf, text: (c) => ageText(waitOf(c)) },
  { title: 'Closed by, why', value: causeText },
  { title: 'Client', value: (c) => socketOf(c, 'client') },
  { title: 'Server', value: (c) => socketOf(c, 'server') },
  { title: 'Segments', number: true, value: (c) => c.client.segments + c.server.segments },
  { title: 'Bytes', number: true, value: (c) => c.client.bytes + c.server.bytes },
];

const list = { sort: null, descending: false, shown: PAGE_ROWS, server: 'all' };

// How long the connection has been as it is: by the end for which it has its verdict.
function waitOf(connection) {
  const open = ROLES.filter((role) => connection[role].left_open);
  return Math.max(...(open.length ? open : ROLES).map((role) => connection[role].final_age));
}

function columnText(column, connection) {
  const text = column.text ? column.text(connection) : column.value(connection);
  return typeof text === 'number' ? grouped(text) : text || '';
}

// What the filter looks in: all that is text.
function matches(connection, words) {
  const text = [
    connection.connection,
    VERDICTS[connection.listed.rank],
    finalText(connection.client),
    finalText(connection.server),
    causeText(connection),
    socketOf(connection, 'client'),
    socketOf(connection, 'server'),
  ]
    .join(' ')
    .toLowerCase();
  return words.every((word) => text.includes(word));
}

const COLLATOR = new Intl.Collator('en', { numeric: true });

function compareBy(column) {
  return (a, b) => {
    const [x, y] = [column.value(a), column.value(b)];
    const order = typeof x === 'number' ? x - y : COLLATOR.compare(x, y);
    return list.descending ? -order : order;
  };
}

function chosenConnections() {
  const words = byId('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = data.connections.filter(
    (c) => (list.server === 'all' || socketOf(c, 'server') === list.server) && (!words.length || matches(c, words)),
  );
  return list.sort ? chosen.sort(compareBy(list.sort)) : chosen; // unsorted: left open first, as the data are
}

// ---------------------------------------------------------------- the table

function sortBy(column) {
  list.descending = list.sort === column && !list.descending;
  list.sort = column;
  drawHeads();
  drawList();
}

function sortOf(column) {
  if (list.sort !== column) {
    return 'none';
  }
  return list.descending ? 'descending' : 'ascending';
}

function drawHeads() {
  const heads = COLUMNS.map((column) => {
    const sort = sortOf(column);
    const mark = { none: '', ascending: ' ▲', descending: ' ▼' }[sort];
    const button = el('button', { type: 'button', class: 'sort' }, column.title + mark);
    button.addEventListener('click', () => {
      const at = COLUMNS.indexOf(column);
      sortBy(column);
      byId('list').tHead.rows[0].cells[at].firstChild.focus(); // the head was drawn anew
    });
    return el('th', { scope: 'col', 'aria-sort': sort, class: column.number ? 'number' : null }, button);
  });
  byId('list').tHead.rows[0].replaceChildren(...heads);
}

function connectionLink(connection) {
  const number = String(connection.connection);
  if (!ladderOf.has(connection.connection)) {
    return el('span', { title: 'its steps are not in this page' }, number);
  }
  return el('a', { href: `#c=${number}`, 'aria-label': `Play connection ${number}` }, `▶ ${number}`);
}

function listRow(connection) {
  const cells = COLUMNS.map((column, n) => {
    const content = n === 0 ? connectionLink(connection) : columnText(column, connection);
    return el('td', { class: column.number ? 'number' : null }, content);
  });
  return el('tr', { class: `rank${connection.listed.rank}`, 'data-connection': connection.connection }, ...cells);
}

function drawList() {
  const chosen = chosenConnections();
  const shown = chosen.slice(0, list.shown);
  byId('list').tBodies[0].replaceChildren(...shown.map(listRow));
  byId('list-count').textContent =
    `${plural(chosen.length, 'connection')} chosen` +
    (shown.length < chosen.length ? `, the first ${grouped(shown.length)} shown` : '');
  byId('more').hidden = shown.length === chosen.length;
  byId('more').textContent = `Show ${Math.min(PAGE_ROWS, chosen.length - shown.length)} more`;
  markPlayed();
}

// The connection in the player is marked in the list.
function markPlayed() {
  for (const row of byId('list').tBodies[0].rows) {
    const isPlayed = player.connection && Number(row.dataset.connection) === player.connection.connection;
    row.toggleAttribute('aria-current', Boolean(isPlayed));
  }
}

// ---------------------------------------------------------------- by server endpoint

function serverSummaries() {
  const servers = new Map();
  for (const connection of data.connections) {
    const name = socketOf(connection, 'server');
    if (!servers.has(name)) {
      servers.set(name, { name, connections: 0, leftOpen: 0, states: new Map() });
    }
    const server = servers.get(name);
    const state = connection.server.final;
    server.connections++;
    server.leftOpen += connection.left_open ? 1 : 0;
    server.states.set(state, (server.states.get(state) || 0) + 1);
  }
  return [...servers.values()].sort((a, b) => b.leftOpen - a.leftOpen || b.connections - a.connections);
}

function drawServers() {
  const servers = serverSummaries();
  const rows = servers
    .slice(0, SERVER_ROWS)
    .map((server) =>
      el(
        'tr',
        {},
        el('th', { scope: 'row' }, server.name),
        el('td', { class: 'number' }, grouped(server.connections)),
        el('td', { class: 'number' }, grouped(server.leftOpen)),
        el('td', {}, [...server.states].map(([state, count]) => `${grouped(count)} ${state}`).join(', ')),
      ),
    );
  const heads = ['Server', 'Connections', 'Left open', 'Server ends at the end of the capture'];
  byId('servers').replaceChildren(
    el(
      'caption',
      {},
      servers.length > rows.length
        ? `The first ${rows.length} of ${plural(servers.length, 'server endpoint')}; most left open first.`
        : 'Most left open first.',
    ),
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        ...heads.map((head, n) => el('th', { scope: 'col', class: n === 1 || n === 2 ? 'number' : null }, head)),
      ),
    ),
    el('tbody', {}, ...rows),
  );
}

// The choice of a server holds for the list and the plot.
function drawServerChoice() {
  const options = data.timelines.map((timeline, n) => el('option', { value: n }, n ? serverName(timeline) : 'all'));
  const chosen = byId('server').selectedIndex;
  byId('server').replaceChildren(...options);
  byId('server').selectedIndex = Math.max(chosen, 0);
}

function chooseServer() {
  const at = byId('server').selectedIndex;
  list.server = at > 0 ? serverName(data.timelines[at]) : 'all';
  list.shown = PAGE_ROWS;
  drawList();
  drawPlot(data.timelines[Math.max(at, 0)]);
}

// ---------------------------------------------------------------- what was left out

function limitsText() {
  const texts = [];
  const listed = data.connections.length;
  if (listed < data.count) {
    texts.push(`Of ${plural(data.count, 'connection')} the first ${grouped(listed)} are listed.`);
  }
  const without = listed - data.ladders.length;
  if (without) {
    texts.push(
      `${plural(without, 'connection')} can not be played: the page has room for the steps of ` +
        `${grouped(data.ladders.length)}, ${grouped(data.rows_max)} steps in all. ` +
        'Choose connections with a filter: tshark -z tcpstate,page,FILTER.',
    );
  }
  return texts.join(' ');
}

function startOverview() {
  byId('list-limits').textContent = limitsText();
  byId('filter').addEventListener('input', () => {
    list.shown = PAGE_ROWS;
    drawList();
  });
  byId('server').addEventListener('change', chooseServer);
  byId('more').addEventListener('click', () => {
    list.shown += PAGE_ROWS;
    drawList();
  });
}

function drawOverview() {
  drawServerChoice();
  drawHeads();
  drawServers();
  chooseServer();
}
