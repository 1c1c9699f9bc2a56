// The life contract of everything that holds a socket, a timer or a file.

/**
 * `start` resolves when the component works and rejects when it cannot; a failed start leaves nothing behind.
 * `close` is final: it ends every socket, timer and promise of the component. Both may be called twice.
 */
export interface Component {
  start(): Promise<void>;
  close(): Promise<void>;
}
