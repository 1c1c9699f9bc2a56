// One client's connection on the general carrier: its requests, each of which has its turn when those before it are over.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { endLingering, malformedBody, refusalBytes, type Refusal } from '../replies.ts';

/** A request and the reply to it. */
export interface Conversation {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** What becomes of a request in its turn, which lasts until the reply has been written. */
export interface Turn {
  start(): void;
  clientClosed(): void;
}

export interface TurnOwner<C extends Conversation> {
  newTurn(conversation: C): Turn;
}

/** Further ones wait in the socket. */
const waitingMax = 32;

/**
 * Node parses ahead what a client sends without waiting for replies. The order of these requests may matter to the client
 * (RFC 9112 §9.3.2), and all at once would be more than one client's share.
 */
export class ClientTurns<C extends Conversation> {
  readonly #socket: Duplex;
  readonly #owner: TurnOwner<C>;
  readonly #waiting: C[] = [];
  #turn: Turn | undefined;
  /** The last two requests that came. */
  #last: C | undefined;
  #before: C | undefined;
  #refused = false;

  constructor(socket: Duplex, owner: TurnOwner<C>) {
    this.#socket = socket;
    this.#owner = owner;
    // A response that waits for its turn is not told that its client left, but the connection is.
    socket.once('close', () => {
      this.#waiting.length = 0;
      this.#turn?.clientClosed();
    });
  }

  /** Not all that came so far has been answered, or the last request's body is still to come. */
  get isBusy(): boolean {
    return this.#last?.req.complete === false || this.#last?.res.writableFinished === false;
  }

  arrived(conversation: C): void {
    this.#before = this.#last;
    this.#last = conversation;
    if (this.#turn === undefined && this.#waiting.length === 0) this.#begin(conversation);
    else if (this.#waiting.push(conversation) >= waitingMax) this.#socket.pause();
  }

  /** Calls back when everything that came so far has been answered; never if the connection ends before. */
  afterReplies(callback: () => void): void {
    afterReply(this.#last, callback);
  }

  /**
   * What came after the last request is not HTTP, or what came as its body is not one: the request is then over, too. Answers
   * behind the replies that are under way, unless an answer has been given, and ends the connection.
   */
  refuse(refusal: Refusal): void {
    // There is one error for each further piece that comes.
    if (this.#refused || this.#last === undefined) return;
    this.#refused = true;
    const { req, res } = this.#last;
    if (req.complete) this.#endAfter(this.#last, refusal);
    else if (res.writableEnded) this.#endAfter(this.#last);
    else if (res.headersSent) this.#socket.destroy();
    else {
      if (this.#waiting.pop() === undefined) this.#turn?.clientClosed();
      this.#endAfter(this.#before, malformedBody);
    }
  }

  #endAfter(last: C | undefined, refusal?: Refusal): void {
    afterReply(last, () => {
      // That reply may have been said to be the last one.
      if (!this.#socket.writable) return;
      endLingering(this.#socket, refusal && refusalBytes(refusal, true));
    });
  }

  #begin(conversation: C): void {
    conversation.res.once('finish', this.#next);
    this.#turn = this.#owner.newTurn(conversation);
    this.#turn.start();
  }

  readonly #next = (): void => {
    this.#turn = undefined;
    const next = this.#waiting.shift();
    // That reply may have been said to be the last one.
    if (next === undefined || !this.#socket.writable) return;
    if (this.#waiting.length < waitingMax) this.#socket.resume();
    this.#begin(next);
  };
}

function afterReply(conversation: Conversation | undefined, callback: () => void): void {
  if (conversation === undefined || conversation.res.writableFinished) callback();
  else conversation.res.once('finish', callback);
}
