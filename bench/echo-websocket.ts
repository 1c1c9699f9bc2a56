// A WebSocket server that sends back every message: node --import tsx bench/echo-websocket.ts PORT
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const server = createServer((_request, response) => response.end('ok'));
new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket) => {
  socket.on('message', (message, isBinary) => socket.send(message as Buffer, { binary: isBinary }));
  socket.on('error', () => undefined);
});
server.listen(Number(process.argv[2]), '127.0.0.1');
