// The calls of etcd's API that the driver makes, with the token of its user.
import { messageOf, RegistryError } from '../../../core/errors.ts';
import { passwordOf } from '../../password.ts';
import { isTimeout } from './abort.ts';
import { EtcdRefusal } from './etcd-errors.ts';
import type { GrpcChannel, Metadata, OpenStream } from './grpc-channel.ts';
import type { GrpcSink } from './grpc-stream.ts';
import type { EtcdLogin } from './location.ts';
import * as messages from './messages.ts';
import type { KeyRange, LeaseId, RangeAnswer } from './messages.ts';
import { SharedCall } from './shared-call.ts';
import type { Trouble } from './trouble.ts';

/** A cluster without authentication needs no token. */
type Token = { readonly kind: 'none' } | { readonly kind: 'text'; readonly text: string };

const noToken: Token = { kind: 'none' };

/** Rejects with an EtcdRefusal for what etcd refuses, and with another RegistryError for what did not come through. */
export class EtcdCalls {
  readonly #channel: GrpcChannel;
  readonly #trouble: Trouble;
  readonly #login: EtcdLogin | undefined;
  #token: Token | undefined;
  #authenticating: SharedCall<Token> | undefined;

  constructor(
    deps: { readonly channel: GrpcChannel; readonly trouble: Trouble },
    options: { readonly login?: EtcdLogin },
  ) {
    this.#channel = deps.channel;
    this.#trouble = deps.trouble;
    this.#login = options.login;
    if (this.#login === undefined) this.#token = noToken;
  }

  /** Changes when calls are made as with a new login; streams that were opened before keep to the old one. */
  get tokenText(): string {
    return this.#token?.kind === 'text' ? this.#token.text : '';
  }

  async range(
    range: KeyRange,
    options: { readonly limit?: number; readonly keysOnly?: boolean },
    signal: AbortSignal,
  ): Promise<RangeAnswer> {
    const request = messages.rangeRequest(range, options);
    return messages.readRange(await this.#call('KV/Range', request, signal));
  }

  async put(
    key: string,
    value: string,
    { leaseId }: { readonly leaseId: LeaseId },
    signal: AbortSignal,
  ): Promise<void> {
    await this.#call('KV/Put', messages.putRequest(key, value, leaseId), signal);
  }

  /** Gives the key another value and leaves its lease; does nothing when there is no such key. */
  async replace(key: string, value: string, signal: AbortSignal): Promise<void> {
    await this.#call('KV/Txn', messages.replaceRequest(key, value), signal);
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    await this.#call('KV/DeleteRange', messages.deleteRequest(key), signal);
  }

  async grantLease(ttlSeconds: number, signal: AbortSignal): Promise<LeaseId> {
    const request = messages.leaseGrantRequest(ttlSeconds);
    return messages.readLease(await this.#call('Lease/LeaseGrant', request, signal)).id;
  }

  /** False when the lease is gone: the answer is a success all the same, only without a TTL. */
  async keepAlive(leaseId: LeaseId, signal: AbortSignal): Promise<boolean> {
    const request = messages.leaseRequest(leaseId);
    const answer = await this.#call('Lease/LeaseKeepAlive', request, signal);
    return messages.readLease(answer).ttlSeconds > 0;
  }

  /** The keys that end with the lease; none when it is gone. */
  async leaseKeys(leaseId: LeaseId, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const request = messages.leaseKeysRequest(leaseId);
    return messages.readLeaseKeys(await this.#call('Lease/LeaseTimeToLive', request, signal));
  }

  /** Removes the lease's keys too. Success also when there was no such lease. */
  async revokeLease(leaseId: LeaseId, signal: AbortSignal): Promise<void> {
    try {
      await this.#call('Lease/LeaseRevoke', messages.leaseRequest(leaseId), signal);
    } catch (error) {
      if (!(error instanceof EtcdRefusal && error.isLeaseGone)) throw error;
    }
  }

  /** A stream of watches; see `GrpcChannel.open`. */
  async openWatch(sink: GrpcSink, signal: AbortSignal): Promise<OpenStream> {
    const token = await this.#validToken(signal);
    return this.#channel.open('/etcdserverpb.Watch/Watch', metadataOf(token), sink, signal);
  }

  async #call(name: string, message: Buffer, signal: AbortSignal): Promise<Buffer> {
    const token = await this.#validToken(signal);
    try {
      return await this.#send(name, message, token, signal);
    } catch (error) {
      // A server that lost its data keeps a caller with an old token waiting until its history is as long as the token's.
      if (isTimeout(signal)) this.#forget(token);
      if (!(error instanceof EtcdRefusal && error.isOfToken)) throw error;
      if (this.#login === undefined) throw error;
      this.#forget(token);
      return this.#send(name, message, await this.#validToken(signal), signal);
    }
  }

  #forget(token: Token): void {
    if (this.#token === token && this.#login !== undefined) this.#token = undefined;
  }

  async #send(name: string, message: Buffer, token: Token, signal: AbortSignal): Promise<Buffer> {
    try {
      const path = `/etcdserverpb.${name}`;
      const answer = await this.#channel.unary(path, message, metadataOf(token), signal);
      this.#trouble.end();
      return answer;
    } catch (error) {
      const isOfMember = error instanceof EtcdRefusal && error.isOfMember;
      if (isOfMember) this.#channel.leaveServer();
      const isCancelled = signal.aborted && !isTimeout(signal);
      if (isOfMember || !(error instanceof EtcdRefusal || isCancelled)) this.#trouble.begin();
      throw error;
    }
  }

  async #validToken(signal: AbortSignal): Promise<Token> {
    if (this.#token !== undefined || this.#login === undefined) return this.#token ?? noToken;
    const login = this.#login;
    if (this.#authenticating?.isOver !== false) {
      this.#authenticating = new SharedCall((ending) => this.#authenticate(login, ending));
    }
    return this.#authenticating.join(signal);
  }

  async #authenticate({ user, password }: EtcdLogin, signal: AbortSignal): Promise<Token> {
    let secret: string;
    try {
      secret = passwordOf(password) ?? '';
    } catch (error) {
      const message = `etcd: password-file: ${messageOf(error)}`;
      throw new RegistryError('registry_auth', message, { cause: error });
    }
    const request = messages.authenticateRequest(user, secret);
    try {
      const answer = await this.#send('Auth/Authenticate', request, noToken, signal);
      this.#token = { kind: 'text', text: messages.readToken(answer) };
    } catch (error) {
      if (!(error instanceof EtcdRefusal && error.isAuthOff)) throw error;
      this.#token = noToken;
    }
    return this.#token;
  }
}

/** `hasleader`: a member without a leader refuses at once, and ends its watches, in place of hanging. */
function metadataOf(token: Token): Metadata {
  return { hasleader: 'true', ...(token.kind === 'text' && { authorization: token.text }) };
}
