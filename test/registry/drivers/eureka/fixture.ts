// Eureka's JSON for tests: entries and lists as a server writes them.
import type { EurekaList } from '../../../../src/registry/drivers/eureka/answers.ts';
import { parseList } from '../../../../src/registry/drivers/eureka/answers.ts';

export type Entry = Readonly<Record<string, unknown>>;

/** An entry that is UP on host `id`, as the server lists it. */
export function entryOf(id: string, parts: Entry = {}): Entry {
  return {
    instanceId: id,
    hostName: id,
    app: 'PAYMENTS',
    ipAddr: '10.0.0.1',
    status: 'UP',
    overriddenStatus: 'UNKNOWN',
    port: { $: 8080, '@enabled': 'true' },
    securePort: { $: 443, '@enabled': 'false' },
    countryId: 1,
    dataCenterInfo: {
      '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo',
      name: 'MyOwn',
    },
    metadata: { '@class': 'java.util.Collections$EmptyMap' },
    vipAddress: 'payments',
    isCoordinatingDiscoveryServer: 'false',
    lastUpdatedTimestamp: '1000',
    lastDirtyTimestamp: '1000',
    actionType: 'ADDED',
    ...parts,
  };
}

/** Lease times as the server tells them; it writes the duration on top of a renewal. */
export function leaseOf(renewedMs: number, durationSecs: number, removedMs = 0): Entry {
  return {
    leaseInfo: {
      renewalIntervalInSecs: 30,
      durationInSecs: durationSecs,
      registrationTimestamp: 1,
      lastRenewalTimestamp: renewedMs + durationSecs * 1000,
      evictionTimestamp: removedMs,
      serviceUpTimestamp: 1,
    },
  };
}

export function listText(entries: readonly Entry[], hash: string): string {
  const apps = new Map<unknown, Entry[]>();
  for (const entry of entries) apps.set(entry['app'], [...(apps.get(entry['app']) ?? []), entry]);
  const application = [...apps].map(([name, instance]) => ({ name, instance }));
  return JSON.stringify({
    applications: { versions__delta: '1', apps__hashcode: hash, application },
  });
}

export function listOf(entries: readonly Entry[], hash = '', vip = false): EurekaList {
  return parseList(listText(entries, hash), vip);
}
