// The reason codes: why the agent itself answered a call. One list for header, body, log and metric label.

interface ReasonEntry {
  /** HTTP status of the answer; nobody is left to get a 499, which only the metrics show. */
  readonly status: number;
  readonly meaning: string;
}

export const reasons = {
  no_such_service: { status: 404, meaning: 'the registry knows no service of that name' },
  not_a_service: { status: 403, meaning: 'the address is not a service name' },
  bad_request: { status: 400, meaning: 'the request is malformed or ambiguous' },
  no_instances: { status: 503, meaning: 'the service has no instance that may be called' },
  all_ejected: { status: 503, meaning: 'every instance failed lately and none has recovered' },
  overloaded: { status: 503, meaning: 'too many requests to the service are in flight' },
  connect_failed: { status: 502, meaning: 'no connection to an instance could be made' },
  reset: { status: 502, meaning: 'the instance closed the connection before it replied' },
  bad_response: { status: 502, meaning: 'the reply of the instance is not valid HTTP' },
  upstream_timeout: { status: 504, meaning: 'the instance did not reply in time' },
  deadline_exceeded: { status: 504, meaning: 'the deadline of the request has passed' },
  draining: { status: 503, meaning: 'the agent is stopping' },
  client_closed: { status: 499, meaning: 'the client went away' },
} as const satisfies Readonly<Record<string, ReasonEntry>>;

export type Reason = keyof typeof reasons;
