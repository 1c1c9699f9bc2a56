// What the statuses that etcd answers mean for us.
import { RegistryError, type RegistryErrorCode } from '../../../core/errors.ts';

/** gRPC's numbers of the statuses that matter here. */
export const grpcStatus = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** A call that etcd refused. */
export class EtcdRefusal extends RegistryError {
  /** gRPC's number. */
  readonly status: number;
  /** etcd's own words. */
  readonly reason: string;

  constructor(status: number, reason: string) {
    super(codeOf(status, reason), `etcd: ${reason === '' ? `gRPC status ${status}` : reason}`);
    this.status = status;
    this.reason = reason;
  }

  /** The member answers, but cannot serve; another one may. */
  get isOfMember(): boolean {
    const { unavailable, deadlineExceeded, internal, unknown } = grpcStatus;
    const ofMember: readonly number[] = [unavailable, deadlineExceeded, internal, unknown];
    return ofMember.includes(this.status);
  }

  /** A new token is needed: this one has expired, permissions have changed since, or there was no need for one before. */
  get isOfToken(): boolean {
    return /invalid auth token|auth store is old|user name is empty/.test(this.reason);
  }

  get isLeaseGone(): boolean {
    return this.status === grpcStatus.notFound && this.reason.includes('lease not found');
  }

  get isOfSpace(): boolean {
    return this.reason.includes('database space exceeded');
  }

  /** Users and passwords mean nothing to this cluster. */
  get isAuthOff(): boolean {
    return this.reason.includes('authentication is not enabled');
  }
}

function codeOf(status: number, reason: string): RegistryErrorCode {
  switch (status) {
    case grpcStatus.unauthenticated:
    case grpcStatus.permissionDenied:
      return 'registry_auth';
    case grpcStatus.invalidArgument:
      // A wrong password, or none for a cluster that wants one.
      return /authentication failed|user name is empty|user name not found/.test(reason)
        ? 'registry_auth'
        : 'registry_invalid';
    case grpcStatus.outOfRange:
      return 'registry_compacted';
    case grpcStatus.deadlineExceeded:
      return 'registry_timeout';
    case grpcStatus.cancelled:
    case grpcStatus.unknown:
    case grpcStatus.internal:
    case grpcStatus.unavailable:
    case grpcStatus.resourceExhausted:
      return 'registry_unavailable';
    default:
      return 'registry_invalid';
  }
}
