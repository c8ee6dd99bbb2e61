// SPDX-License-Identifier: GPL-2.0-or-later
// A client out of Node.js: call.js ADDRESS PORT WHAT [CERTIFICATE]       with a certificate: over TLS
//   agent      two requests of an agent that keeps its connection, then agent.destroy()
//   wait       a request of such an agent, then nothing for 1.5 s, in which the server may close
//   parallel   four requests at once on four connections, then agent.destroy()
//   destroy    request.destroy() while the answer comes
//   websocket  an Upgrade, a message, keep-alives over 2.5 s of silence, a message, end()
'use strict';
const fs = require('fs');
const [address, port, what, certificate] = process.argv.slice(2);
const http = require(certificate ? 'https' : 'http');
const options = {
  host: address, port, servername: 'server.test', headers: { Host: 'server.test' },
  ca: certificate && fs.readFileSync(certificate),
};
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function get(agent) {
  return new Promise((done, failed) => {
    http.get({ ...options, agent }, (response) => response.resume().on('end', done)).on('error', failed);
  });
}

const CALLS = {
  async agent() {
    const agent = new http.Agent({ keepAlive: true });
    await get(agent);
    await pause(100);
    await get(agent);
    await pause(100);
    agent.destroy();
  },
  async wait() {
    const agent = new http.Agent({ keepAlive: true });
    await get(agent);
    await pause(1500);
    agent.destroy();
  },
  async parallel() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
    await Promise.all([1, 2, 3, 4].map(() => get(agent)));
    await pause(100);
    agent.destroy();
  },
  async destroy() {
    const request = http.get({ ...options, path: '/drip' }, (response) => {
      response.on('error', () => {}).on('data', () => {});
      setTimeout(() => request.destroy(), 150);
    });
    request.on('error', () => {});
    await new Promise((done) => request.on('close', done));
  },
  async websocket() {
    const headers = { ...options.headers, Connection: 'Upgrade', Upgrade: 'websocket',
      'Sec-WebSocket-Key': 'dGNwc3RhdGUgdGNwc3RhdA==', 'Sec-WebSocket-Version': '13' };
    const socket = await new Promise((done, failed) => {
      http.get({ ...options, headers }).on('upgrade', (_, end) => done(end)).on('error', failed);
    });
    socket.setKeepAlive(true, 1000);
    socket.write('hello');
    await pause(2500);
    socket.write('hello');
    await pause(100);
    socket.end();
    await new Promise((done) => socket.resume().on('close', done));
  },
};
CALLS[what]().catch((error) => { console.error(error); process.exit(1); });
