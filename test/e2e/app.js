// The app of the end-to-end tests: answers with its name, and keeps a ledger of every request that it served.
//
//   app.js PORT NAME LEDGER
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [port = '0', name = 'app', ledger = '/dev/null'] = process.argv.slice(2);

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const number = request.headers['x-number'];
    if (number !== undefined) appendFileSync(ledger, `${request.method ?? ''} ${String(number)}\n`);
    const { host, 'x-forwarded-host': forwardedHost, via } = request.headers;
    const body = {
      name,
      pid: process.pid,
      method: request.method,
      path: request.url,
      host,
      forwardedHost,
      via,
    };
    // A little work, so that requests are in flight when something happens to the process.
    setTimeout(() => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ...body, body: Buffer.concat(chunks).toString() }));
    }, 3);
  });
});
server.listen(Number(port), '127.0.0.1');

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
