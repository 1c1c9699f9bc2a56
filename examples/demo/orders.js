// A small app that calls: each order is charged by `payments`, reached by its name through the agent on localhost.
import { createServer } from 'node:http';

const [port = '8081'] = process.argv.slice(2);
const payments = `${process.env.OUTRIGGER_PROXY}/payments`;

const server = createServer(async (request, response) => {
  const number = new URL(request.url ?? '/', 'http://orders').searchParams.get('number') ?? '0';
  try {
    const charge = await fetch(`${payments}/charge`, {
      method: 'POST',
      // Lets the agent repeat the call when an instance dies in the middle of it.
      headers: { 'idempotency-key': `order-${number}`, 'content-type': 'application/json' },
      body: JSON.stringify({ order: Number(number), cents: 1999 }),
    });
    response.writeHead(charge.status, { 'content-type': 'application/json' });
    response.end(await charge.text());
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});
server.listen(Number(port), '127.0.0.1');

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
