// A small app that is called: charges a card. It knows nothing of the agent beside it.
import { createServer } from 'node:http';

const [port = '8080', name = 'payments'] = process.argv.slice(2);

const server = createServer((request, response) => {
  request.resume();
  // Some work, so that requests are in flight when this process is killed.
  setTimeout(() => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ servedBy: name, pid: process.pid }));
  }, 5);
});
server.listen(Number(port), '127.0.0.1');

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
