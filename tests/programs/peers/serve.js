// SPDX-License-Identifier: GPL-2.0-or-later
// A server out of Node.js: serve.js ADDRESS PORT KEEP-ALIVE-MS [CERTIFICATE KEY]
// Answers any request; ends connections idle for so long. /drip: a part every 20 ms for 1 s. An Upgrade is
// accepted, and what comes then is echoed.
'use strict';
const fs = require('fs');
const [address, port, keepAliveMs, certificate, key] = process.argv.slice(2);

function answer(request, response) {
  if (request.url !== '/drip') {
    request.resume().on('end', () => response.end('hello\n'));
    return;
  }
  let left = 50;
  const timer = setInterval(() => { if (left-- > 0) response.write('hello\n'); else response.end(); }, 20);
  response.on('close', () => clearInterval(timer));
}

const server = certificate
  ? require('https').createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }, answer)
  : require('http').createServer(answer);
server.keepAliveTimeout = Number(keepAliveMs);
server.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
  socket.on('error', () => {}).on('data', (data) => socket.write(data)).on('end', () => socket.end());
});
server.listen(Number(port), address);
