// What an endpoint of the admin API answers with, and the failures that become such an answer.

/** The `Server` header of every answer, so that a client knows when it talks to something else. */
export const serverHeader = 'outrigger';

export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The body of every answer that is not a success. */
export interface FailureDocument {
  readonly error: {
    /** Stable, for programs. */
    readonly code: string;
    /** For people. */
    readonly message: string;
    /** What could be asked instead: paths, methods or the nearest names. */
    readonly choices: readonly string[];
  };
}

/** Thrown where a request is found to be unanswerable; turned into a reply in one place. */
export class RequestRefusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly choices: readonly string[];

  constructor(status: number, code: string, message: string, choices: readonly string[] = []) {
    super(message);
    this.name = 'RequestRefusal';
    this.status = status;
    this.code = code;
    this.choices = choices;
  }
}

export function jsonReply(status: number, document: object): Reply {
  const body = `${JSON.stringify(document, null, 2)}\n`;
  return { status, contentType: 'application/json; charset=utf-8', body };
}

export function textReply(body: string, version = ''): Reply {
  return { status: 200, contentType: `text/plain;${version} charset=utf-8`, body };
}

export function refusalReply({ status, code, message, choices }: RequestRefusal): Reply {
  const document: FailureDocument = { error: { code, message, choices } };
  const reply = jsonReply(status, document);
  return status === 405 ? { ...reply, headers: { allow: choices.join(', ') } } : reply;
}
