// A small app that calls: each order is charged by `payments`, reached by its name through the agent on localhost.
import { createServer } from 'node:http';

const { PORT = '8081', LISTEN_HOST = '127.0.0.1' } = process.env;
const { OUTRIGGER_PROXY = 'http://127.0.0.1:4140' } = process.env;

async function charge(number) {
  const reply = await fetch(`${OUTRIGGER_PROXY}/payments/charge`, {
    method: 'POST',
    // Lets the agent repeat the call when an instance dies in the middle of it.
    headers: { 'idempotency-key': `order-${number}`, 'content-type': 'application/json' },
    body: JSON.stringify({ order: number, cents: 1999 }),
  });
  return { status: reply.status, document: await reply.json() };
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://orders');
  const answer = (status, document) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(document)}\n`);
  };
  if (pathname === '/health') return answer(200, { ok: true });
  if (pathname !== '/order') return answer(404, { error: 'there is only /order?number=N' });
  const order = Number(searchParams.get('number'));
  try {
    const { status, document: payment } = await charge(order);
    answer(status, { order, payment, servedBy: 'orders', pid: process.pid });
  } catch (error) {
    answer(502, { order, error: String(error) });
  }
});
server.listen(Number(PORT), LISTEN_HOST);

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
