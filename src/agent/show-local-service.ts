// A local service as the admin API shows it.
import type {
  FailureStatus,
  HealthStatus,
  LeaseStatus,
  LocalServiceStatus,
} from '../admin/view.ts';
import { redactText } from '../config/redact.ts';
import { formatAddress } from '../core/address.ts';
import type { HealthState } from '../health/damping.ts';
import type { Lease, LeaseState } from '../registry/lease.ts';
import type { LocalService } from './local-service.ts';

const healthStates = {
  starting: 'unknown',
  healthy: 'healthy',
  unhealthy: 'unhealthy',
} as const satisfies Record<HealthState['kind'], HealthStatus['state']>;

export function showLocalService({ instance, health, leases }: LocalService): LocalServiceStatus {
  return {
    service: instance.service,
    id: instance.id,
    address: formatAddress(instance),
    health: {
      state: healthStates[health.state.kind],
      // A command line may have a secret in it, and so may what the command says.
      failing: health.state.failing.map(({ probe, cause }) => ({
        probe: redactText(probe),
        cause: redactText(cause),
      })),
    },
    leases: leases.map(showLease),
  };
}

function showLease(lease: Lease): LeaseStatus {
  const { renewalsOk, renewalsFailed, losses } = lease.counters;
  return {
    registry: lease.registryUrl,
    state: lease.state.kind,
    lastError: lastErrorOf(lease.state),
    renewalsOk,
    renewalsFailed,
    losses,
  };
}

function lastErrorOf(state: LeaseState): FailureStatus | null {
  const isFailing = state.kind === 'acquiring' || state.kind === 'suspect';
  return isFailing ? (state.lastError ?? null) : null;
}
