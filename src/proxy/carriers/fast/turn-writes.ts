// Short writes of one turn of the event loop, which leave together at its end.
import type { Socket } from 'node:net';

/** With fewer calls in progress a turn seldom has a second write, and waiting for its end costs more than it saves. */
const callsMin = 6;

/**
 * Each write wakes whoever waits for it, which costs as much as the write itself. Of those that leave one right after the
 * other, most find their readers still awake.
 */
export class TurnWrites {
  #sockets: Socket[] = [];
  #calls = 0;

  callBegins(): void {
    this.#calls++;
  }

  callEnds(): void {
    this.#calls--;
  }

  /** Takes the text, one character a byte. False: the socket wants no more until it has drained. */
  write(socket: Socket, text: string): boolean {
    if (this.#calls >= callsMin && socket.writableCorked === 0) {
      socket.cork();
      if (this.#sockets.push(socket) === 1) setImmediate(this.#end);
    }
    return socket.write(text, 'latin1');
  }

  readonly #end = (): void => {
    const sockets = this.#sockets;
    this.#sockets = [];
    for (const socket of sockets) socket.uncork();
  };
}
